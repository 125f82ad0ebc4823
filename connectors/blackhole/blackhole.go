// Package blackhole is a sink that takes every row and keeps none. It measures
// what stands before it; the rows are counted as any sink's are.
//
// Rows of any schema and kind are taken. A program that wants to see them on
// their way out sets Watch.
package blackhole

import (
	"millrace/connectors"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// Name is the connector's name in a table's options.
const Name = "blackhole"

// Spec declares that there are no options.
var Spec = options.Spec{Name: Name}

// Factory makes black holes.
var Factory = connectors.SinkFactory{
	Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
	Open: func(given map[string]string, _ *types.Schema) (connectors.Sink, error) {
		if _, err := options.Parse(Spec, given); err != nil {
			return nil, err
		}
		return Sink{}, nil
	},
	Traits: func(options.Values) connectors.SinkTraits {
		return connectors.SinkTraits{Changelog: connectors.Retract}
	},
}

// Sink is a black hole. Watch, if set, is called with every batch before it is
// dropped, on the goroutine of the task that writes it, with the subtask; the
// batch is borrowed. It is for benchmarks and tests that check what came out.
type Sink struct {
	Watch func(subtask int32, b *stream.Batch) error
}

// Writer implements connectors.Sink.
func (s Sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return &writer{subtask: ctx.Subtask, watch: s.Watch}, nil
}

// Committer implements connectors.Sink: there is nothing to commit.
func (Sink) Committer(connectors.CommitterContext) (connectors.Committer, error) { return nil, nil }

// writer drops. What a task writes is counted by the task, in its metrics.
type writer struct {
	subtask int32
	watch   func(int32, *stream.Batch) error
}

// Ready implements connectors.Writer: always.
func (*writer) Ready() bool { return true }

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	if w.watch == nil {
		return nil
	}
	return w.watch(w.subtask, b)
}

// Prepare implements connectors.Writer.
func (*writer) Prepare(types.CheckpointID) error { return nil }

// Prepared implements connectors.Writer: at once, with nothing to commit.
func (*writer) Prepared(types.CheckpointID) ([][]byte, bool, error) { return nil, true, nil }

// CheckpointComplete implements connectors.Writer.
func (*writer) CheckpointComplete(types.CheckpointID) {}

// CheckpointAborted implements connectors.Writer.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer.
func (*writer) Close() error { return nil }
