package window

import (
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/stream"
	"millrace/types"
)

// local is the first phase of a window aggregate. A namespace is the
// end of a pane.
type local struct {
	*aggregate.Local
	spec     *jobgraph.WindowAggregateSpec
	splitter splitter
}

// NewLocal makes a local aggregate. It is an operators.Factory.
func NewLocal(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := (*jobgraph.WindowAggregateSpec)(o.Body.(*jobgraph.LocalAggregateSpec))
	if err := checkSpec(spec); err != nil {
		return nil, failure.Userf("local aggregate %s: %w", o.UID, err)
	}
	if spec.Partial || spec.LateOutput || spec.Window.Processing || spec.Window.Kind > jobgraph.Cumulating {
		return nil, failure.Userf("local aggregate %s: it takes raw rows of windows in event time, and has no side output", o.UID)
	}
	l := &local{spec: spec}
	l.Local = aggregate.NewLocal(aggregate.Phase{Keys: spec.Keys, Calls: spec.Aggregates, Spaces: l})
	return l, nil
}

// Open checks the time column.
func (l *local) Open(ctx *operators.Context) error {
	in := ctx.Inputs[0]
	err := checkTime(l.spec, in)
	if err == nil {
		l.splitter, err = newSplitter(&l.spec.Window, l.spec.Time, in, nil)
	}
	if err != nil {
		return failure.Userf("local aggregate %s: %w", ctx.Operator, err)
	}
	return l.Local.Open(ctx)
}

// Split returns the panes of a batch; late rows are late behind the exchange.
func (l *local) Split(b *stream.Batch) ([]aggregate.Group, error) {
	groups, _, err := l.splitter.split(b, stream.NoWatermark, 0)
	return groups, err
}

// Column returns the end of the pane of every row.
func (l *local) Column(pool *stream.Pool, b *stream.Batch, t types.Type) stream.Vector {
	v := stream.NewFixed(pool, t, b.Len())
	out := stream.Values[int64](&v)
	times := &b.Columns[l.spec.Time]
	end := l.splitter.End(0)
	for i := range b.Rows() {
		row := b.Row(i)
		x := l.splitter.local(stream.Value[int64](times, row))
		if x >= end || x < end-l.splitter.pane {
			end = l.splitter.End(x)
		}
		out[row] = end
	}
	return v
}

// Closes tells whether a watermark closes a window that ends with the pane.
func (l *local) Closes(w stream.Watermark, end int64) bool {
	return stream.Watermark(end-1) <= l.splitter.zone.passed(w)
}
