package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/connectors/nexmark"
	"millrace/internal/clock"
	"millrace/internal/testutil/child"
	apiv1 "millrace/proto/millrace/api/v1"
)

const (
	crossingCluster = "bench"
	// sourcesGroup is the slot sharing group that keeps sources out of the slots, and
	// so out of the processes, of windows.
	sourcesGroup = "sources"
	// workerPatience is how long a worker may take to answer an order.
	workerPatience = time.Minute
)

// measureCrossing runs the main job over task managers that are processes of one
// slot each, with sources in a slot sharing group of their own: every row goes
// from a process to another through gRPC.
func (r run) measureCrossing(ctx context.Context) (line, error) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	job := &measuredJob{run: r, graph: r.graph(), sink: &checkedSink{}}
	job.graph.Vertices[0].SlotSharingGroup = sourcesGroup
	crew, err := job.executeCrossing(ctx, dir)
	if err != nil {
		return nil, err
	}
	want, err := r.expected(ctx)
	if err != nil {
		return nil, fmt.Errorf("direct computation: %w", err)
	}
	return job.crossingResult(ctx, crew, want)
}

// crossingResult adds up what the workers say.
func (j *measuredJob) crossingResult(ctx context.Context, c *crew, want answer) (line, error) {
	var crossed int64
	var cpu time.Duration
	coordination := j.end.cpu - j.start.cpu
	j.start.mallocs, j.end = 0, usage{at: j.end.at}
	for _, w := range c.workers {
		f := w.figures
		cpu += f.CPU
		j.end.mallocs += f.Mallocs
		j.end.collections += f.Collections
		j.end.residentMax += f.ResidentMax
		crossed += f.RowsReceived
		j.sink.rows += f.Rows
		j.sink.bids += f.Bids
		j.sink.sum += f.Sum
	}
	j.start.cpu, j.start.collections, j.end.cpu = 0, 0, cpu
	if err := j.sink.compare(want); err != nil {
		return nil, err
	}
	if crossed != j.sink.bids {
		return nil, fmt.Errorf("%d of %d rows went from a process to another", crossed, j.sink.bids)
	}
	out := &crossingResult{result: *j.result(ctx), Processes: len(c.workers), RowsCrossed: crossed, CoordinationCPUSeconds: coordination.Seconds()}
	out.Scenario, out.Remote = "prepared-bids-crossing", true
	return out, nil
}

// executeCrossing runs the job, and returns the workers with their figures.
func (j *measuredJob) executeCrossing(ctx context.Context, dir string) (c *crew, err error) {
	wiring := cluster.NewWiring(nil)
	wiring.Connectors.RegisterSource(gatedConnector, nexmark.Factory)
	wiring.Connectors.RegisterSink(checkedConnector, j.sink.factory())
	s, err := cluster.Start(ctx, cluster.Options{Dir: dir, Wiring: wiring, Cluster: crossingCluster, TaskManagers: cluster.NoTaskManagers})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c = newCrew(2 * j.parallelism)
	defer c.dismiss()
	if err := j.hire(c, s, dir); err != nil {
		return nil, err
	}
	jobs := client.Over(s.Jobs())
	submitted, err := jobs.Submit(ctx, j.graph, false, "bench")
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	if err := c.await(ctx, j.parallelism); err != nil {
		return nil, err
	}
	if err := c.order(ctx, startOrder); err != nil {
		return nil, err
	}
	j.start = usageNow()
	if err := c.order(ctx, openOrder); err != nil {
		return nil, err
	}
	last, err := jobs.Await(ctx, submitted.JobId, j.see)
	j.end = usageNow()
	if err == nil && last.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		err = fmt.Errorf("the job ended as %s: %s", last.Summary.State, last.Summary.Failure)
	}
	return c, errors.Join(err, c.order(ctx, stopOrder))
}

