package sqltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/internal/clock"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// Cluster is a cluster inside the process. Its methods are for one test at a time.
type Cluster struct {
	*cluster.Cluster
	Client *client.Client
	// managers have been started so far.
	managers int
}

// Start runs a cluster of two task managers in a folder of its own. The options lack a Dir, and have a Wiring.
func Start(ctx context.Context, o cluster.Options) (*Cluster, error) {
	var err error

	if o.Dir, err = os.MkdirTemp("", "millrace-sql"); err != nil {
		return nil, err
	}
	o.TaskManagers = 2
	c := &Cluster{managers: o.TaskManagers}
	if c.Cluster, err = cluster.Start(ctx, o); err != nil {
		return nil, err
	}
	c.Client = client.Over(c.Jobs())
	return c, nil
}

// Ready waits until the task managers have registered: a job of a program is refused while none of them carries it.
func (c *Cluster) Ready(t *testing.T) {
	t.Helper()
	deadline := clock.System().After(Patience)
	for {
		d, err := c.Describe().DescribeCluster(t.Context(), &apiv1.DescribeClusterRequest{})
		if err == nil && len(d.TaskManagers) == c.TaskManagers {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("not within %s: %d task managers: %v, %v", Patience, c.TaskManagers, d, err)
		case <-clock.System().After(Again):
		}
	}
}

// CrashOne kills the task manager that has been there longest, and starts another.
func (c *Cluster) CrashOne(t *testing.T) {
	t.Helper()
	c.Crash(t, types.TaskManagerID(fmt.Sprintf("tm-%d", c.managers-1)))
}

// Crash kills a task manager, and starts another.
func (c *Cluster) Crash(t *testing.T, id types.TaskManagerID) {
	t.Helper()
	c.managers++
	if err := c.KillTaskManager(id); err != nil {
		t.Fatal(err)
	}
	if err := c.StartTaskManager(types.TaskManagerID(fmt.Sprintf("tm-%d", c.managers))); err != nil {
		t.Fatal(err)
	}
}

// Close ends the cluster and removes its folder.
func (c *Cluster) Close() error {
	return errors.Join(c.Cluster.Close(), os.RemoveAll(c.Dir))
}
