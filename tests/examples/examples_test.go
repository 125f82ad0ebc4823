package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"millrace/internal/testutil/matrix"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// example is a program with an input and what must come out.
type example struct {
	name string // of the folder
	args []string
	// first are records of topics that must have been read before the others come.
	first map[string][]string
	// input gives the records of a partition of a topic.
	topic   string
	perPart int64
	record  func(partition, offset int64) string
	// want are the records of each topic of the output, in any order.
	want func() map[string][]string
	// serve starts what the program needs beside, and returns further arguments.
	serve func(t *testing.T) []string
}

const partitions = 2

// total is how many records there are.
func (e *example) total() (n int64) {
	for _, records := range e.first {
		n += int64(len(records))
	}
	return n + partitions*e.perPart
}

// String names the case.
func (e *example) String() string { return strings.Join(append([]string{e.name}, e.args...), "") }

var examples = []*example{bids("bids"), bids("bids", "-columns"), sessions(), enrichment(), fraud(), routing()}

// TestExamples runs each program, kills a task manager in its middle, and compares what it committed.
func TestExamples(t *testing.T) {
	for _, e := range matrix.Sample(t, 1, examples) {
		t.Run(e.String(), func(t *testing.T) { e.run(t) })
	}
}

func (e *example) run(t *testing.T) {
	program := "millrace/examples/" + e.name
	platformtest.Binary(t, program) // which may take longer than the rest
	ctx := platformtest.Limited(t, testLimit)
	p := platformtest.Start(ctx, t, platformtest.Spec{TaskManagers: 3, Program: program, OwnBroker: true})
	p.AwaitTaskManagers(ctx, 3)
	want := e.want()
	for topic := range want {
		platformtest.CreateTopics(ctx, t, p.Broker, partitions, topic)
	}
	platformtest.CreateTopics(ctx, t, p.Broker, partitions, e.topic)
	for topic := range e.first {
		platformtest.CreateTopics(ctx, t, p.Broker, 1, topic)
	}
	r := e.submit(ctx, t, p)
	read := func(n int64) func(*apiv1.DescribeJobResponse) bool {
		return func(d *apiv1.DescribeJobResponse) bool { return e.read(d) == n }
	}
	var firsts int64
	for topic, records := range e.first {
		firsts += int64(len(records))
		values := func(yield func([]byte) bool) {
			for _, record := range records {
				if !yield([]byte(record)) {
					return
				}
			}
		}
		if err := p.Broker.Produce(ctx, topic, 0, values); err != nil {
			t.Fatal(err)
		}
	}
	r.AwaitDescription(ctx, "what comes first", read(firsts))
	behind := func(what string) {
		done := r.Describe(ctx).CheckpointsCompleted
		r.AwaitDescription(ctx, "a checkpoint behind "+what, platformtest.Checkpointed(done+2))
	}
	behind("what comes first")
	tap := platformtest.NewTap()
	written := platformtest.Write(ctx, p.Broker, e.topic, tap, slices.Repeat([]int64{e.perPart}, partitions), func(partition, offset int64) []byte {
		return []byte(e.record(partition, offset))
	})
	// A quarter: the rest is more than all that tasks of the first attempt can read, one of them everything, so its figures can't pass for those of the second.
	begin := e.perPart / 4
	tap.Raise(begin)
	r.AwaitDescription(ctx, "a quarter of the input", read(firsts+partitions*begin))
	behind("that")
	p.TaskManagers[e.busy(ctx, r)].Kill() // and stays away: the third has a slot
	tap.Raise(e.perPart)
	if err := written.Wait(); err != nil {
		t.Fatal(err)
	}
	r.AwaitDescription(ctx, "the rest of the input", func(d *apiv1.DescribeJobResponse) bool {
		return d.Summary.Restarts > 0 && e.read(d) == partitions*(e.perPart-begin)
	})
	if _, err := p.Jobs.StopJob(ctx, &apiv1.StopJobRequest{JobId: r.ID, Drain: true}); err != nil {
		t.Fatal(err)
	}
	d := r.AwaitDescription(ctx, "the end", platformtest.Ended)
	if d.Summary.State != apiv1.JobState_JOB_STATE_STOPPED && d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("the job ended as %s: %v", d.Summary.State, d)
	}
	for topic, records := range want {
		compare(t, topic, records, platformtest.ReadAll[json.RawMessage](ctx, t, p.Broker, topic))
	}
	t.Logf("%d records in, %d restarts", e.total(), d.Summary.Restarts)
}

// submit has the program submit itself.
func (e *example) submit(ctx context.Context, t *testing.T, p *platformtest.Platform) platformtest.Running {
	t.Helper()
	args := []string{
		"submit", "--cluster", p.Addresses(), "--detached", "--parallelism", "2",
		"-D", "execution.checkpointing.interval=200 ms", "--", "-brokers", p.Broker.Addr(),
	}
	args = append(args, e.args...)
	if e.serve != nil {
		args = append(args, e.serve(t)...)
	}
	command := exec.CommandContext(ctx, platformtest.Binary(t, "millrace/examples/"+e.name), args...)
	out, err := command.Output()
	if err != nil {
		said := ""
		if exit, is := errors.AsType[*exec.ExitError](err); is {
			said = string(exit.Stderr)
		}
		t.Fatalf("submit: %v: %s", err, said)
	}
	r := platformtest.Attach(t, p.Jobs, strings.TrimSpace(string(out)))
	r.AwaitRunning(ctx)
	return r
}

// read returns how many records the sources have read since the last restart. A vertex is called as its source, and that as its topic.
func (e *example) read(d *apiv1.DescribeJobResponse) (n int64) {
	return platformtest.Count(d, func(task *apiv1.TaskDescription) int64 {
		if _, first := e.first[task.VertexId]; first || task.VertexId == e.topic {
			return task.Progress.GetRecordsIn()
		}
		return 0
	})
}

// busy returns a task manager that has a task.
func (e *example) busy(ctx context.Context, r platformtest.Running) int {
	r.T.Helper()
	for _, task := range r.Describe(ctx).Tasks {
		var n int
		if _, err := fmt.Sscanf(task.TaskManagerId, "tm-%d", &n); err == nil {
			return n - 1
		}
	}
	r.T.Fatal("no task manager has a task")
	return 0
}

// compare compares records as sets with repetitions.
func compare(t *testing.T, topic string, want []string, got []json.RawMessage) {
	t.Helper()
	count := make(map[string]int)
	for _, w := range want {
		count[canonical(t, w)]++
	}
	for _, g := range got {
		count[canonical(t, string(g))]--
	}
	wrong := 0
	for record, n := range count {
		if n == 0 {
			continue
		}
		if wrong++; wrong <= 5 {
			t.Errorf("%s: %s is there %d times too few", topic, record, n)
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d records are not as they should be", topic, wrong, len(want))
	}
}

// canonical is a record with its fields in order.
func canonical(t *testing.T, record string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(record), &fields); err != nil {
		t.Fatalf("%q: %v", record, err)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
