package datagen

import (
	"context"
	"fmt"

	"millrace/connectors"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// Factory makes sources.
var Factory = connectors.SourceFactory{
	Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
	Open:    open,
	Traits:  traits,
}

// source implements connectors.Source.
type source struct {
	*config
}

func open(given map[string]string, schema *types.Schema) (connectors.Source, error) {
	c, err := parseConfig(given)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	s := &source{c}
	if _, _, err := s.columns(schema); err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return s, nil
}

// column is how a column is made.
type column struct {
	make maker
	salt uint64
}

// columns finds out how the columns of a schema are made, and about how many
// bytes a row has.
func (s *source) columns(schema *types.Schema) (_ []column, rowBytes int, err error) {
	p := planner{fields: s.fields, times: 1}
	if err := schema.Validate(); err != nil {
		p.problems.AddError(err)
	}
	columns := make([]column, schema.Len())
	for i, f := range schema.Fields {
		columns[i] = column{make: p.maker(f.Name, f.Type), salt: saltOf(s.seed, f.Name)}
	}
	if p.bytes > stream.RowBytesMax {
		p.problems.Addf("", keyFields, "a row would have %d bytes, at most %d", p.bytes, stream.RowBytesMax)
	}
	return columns, p.bytes, p.problems.Err()
}

// Reader implements connectors.Source.
func (s *source) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	return newReader(s, ctx)
}

// Enumerator implements connectors.Source.
func (s *source) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return &enumerator{config: s.config, ctx: ctx}, nil
}

// enumerator assigns all splits at the start; nothing changes afterwards.
type enumerator struct {
	config *config
	ctx    connectors.EnumeratorContext
	origin origin
}

// Start implements connectors.Enumerator.
func (e *enumerator) Start(context.Context) (_ []connectors.Assignment, err error) {
	if e.ctx.Restored != nil {
		e.origin, err = decodeOrigin(e.ctx.Restored)
	} else {
		e.origin = origin{splits: int64(e.config.splits), start: e.ctx.Clock.NowMillis()}
		if e.origin.splits == 0 {
			e.origin.splits = int64(e.ctx.Parallelism)
		}
	}
	if err != nil {
		return nil, err
	}
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) {
		for i := range e.origin.splits {
			s := split{origin: e.origin, index: i, next: i}
			if !yield(s.state()) {
				return
			}
		}
	}), nil
}

// Discover implements connectors.Enumerator.
func (*enumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }

// DiscoveryInterval implements connectors.Enumerator: never.
func (*enumerator) DiscoveryInterval() int64 { return 0 }

// Snapshot implements connectors.Enumerator.
func (e *enumerator) Snapshot() ([]byte, error) { return e.origin.encode(), nil }

// Close implements connectors.Enumerator.
func (*enumerator) Close() error { return nil }
