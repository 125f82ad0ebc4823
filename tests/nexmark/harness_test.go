package nexmark_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/connectors/kafka"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/sql/session"
	"millrace/tests/sqltest"
	"millrace/types"
)

// configuration is a way to run a query. Each must give the same answer.
type configuration struct {
	parallelism int
	batch       bool
	// crash kills a task manager that reads when it has read half of the events.
	crash bool
	// real has the events in a broker of Apache Kafka instead of the one inside the process.
	real bool
}

func (c configuration) String() string {
	name := "streaming"
	if c.batch {
		name = "batch"
	}
	name += "-" + strconv.Itoa(c.parallelism)
	if c.crash {
		name += "-crash"
	}
	if c.real {
		name += "-real"
	}
	return name
}

// slots are as many as a job at the highest parallelism has use for, on each of two task managers.
const slots = 4

// shared is the cluster on which all queries run, one after the other, and what they read.
var shared struct {
	sync.Mutex
	cluster *sqltest.Cluster
	events  [][]byte
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	closeBrokers()
	os.Exit(code)
}

func sharedCluster(t *testing.T) *sqltest.Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		c, err := sqltest.Start(t.Context(), cluster.Options{Wiring: cluster.NewWiring(nil), Slots: slots})
		if err != nil {
			t.Fatal(err)
		}
		shared.cluster = c
	}
	return shared.cluster
}

func sharedEvents(t *testing.T) [][]byte {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.events == nil {
		shared.events = lines(t, "events.jsonl.zst")
	}
	return shared.events
}

// bidders finds the bidder of a bid.
var bidders = regexp.MustCompile(`"bidder":\d+`)

// apart is by how much the ids of bidders in the first events of the suite's generator exceed those of people. With this number, bidders are
// people who sell, and not the busiest of them.
const apart = 1003

// acquainted returns the events with bidders who are among the people.
func acquainted(t *testing.T, events [][]byte) [][]byte {
	t.Helper()
	out := make([][]byte, len(events))
	for i, line := range events {
		out[i] = bidders.ReplaceAllFunc(line, func(found []byte) []byte {
			id, err := strconv.Atoi(strings.TrimPrefix(string(found), `"bidder":`))
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Appendf(nil, `"bidder":%d`, id-apart)
		})
	}
	return out
}

// run is one query in one configuration.
type run struct {
	configuration
	query  string
	events [][]byte
	broker *broker
	topic  string
	dir    string
	job    *session.Job
	rows   *collected // nil for a job that writes files
	going  *sqltest.Query
}

// newRun prepares everything up to the job's start. What ${NAME} stands for beyond the usual is given.
func newRun(t *testing.T, query string, c configuration, given map[string]string) *run {
	t.Helper()
	r := &run{configuration: c, query: query, events: sharedEvents(t), broker: embeddedBroker(t), dir: t.TempDir()}
	if c.real {
		r.broker = realBroker(t)
	}
	what := "events"
	if query == "q23" {
		what, r.events = "acquainted", acquainted(t, r.events)
	}
	if c.crash {
		r.topic = r.broker.create(t)
		r.broker.fill(t, r.topic, r.events, 0, len(r.events)/2)
	} else {
		r.topic = r.broker.full(t, what, r.events)
	}
	writeSideInput(t, r.dir)
	r.plan(t, given)
	return r
}

// plan has the job of the query.
func (r *run) plan(t *testing.T, given map[string]string) {
	t.Helper()
	values := map[string]string{"BROKERS": r.broker.address, "TOPIC": r.topic, "ENDS": ends(len(r.events)), "DIR": r.dir}
	options := map[string]string{
		"parallelism.default": strconv.Itoa(r.parallelism), "execution.checkpointing.interval": "100 ms", "pipeline.auto-watermark-interval": "10 ms",
	}
	if r.batch {
		options["execution.runtime-mode"] = "BATCH"
	}
	text := read(t, "kafka") + read(t, "views") + read(t, r.query)
	for from, to := range given {
		text = strings.ReplaceAll(text, from, to)
	}
	r.job = sharedCluster(t).Session(t, options).Job(t, substituted(t, text, values))
	r.job.Graph.Restart = jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 100, Delay: 10 * time.Millisecond}
	if r.job.Query != nil {
		r.rows = newCollected(t, r.job.Query)
	}
}

