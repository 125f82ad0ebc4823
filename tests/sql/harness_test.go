package sql_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/tests/sql/feed"
	"millrace/tests/sql/keep"
	"millrace/types"
)

// configuration is a way to run scripts. Each must give the same answers.
type configuration struct {
	name        string
	parallelism int
	options     cluster.Options
	// crash kills a task manager behind every feed.
	crash bool
	// batch runs queries over bounded input, in batch mode.
	batch bool
}

const managedBytes = 256 << 20

var configurations = []configuration{
	{name: "one", parallelism: 1},
	{name: "four", parallelism: 4},
	{name: "tiny", parallelism: 2, options: cluster.Options{RowsMax: 1}},
	{name: "credit", parallelism: 2, options: cluster.Options{RowsMax: 3, CreditBytes: 1}},
	{name: "crash", parallelism: 2, crash: true},
	{name: "crash-remote", parallelism: 3, crash: true, options: cluster.Options{Remote: true, RowsMax: 2}},
	{name: "badger", parallelism: 2, options: cluster.Options{StateBytes: managedBytes, State: cluster.StateOptions{Badger: true}}},
	{name: "badger-crash", parallelism: 1, crash: true, options: cluster.Options{StateBytes: managedBytes, State: cluster.StateOptions{Badger: true}}},
	{name: "batch", parallelism: 1, batch: true},
	{name: "batch-four", parallelism: 4, batch: true},
}

// world is a cluster of a configuration, on which scripts run one after the other.
type world struct {
	configuration
	*cluster.Cluster
	wiring *cluster.Wiring
	client *client.Client
	logs   *feed.Logs
	kept   *keep.Tables
	// managers have been started so far.
	managers int
}

// worlds are those that are up. They end with the tests of the package.
var worlds struct {
	sync.Mutex
	up map[string]*world
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, w := range worlds.up {
		if err := w.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		_ = os.RemoveAll(w.Dir)
	}
	os.Exit(code)
}

// on returns the world of a configuration.
func on(t *testing.T, c configuration) *world {
	t.Helper()
	worlds.Lock()
	defer worlds.Unlock()
	if w := worlds.up[c.name]; w != nil {
		return w
	}
	w := &world{configuration: c, wiring: cluster.NewWiring(nil), logs: &feed.Logs{}, kept: &keep.Tables{}, managers: 2}
	w.wiring.Connectors.RegisterSource(feed.Name, w.logs.Factory())
	w.wiring.Connectors.RegisterSink(keep.Name, w.kept.Factory(w.wiring.Functions))
	o := c.options
	o.Wiring, o.Slots = w.wiring, c.parallelism
	var err error
	if o.Dir, err = os.MkdirTemp("", "millrace-sql"); err != nil { //nolint:usetesting // the cluster outlives the test that is the first to need it
		t.Fatal(err)
	}
	if w.Cluster, err = cluster.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.client = client.Over(w.Jobs())
	if worlds.up == nil {
		worlds.up = make(map[string]*world)
	}
	worlds.up[c.name] = w
	return w
}

// crashOne kills the task manager that has been there longest, and starts another.
func (w *world) crashOne(t *testing.T) {
	t.Helper()
	oldest := types.TaskManagerID(fmt.Sprintf("tm-%d", w.managers-1))
	w.managers++
	if err := w.KillTaskManager(oldest); err != nil {
		t.Fatal(err)
	}
	if err := w.StartTaskManager(types.TaskManagerID(fmt.Sprintf("tm-%d", w.managers))); err != nil {
		t.Fatal(err)
	}
}
