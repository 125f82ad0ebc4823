package window

import (
	"millrace/internal/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/stream"
	"millrace/types"
)

// local is the first phase of a window aggregate. A namespace is a window's end.
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
	if spec.Partial || spec.LateOutput {
		return nil, failure.Userf("local aggregate %s: it takes raw rows and has no side output", o.UID)
	}
	l := &local{spec: spec}
	l.Local = aggregate.NewLocal(aggregate.Phase{Keys: spec.Keys, Calls: spec.Aggregates, Spaces: l})
	return l, nil
}

// Open checks the time column.
func (l *local) Open(ctx *operators.Context) error {
	in := ctx.Inputs[0]
	if err := checkTime(l.spec, in); err != nil {
		return failure.Userf("local aggregate %s: %w", ctx.Operator, err)
	}
	l.splitter = newSplitter(l.spec, l.spec.Time, in.Fields[l.spec.Time].Name, false)
	return l.Local.Open(ctx)
}

// Split returns the windows of a batch; late rows are late behind the exchange.
func (l *local) Split(b *stream.Batch) ([]aggregate.Group, error) {
	groups, _, err := l.splitter.split(b, stream.NoWatermark)
	return groups, err
}

// Column returns the end of the window of every row.
func (l *local) Column(pool *stream.Pool, b *stream.Batch, t types.Type) stream.Vector {
	v := stream.NewFixed(pool, t, b.Len())
	out := stream.Values[int64](&v)
	times := &b.Columns[l.spec.Time]
	end := l.splitter.end(0)
	for i := range b.Rows() {
		row := b.Row(i)
		x := stream.Value[int64](times, row)
		if x >= end || x < end-l.splitter.size {
			end = l.splitter.end(x)
		}
		out[row] = end
	}
	return v
}

// Closes tells whether a watermark closes the window that ends then.
func (l *local) Closes(w stream.Watermark, end int64) bool { return stream.Watermark(end-1) <= w }