// read returns the text of a query.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/queries/" + name + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start runs the job, with a crash in the middle where the configuration has one.
func (r *run) start(t *testing.T) {
	t.Helper()
	c := sharedCluster(t)
	r.going = c.Begin(t, r.job, r.rows.take)
	t.Cleanup(r.going.Drop)
	if !r.crash {
		return
	}
	half := int64(len(r.events) / 2)
	var victim types.TaskManagerID
	r.going.Until(t, "half of the events are read", func() bool {
		read, on := r.readBy(r.going.Describe(t))
		victim = on
		return read >= half
	})
	if !r.batch {
		r.going.UntilCheckpoint(t, "half of the events are read")
	}
	c.Crash(t, victim)
	r.broker.fill(t, r.topic, r.events, int(half), len(r.events))
}

// readBy returns how many events have been read by the reader of Kafka that has read least, and where a task of it is.
func (r *run) readBy(d *apiv1.DescribeJobResponse) (least int64, on types.TaskManagerID) {
	least = -1
	for i := range r.job.Graph.Vertices {
		v := &r.job.Graph.Vertices[i]
		if v.Source == nil || v.Source.Connector != kafka.Name {
			continue
		}
		var read int64
		for _, task := range d.Tasks {
			if task.VertexId == string(v.ID) {
				read += task.Progress.GetRecordsIn()
				on = types.TaskManagerID(task.TaskManagerId)
			}
		}
		if least < 0 || read < least {
			least = read
		}
	}
	return least, on
}

// end waits for the end of the job and returns its rows.
func (r *run) end(t *testing.T) []record {
	t.Helper()
	if err := r.going.End(t); err != nil {
		t.Fatal(err)
	}
	if r.rows == nil {
		return readPartitions(t, filepath.Join(r.dir, r.query))
	}
	return r.rows.records(t)
}

// writeSideInput writes the file that q13 looks up.
func writeSideInput(t *testing.T, dir string) {
	t.Helper()
	var text strings.Builder
	for key := range int64(sideKeys) {
		if value, there := sideValue(key); there {
			fmt.Fprintf(&text, "%d,%s\n", key, value)
		}
	}
	dir = filepath.Join(dir, "side_input")
	if err := errors.Join(os.Mkdir(dir, 0o750), os.WriteFile(filepath.Join(dir, "side_input.txt"), []byte(text.String()), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// successFile says that a partition has all its files.
const successFile = "_SUCCESS"

// readPartitions returns the rows of q10: those of every file, with the values that its folders have. Each partition must be committed.
func readPartitions(t *testing.T, root string) (out []record) {
	t.Helper()
	folders := make(map[string]bool) // committed
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		folder := filepath.Dir(path)
		folders[folder] = folders[folder] || e.Name() == successFile
		if e.Name()[0] != '.' && e.Name()[0] != '_' {
			out = append(out, readPartition(t, path, strings.Split(strings.TrimPrefix(folder, root+"/"), "/"))...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, committed := range folders {
		if !committed {
			t.Errorf("%s has no %s", folder, successFile)
		}
	}
	return out
}

// readPartition returns the rows of a file below folders like dt=2026-11-22 and hm=16:21.
func readPartition(t *testing.T, path string, folders []string) (out []record) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		r := record{"auction": number(integer(t, row[0])), "bidder": number(integer(t, row[1])), "price": number(integer(t, row[2])), "dateTime": row[3], "extra": row[4]}
		for _, folder := range folders {
			name, value, _ := strings.Cut(folder, "=")
			r[name] = strings.ReplaceAll(value, "%3A", ":")
		}
		out = append(out, r)
	}
	return out
}

func integer(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
