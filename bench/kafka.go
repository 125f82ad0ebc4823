package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/internal/testutil/realkafka"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

const (
	inTopic  = "bids"
	outTopic = "bids-per-auction"
	// partitions of both topics.
	partitions = 2
	// kafkaRate is the events a second of event time of the topic's bids.
	kafkaRate = 100_000
)

// measureKafka runs the main job over a topic of a real broker: JSON in, an
// exactly-once sink out. The broker is a process of its own, whose CPU does not
// count; the topic is filled before the clock starts, and what the job wrote is
// read back, read_committed, and compared.
func (r run) measureKafka(ctx context.Context) (line, error) {
	dir, broker, end, err := launch(ctx, inTopic, outTopic)
	if err != nil {
		return nil, err
	}
	defer end()
	job := &measuredJob{run: r, sink: &checkedSink{}}
	if err := job.executeKafka(ctx, dir, broker.Addr()); err != nil {
		return nil, err
	}
	want, err := r.expectedWhole(ctx)
	if err != nil {
		return nil, fmt.Errorf("direct computation: %w", err)
	}
	if err := job.sink.compare(want); err != nil {
		return nil, err
	}
	out := job.result(ctx)
	out.Scenario = "kafka-json"
	return out, nil
}

// launch starts a broker with topics, in a folder that end removes with it.
func launch(ctx context.Context, topics ...string) (dir string, broker *realkafka.Broker, end func(), err error) {
	if dir, err = os.MkdirTemp("", "millrace-bench-"); err != nil {
		return "", nil, nil, err
	}
	if broker, err = realkafka.Launch(ctx, filepath.Join(dir, "kafka")); err != nil {
		return "", nil, nil, errors.Join(fmt.Errorf("start the broker: %w", err), os.RemoveAll(dir))
	}
	end = func() {
		broker.Close()
		_ = os.RemoveAll(dir)
	}
	for _, topic := range topics {
		if err := broker.CreateTopic(ctx, topic, partitions); err != nil {
			end()
			return "", nil, nil, err
		}
	}
	return dir, broker, end, nil
}

// executeKafka fills the topic, runs the measured job, and reads its output back.
func (j *measuredJob) executeKafka(ctx context.Context, dir, brokers string) (err error) {
	wiring := cluster.NewWiring(nil)
	wiring.Connectors.RegisterSink(checkedConnector, j.sink.factory())
	c, err := cluster.Start(ctx, cluster.Options{Dir: filepath.Join(dir, "cluster"), Wiring: wiring, Slots: j.parallelism})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	jobs := client.Over(c.Jobs())
	ignore := func(*apiv1.WatchJobResponse) error { return nil }
	if err := runJob(ctx, jobs, j.fill(brokers), ignore); err != nil {
		return fmt.Errorf("fill the topic: %w", err)
	}
	if err := j.startProfile(); err != nil {
		return err
	}
	runtime.GC()
	j.start = usageNow()
	err = runJob(ctx, jobs, j.overKafka(brokers), j.see)
	j.end = usageNow()
	if j.profile != "" {
		pprof.StopCPUProfile()
	}
	if err != nil {
		return err
	}
	if err := runJob(ctx, jobs, j.readBack(brokers, outTopic), ignore); err != nil {
		return fmt.Errorf("read the output: %w", err)
	}
	return nil
}

// runJob runs a job to its end.
func runJob(ctx context.Context, jobs *client.Client, g *jobgraph.Graph, see func(*apiv1.WatchJobResponse) error) error {
	submitted, err := jobs.Submit(ctx, g, false, g.Name)
	if err != nil {
		return err
	}
	last, err := jobs.Await(ctx, submitted.JobId, see)
	if err == nil && last.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		err = fmt.Errorf("job %s ended as %s: %s", g.Name, last.Summary.State, last.Summary.Failure)
	}
	return err
}

// whole returns the options of the generator for every bid of the run.
func (r run) whole() map[string]string {
	return map[string]string{
		"event-type": "bid", "events.num": strconv.FormatInt(r.events(), 10), "first-event.rate": strconv.FormatInt(kafkaRate, 10),
	}
}

func kafkaOptions(brokers, topic string, more map[string]string) map[string]string {
	o := map[string]string{"topic": topic, "properties.bootstrap.servers": brokers, "format": "json"}
	maps.Copy(o, more)
	return o
}

// fill generates the bids. One task writes, so that each partition is in the
// order of event time.
func (r run) fill(brokers string) *jobgraph.Graph {
	return &jobgraph.Graph{
		Name: "fill", Parallelism: 1, Restart: jobgraph.RestartSpec{Strategy: jobgraph.RestartNone},
		Vertices: []jobgraph.Vertex{{
			ID: "fill", Source: &jobgraph.SourceSpec{UID: "generator", Connector: "nexmark", Options: r.whole(), Schema: bidSchema},
			Sink: &jobgraph.SinkSpec{UID: "topic", Connector: "kafka", Options: kafkaOptions(brokers, inTopic, map[string]string{
				"sink.delivery-guarantee": "at-least-once",
			})},
		}},
	}
}

// overKafka is the main job with the topic in the place of the prepared bids.
func (r run) overKafka(brokers string) *jobgraph.Graph {
	g := r.graph()
	source := g.Vertices[0].Source
	source.Connector = "kafka"
	source.Options = kafkaOptions(brokers, inTopic, map[string]string{
		"scan.startup.mode": "earliest-offset", "scan.bounded.mode": "latest-offset",
	})
	g.Vertices[1].Sink = &jobgraph.SinkSpec{UID: "sink", Connector: "kafka", Options: kafkaOptions(brokers, outTopic, map[string]string{
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "bench",
	})}
	return g
}

// readBack gives what the job committed to the checked sink.
func (r run) readBack(brokers, topic string) *jobgraph.Graph {
	number, at := types.Of(types.BigInt), types.TimestampOf(3)
	schema := types.NewSchema(
		types.Field{Name: "auction", Type: number}, types.Field{Name: jobgraph.WindowStart, Type: at},
		types.Field{Name: jobgraph.WindowEnd, Type: at}, types.Field{Name: "bids", Type: number},
		types.Field{Name: "total", Type: number}, types.Field{Name: "highest", Type: number})
	return &jobgraph.Graph{
		Name: "read back " + topic, Parallelism: 1, Restart: jobgraph.RestartSpec{Strategy: jobgraph.RestartNone},
		Vertices: []jobgraph.Vertex{{
			ID: "output", Source: &jobgraph.SourceSpec{
				UID: "topic", Connector: "kafka", Schema: schema, Options: kafkaOptions(brokers, topic, map[string]string{
					"scan.startup.mode": "earliest-offset", "scan.bounded.mode": "latest-offset",
				}),
			},
			Sink: &jobgraph.SinkSpec{UID: "check", Connector: checkedConnector},
		}},
	}
}

// expectedWhole computes the answer directly from the generator.
func (r run) expectedWhole(ctx context.Context) (answer, error) {
	b, err := readBids(ctx, r.whole())
	if err != nil {
		return answer{}, err
	}
	w := newWindows(b)
	w.fold(b, len(b.auction), 0)
	w.flush()
	return w.answer, nil
}

// startProfile begins the CPU profile that was asked for.
func (j *measuredJob) startProfile() error {
	if j.profile == "" {
		return nil
	}
	return startProfile(j.profile)
}

func startProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}
