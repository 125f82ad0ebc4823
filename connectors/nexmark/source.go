package nexmark

import (
	"context"
	"fmt"
	"sync"

	"millrace/connectors"
	"millrace/options"
	"millrace/types"
)

// Factory makes Nexmark sources.
var Factory = connectors.SourceFactory{
	Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
	Open: func(given map[string]string, schema *types.Schema) (connectors.Source, error) {
		return Open(given, schema)
	},
	Traits: func(v options.Values) connectors.SourceTraits {
		return connectors.SourceTraits{Fields: true, Bounded: (v.Int("events.num") > 0 || v.Int("stop-at") >= 0) && !v.Bool("keep-alive")}
	},
}

// Source is an opened source.
type Source struct {
	config *config
	// plain and text make events without and with texts; what they are made of
	// is shared by all readers of a process.
	plain, text func() *generator
}

// Open checks the options and that the source can give every column. It
// reports all problems at once, as an error of the user.
func Open(given map[string]string, schema *types.Schema) (*Source, error) {
	c, err := parseConfig(given)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	if _, err := newPlan(c.only, schema); err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return newSource(c), nil
}

func newSource(c *config) *Source {
	return &Source{
		config: c,
		plain:  sync.OnceValue(func() *generator { return newGenerator(c, false) }),
		text:   sync.OnceValue(func() *generator { return newGenerator(c, true) }),
	}
}

func (s *Source) generator(p *plan) *generator {
	if p.text {
		return s.text()
	}
	return s.plain()
}

// Reader implements connectors.Source.
func (s *Source) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	return newReader(s, ctx)
}

// Enumerator implements connectors.Source.
func (s *Source) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return &enumerator{config: s.config, ctx: ctx}, nil
}

// enumerator assigns all splits at the start; nothing changes afterwards.
type enumerator struct {
	config *config
	ctx    connectors.EnumeratorContext
	origin origin
}

// Start implements connectors.Enumerator.
func (e *enumerator) Start(context.Context) ([]connectors.Assignment, error) {
	if err := e.resolve(); err != nil {
		return nil, err
	}
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) {
		for i := range e.origin.splits {
			s := e.origin.first(i, e.config.total)
			if !yield(s.state()) {
				return
			}
		}
	}), nil
}

// resolve settles what a new job begins with, or restores it.
func (e *enumerator) resolve() (err error) {
	if e.ctx.Restored != nil {
		e.origin, err = decodeOrigin(e.ctx.Restored)
		return err
	}
	e.origin = origin{splits: int64(e.config.splits), start: e.ctx.Clock.NowMillis(), base: e.config.base}
	if e.origin.splits == 0 {
		e.origin.splits = int64(e.ctx.Parallelism)
	}
	if e.config.baseNow {
		e.origin.base = e.origin.start
	}
	return nil
}

// Discover implements connectors.Enumerator.
func (*enumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }

// DiscoveryInterval implements connectors.Enumerator: never.
func (*enumerator) DiscoveryInterval() int64 { return 0 }

// Snapshot implements connectors.Enumerator.
func (e *enumerator) Snapshot() ([]byte, error) { return e.origin.encode(), nil }

// Close implements connectors.Enumerator.
func (*enumerator) Close() error { return nil }
