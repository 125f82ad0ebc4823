package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"millrace/cmd/command/client"
	"millrace/cmd/command/progress"
	"millrace/cmd/command/standalone"
	"millrace/failure"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// DefaultBids is how many bids there are if nobody says.
const DefaultBids = 3_000_000

// bidsMax bounds what a broker inside the process has to hold in memory.
const bidsMax = 100_000_000

// Options say how the demo runs.
type Options struct {
	// Bids is about how many bids are generated.
	Bids int64
	// Out takes what is shown.
	Out io.Writer
	// Cluster runs the jobs; it has at least two task managers.
	Cluster *standalone.Standalone
}

// topics are those that the demo creates.
type topics struct{ in, out string }

// demo is one run.
type demo struct {
	Options
	topics  topics
	brokers string
	client  *client.Client
	screen  *progress.Screen
}

// Run runs the demo. Its error says that something went wrong, or that the result is not what the input demands; the
// details are on Out by then.
func Run(ctx context.Context, o Options) error {
	if o.Bids < bidsEpoch || o.Bids > bidsMax {
		return failure.Message{Field: "--bids", Primary: fmt.Sprintf("%d to %d are possible", bidsEpoch, bidsMax)}
	}
	d := &demo{
		Options: o, topics: topics{"bids", "bids-per-auction"}, brokers: o.Cluster.Brokers(),
		client: o.Cluster.Client(), screen: progress.NewScreen(o.Out),
	}
	defer d.screen.Close()
	if !o.Cluster.OwnsBroker() {
		// A broker that is somebody's keeps what earlier runs wrote.
		suffix := "-demo-" + strings.ToLower(rand.Text()[:8])
		d.topics = topics{d.topics.in + suffix, d.topics.out + suffix}
	}
	return d.run(ctx)
}

func (d *demo) run(ctx context.Context) error {
	count, err := countGraph(d.topics, d.brokers)
	if err != nil {
		return err
	}
	k, err := dial(d.brokers)
	if err != nil {
		return err
	}
	defer k.close()
	if err := k.create(ctx, tasks, d.topics.in, d.topics.out); err != nil {
		return err
	}
	d.screen.Say("\n1. generate about %d bids into topic %s, %d partitions\n", d.Bids, d.topics.in, tasks)
	filled, err := d.finish(ctx, fillGraph(count, d.topics, d.brokers, d.Bids), nil)
	if err != nil {
		return err
	}
	d.screen.Say("\n2. count them per auction and 10 s into topic %s, exactly once, and lose a task manager\n", d.topics.out)
	loss := &loss{demo: d}
	counted, err := d.finish(ctx, count, loss)
	if err != nil {
		return err
	}
	d.screen.Say("\n3. read both topics and compare every window\n")
	v, err := verify(ctx, k, d.topics)
	if err != nil {
		return err
	}
	return d.conclude(filled, counted, v, loss)
}

// finish runs a job to its end, which has to be FINISHED. The loss, if any, hears of every event.
func (d *demo) finish(ctx context.Context, g *jobgraph.Graph, l *loss) (*apiv1.DescribeJobResponse, error) {
	answer, err := d.client.Submit(ctx, g, false, rand.Text())
	if err != nil {
		return nil, fmt.Errorf("job %q: %w", g.Name, err)
	}
	job, err := d.client.Await(ctx, answer.JobId, func(e *apiv1.WatchJobResponse) error {
		if err := d.screen.See(e); err != nil {
			return err
		}
		return l.see(ctx, answer.JobId, e)
	})
	if err != nil {
		return nil, fmt.Errorf("job %q: %w", g.Name, err)
	}
	if job.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		return nil, failure.Internalf("job %q ended as %s: %s", g.Name, progress.StateName(job.Summary.State), job.Summary.Failure)
	}
	return job, nil
}

// loss takes a task manager away in the middle of a job and brings it back when the job has noticed.
type loss struct {
	demo       *demo
	completed  int
	victim     types.TaskManagerID
	back       bool
	checkpoint uint64 // the last one before the loss
}

// checkpointsBefore is how many checkpoints complete before the loss: the first makes output visible, so that there is
// some on either side.
const checkpointsBefore = 2

// see acts on an event of the job. A nil loss does nothing.
func (l *loss) see(ctx context.Context, job string, e *apiv1.WatchJobResponse) error {
	if l == nil {
		return nil
	}
	switch event := e.Event.(type) {
	case *apiv1.WatchJobResponse_CheckpointCompleted:
		l.completed++
		if l.completed == checkpointsBefore && l.victim == "" {
			l.checkpoint = event.CheckpointCompleted.CheckpointId
			return l.kill(ctx, job)
		}
	case *apiv1.WatchJobResponse_Restarted:
		return l.restore()
	case *apiv1.WatchJobResponse_State:
		if s := event.State.State; s == apiv1.JobState_JOB_STATE_RESTARTING || s == apiv1.JobState_JOB_STATE_WAITING_FOR_RESOURCES {
			return l.restore()
		}
	}
	return nil
}

// kill ends the task manager on which the job's first task runs.
func (l *loss) kill(ctx context.Context, job string) error {
	d, err := l.demo.client.Describe(ctx, job)
	if err != nil {
		return err
	}
	if client.Ended(d.Summary.State) || len(d.Tasks) == 0 {
		return nil
	}
	l.victim = types.TaskManagerID(d.Tasks[0].TaskManagerId)
	l.demo.screen.Say("   checkpoint %d is complete: task manager %s ends without goodbye", l.checkpoint, l.victim)
	if err := l.demo.Cluster.KillTaskManager(l.victim); err != nil {
		return fmt.Errorf("end task manager %s: %w", l.victim, err)
	}
	return nil
}

// restore brings the task manager back, once.
func (l *loss) restore() error {
	if l.victim == "" || l.back {
		return nil
	}
	l.back = true
	l.demo.screen.Say("   the job has noticed; task manager %s comes back", l.victim)
	return l.demo.Cluster.StartTaskManager(l.victim)
}

// conclude prints the summary and returns what is wrong with it.
func (d *demo) conclude(filled, counted *apiv1.DescribeJobResponse, v *verification, l *loss) error {
	d.screen.Close()
	fmt.Fprint(d.Out, summary(filled, counted, v))
	var wrong []error
	if !v.ok() {
		wrong = append(wrong, failure.Internalf("the output is not what the input demands: %s", v.complaint()))
	}
	if l.victim == "" || counted.Summary.Restarts == 0 {
		wrong = append(wrong, failure.Internalf("the job was over before a task manager could be lost; try more with --bids"))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	fmt.Fprint(d.Out, next)
	return nil
}