// hire starts the workers: one for each source task and one for each window task.
func (j *measuredJob) hire(c *crew, s *cluster.Cluster, dir string) error {
	for i := range cap(c.workers) {
		id := fmt.Sprintf("tm-%d", i+1)
		own := filepath.Join(dir, id)
		if err := os.MkdirAll(own, 0o750); err != nil {
			return err
		}
		args := []string{workerCommand, "-id", id, "-job-manager", s.Address(), "-blobs", s.Blobs, "-dir", own}
		if j.profile != "" {
			args = append(args, "-cpuprofile", j.profile+"."+id)
		}
		if err := c.start(id, args); err != nil {
			return fmt.Errorf("start task manager %s: %w", id, err)
		}
	}
	return nil
}

// crew is the workers of a run.
type crew struct {
	workers []*hired
	ready   chan struct{} // a worker's sources have their batches
	ended   chan struct{} // a worker says no more
}

func newCrew(n int) *crew {
	return &crew{workers: make([]*hired, 0, n), ready: make(chan struct{}, n), ended: make(chan struct{}, n)}
}

// hired is a worker as the measuring process has it.
type hired struct {
	id      string
	process *child.Process
	orders  io.WriteCloser
	done    chan report // an answer to each order; closed when the worker says no more
	figures *figures
}

// start starts this program as a worker. What it logs goes where ours does.
func (c *crew) start(id string, args []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.Command(program, args...) //nolint:noctx // it ends with its orders
	command.Stderr = os.Stderr
	w := &hired{id: id, done: make(chan report, 1)}
	if w.orders, err = command.StdinPipe(); err != nil {
		return err
	}
	out, write := io.Pipe()
	command.Stdout = write
	if w.process, err = child.Start(command); err != nil {
		return err
	}
	go func() { // ends when the worker has
		<-w.process.Ended
		_ = write.Close() // never fails
	}()
	go c.listen(w, out)
	c.workers = append(c.workers, w)
	return nil
}

// listen hears a worker to its end.
func (c *crew) listen(w *hired, out io.Reader) {
	defer func() {
		close(w.done)
		c.ended <- struct{}{}
	}()
	for s := bufio.NewScanner(out); s.Scan(); {
		var r report
		switch err := json.Unmarshal(s.Bytes(), &r); {
		case err != nil:
			return
		case r.Ready:
			c.ready <- struct{}{}
		default:
			w.done <- r
		}
	}
}

// await waits until that many workers have a source with its batches.
func (c *crew) await(ctx context.Context, sources int) error {
	for range sources {
		select {
		case <-c.ready:
		case <-c.ended:
			return errors.New("a task manager ended before its sources were ready")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// order has every worker carry an order out.
func (c *crew) order(ctx context.Context, o order) error {
	ctx, cancel := context.WithTimeout(ctx, workerPatience)
	defer cancel()
	for _, w := range c.workers {
		if _, err := fmt.Fprintln(w.orders, o); err != nil {
			return fmt.Errorf("task manager %s: %w", w.id, err)
		}
	}
	for _, w := range c.workers {
		r, err := w.next(ctx)
		if err == nil && r.Done != o {
			err = fmt.Errorf("an answer to %q where one to %q is due", r.Done, o)
		}
		if err != nil {
			return fmt.Errorf("task manager %s: %w", w.id, err)
		}
		w.figures = r.Figures
	}
	return nil
}

func (w *hired) next(ctx context.Context) (report, error) {
	select {
	case r, more := <-w.done:
		if !more {
			return r, errors.New("it has ended")
		}
		return r, nil
	case <-ctx.Done():
		return report{}, ctx.Err()
	}
}

// dismiss ends the workers and waits for them.
func (c *crew) dismiss() {
	for _, w := range c.workers {
		_ = w.orders.Close() // the worker ends with its orders
	}
	for _, w := range c.workers {
		select {
		case <-w.process.Ended:
		case <-clock.System().After(workerPatience):
			w.process.Kill()
		}
	}
}
