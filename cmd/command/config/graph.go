package config

import (
	"maps"

	"millrace/catalog"
	"millrace/jobgraph"
)

// brokersOption is the option by which Kafka sources and sinks name their brokers.
const (
	kafka         = "kafka"
	brokersOption = "properties.bootstrap.servers"
)

// Complete returns the graph with the configuration's defaults wherever it leaves something open: parallelism, brokers,
// and checkpoints and restarts if it says nothing about them at all. The given graph stays as it is.
func (c Config) Complete(g *jobgraph.Graph) *jobgraph.Graph {
	out := *g
	if out.Parallelism == 0 {
		out.Parallelism = int(c.Int(Parallelism))
	}
	if out.MaxParallelism == 0 {
		out.MaxParallelism = int(c.Int(MaxParallelism))
	}
	if out.WatermarkInterval == 0 {
		out.WatermarkInterval = c.Duration(WatermarkEvery)
	}
	if out.BufferTimeout == 0 {
		out.BufferTimeout = c.Duration(BufferTimeout)
	}
	if out.Checkpoint == (jobgraph.CheckpointSpec{}) {
		out.Checkpoint = c.checkpoint()
	}
	if out.Restart == (jobgraph.RestartSpec{}) {
		out.Restart = c.restart()
	}
	return WithBrokers(&out, c.Text(Brokers))
}

func (c Config) checkpoint() jobgraph.CheckpointSpec {
	out := jobgraph.CheckpointSpec{
		Interval: c.Duration(Interval), MinPause: c.Duration(MinPause), Timeout: c.Duration(Timeout),
		TolerableFailures: int(c.Int(Tolerable)), Retained: int(c.Int(Retained)), Unaligned: c.Bool(Unaligned),
	}
	if out.Unaligned {
		out.AlignedTimeout = c.Duration(AlignedTimeout)
	}
	return out
}

func (c Config) restart() jobgraph.RestartSpec {
	switch c.Text(Restart) {
	case RestartFixed:
		return jobgraph.RestartSpec{
			Strategy: jobgraph.RestartFixedDelay, Attempts: int(c.Int(FixedAttempts)), Delay: c.Duration(FixedDelay),
		}
	case RestartNone:
		return jobgraph.RestartSpec{Strategy: jobgraph.RestartNone}
	}
	return jobgraph.RestartSpec{
		Strategy: jobgraph.RestartExponentialDelay, Attempts: int(c.Int(BackoffAttempts)), Delay: c.Duration(InitialBackoff),
		MaxDelay: c.Duration(MaxBackoff), ResetThreshold: c.Duration(BackoffReset),
	}
}

// WithBrokers returns the graph with these brokers in the Kafka sources and sinks that name none. The given graph stays
// as it is.
func WithBrokers(g *jobgraph.Graph, brokers string) *jobgraph.Graph {
	if brokers == "" {
		return g
	}
	out := *g
	out.Vertices = append([]jobgraph.Vertex(nil), g.Vertices...)
	for i := range out.Vertices {
		v := &out.Vertices[i]
		if v.Source != nil && v.Source.Connector == kafka {
			source := *v.Source
			source.Options = withDefault(source.Options, brokersOption, brokers)
			v.Source = &source
		}
		if v.Sink != nil && v.Sink.Connector == kafka {
			sink := *v.Sink
			sink.Options = withDefault(sink.Options, brokersOption, brokers)
			v.Sink = &sink
		}
	}
	return &out
}

func withDefault(given map[string]string, key, value string) map[string]string {
	if _, ok := given[key]; ok {
		return given
	}
	out := maps.Clone(given)
	if out == nil {
		out = map[string]string{}
	}
	out[key] = value
	return out
}

// KafkaDefaults returns connectors that take tables of Kafka without brokers for tables of these, as WithBrokers does with graphs.
func KafkaDefaults(of catalog.Connectors, brokers string) catalog.Connectors {
	if brokers == "" {
		return of
	}
	return withBrokers{of, brokers}
}

type withBrokers struct {
	catalog.Connectors
	brokers string
}

func (w withBrokers) table(t *catalog.Table) *catalog.Table {
	if t.Options["connector"] != kafka {
		return t
	}
	out := *t
	out.Options = withDefault(t.Options, brokersOption, w.brokers)
	return &out
}

// Source implements catalog.Connectors.
func (w withBrokers) Source(t *catalog.Table) (catalog.SourceTraits, error) {
	return w.Connectors.Source(w.table(t))
}

// Sink implements catalog.Connectors.
func (w withBrokers) Sink(t *catalog.Table) (catalog.SinkTraits, error) {
	return w.Connectors.Sink(w.table(t))
}
