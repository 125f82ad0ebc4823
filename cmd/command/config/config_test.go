package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/command/config"
	"millrace/jobgraph"
)

func TestSpecIsValid(t *testing.T) {
	if err := config.Spec.Validate(); err != nil {
		t.Error(err)
	}
}

func load(t *testing.T, dynamic ...string) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Dynamic: dynamic})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompleteFillsWhatIsOpen(t *testing.T) {
	c := load(t, "parallelism.default=4", "pipeline.max-parallelism=256", "execution.checkpointing.interval=2 s",
		"execution.checkpointing.num-retained=5", "restart-strategy.type=fixed-delay", "restart-strategy.fixed-delay.attempts=7",
		"restart-strategy.fixed-delay.delay=1 min", "kafka.bootstrap.servers=b:1")
	open := &jobgraph.Graph{Vertices: []jobgraph.Vertex{{
		Source: &jobgraph.SourceSpec{Connector: "kafka", Options: map[string]string{"topic": "t"}},
		Sink:   &jobgraph.SinkSpec{Connector: "print"},
	}}}
	want := &jobgraph.Graph{
		Parallelism: 4, MaxParallelism: 256,
		Checkpoint: jobgraph.CheckpointSpec{Interval: 2 * time.Second, Retained: 5},
		Restart:    jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 7, Delay: time.Minute},
		Vertices: []jobgraph.Vertex{{
			Source: &jobgraph.SourceSpec{Connector: "kafka", Options: map[string]string{"topic": "t", "properties.bootstrap.servers": "b:1"}},
			Sink:   &jobgraph.SinkSpec{Connector: "print"},
		}},
	}
	if diff := cmp.Diff(want, c.Complete(open)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(open.Vertices[0].Source.Options) != 1 || open.Parallelism != 0 {
		t.Error("the given graph was changed")
	}
}

func TestCompleteLeavesWhatIsSaid(t *testing.T) {
	c := load(t, "parallelism.default=4", "restart-strategy.type=none", "kafka.bootstrap.servers=b:1")
	said := &jobgraph.Graph{
		Parallelism: 2, Checkpoint: jobgraph.CheckpointSpec{Timeout: time.Second}, Restart: jobgraph.RestartSpec{Attempts: 3},
		Vertices: []jobgraph.Vertex{{Sink: &jobgraph.SinkSpec{
			Connector: "kafka", Options: map[string]string{"properties.bootstrap.servers": "own:1"},
		}}},
	}
	if diff := cmp.Diff(said, c.Complete(said)); diff != "" {
		t.Errorf("-said +got:\n%s", diff)
	}
}

func TestAddressesBeyondLoopback(t *testing.T) {
	cases := map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "localhost": true,
		"0.0.0.0": false, "": false, "::": false, "10.0.0.1": false, "localhost.example.org": false, "127.0.0.1.example.org": false,
	}
	for host, allowed := range cases {
		for _, insecure := range []string{"false", "true"} {
			c := load(t, "rest.bind-address="+host, "security.insecure-bind="+insecure)
			if _, err := c.ServeAddress(); (err == nil) != (allowed || insecure == "true") {
				t.Errorf("bind %q, insecure-bind %s: %v", host, insecure, err)
			}
		}
	}
}

func TestCheckpointPlace(t *testing.T) {
	for _, place := range []string{"", "/var/x", "x/y", "file:///var/x", "s3://bucket/prefix?region=x"} {
		for _, key := range []string{"execution.checkpointing.dir=", "state.checkpoints.dir="} {
			if got, err := load(t, key+place).CheckpointPlace(); err != nil || got != place {
				t.Errorf("%s%s is %q, %v", key, place, got, err)
			}
		}
	}
	if got, err := load(t, "execution.checkpointing.dir=hdfs://x").CheckpointPlace(); err == nil {
		t.Errorf("hdfs is taken as %q", got)
	}
}
