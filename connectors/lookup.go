package connectors

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/operators"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// LookupFactory makes tables that rows are looked up in from their options.
type LookupFactory struct {
	Options func(given map[string]string) (options.Spec, error)
	// Open checks the options and the schema, without reaching out.
	Open func(given map[string]string, schema *types.Schema) (operators.LookupSource, error)
}

// LookupCache is the option of a lookup that says what is kept of the table, as in Flink.
var LookupCache = options.Option{
	Key: "lookup.cache", Type: options.Enum, Values: []string{lookupFull}, Default: lookupFull,
	Doc: "What a task keeps of a table in which rows are looked up: FULL reads all of it when the task starts and looks at it no more.",
}

const lookupFull = "FULL"

// FullLookup returns the factory of lookups that read all of a bounded source.
func FullLookup(f SourceFactory) LookupFactory {
	spec := func(given map[string]string) (options.Spec, error) {
		s, err := f.Options(given)
		return options.Join(s.Name, s, options.Spec{Options: []options.Option{LookupCache}}), err
	}
	return LookupFactory{Options: spec, Open: func(given map[string]string, schema *types.Schema) (operators.LookupSource, error) {
		s, err := spec(given)
		if err != nil {
			return nil, err
		}
		if _, err := options.Parse(s, given); err != nil {
			return nil, err
		}
		own := maps.Clone(given)
		delete(own, LookupCache.Key)
		source, err := f.Open(own, schema)
		if err != nil {
			return nil, err
		}
		return &fullLookup{name: s.Name, source: source, schema: schema}, nil
	}}
}

// fullLookup reads a bounded source from its beginning to its end.
type fullLookup struct {
	name   string
	source Source
	schema *types.Schema
}

// Load implements operators.LookupSource.
func (l *fullLookup) Load(pool *stream.Pool, take func(*stream.Batch) error) error {
	if err := l.load(pool, take); err != nil {
		return fmt.Errorf("lookup table of connector %s: %w", l.name, err)
	}
	return nil
}

func (l *fullLookup) load(pool *stream.Pool, take func(*stream.Batch) error) (err error) {
	splits, err := l.splits()
	if err != nil {
		return err
	}
	wake := make(chan struct{}, 1)
	r, err := l.source.Reader(ReaderContext{
		Identity: Identity{Parallelism: 1}, Schema: l.schema, Pool: pool, Clock: clock.System(), RowsMax: stream.RowsMax, Metrics: &metrics.Task{},
		Waker: exchange.WakerFunc(func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		}),
	})
	if err != nil {
		return err
	}
	defer func() {
		if closed := r.Close(); err == nil {
			err = closed
		}
	}()
	if err := r.Assign(splits); err != nil {
		return err
	}
	r.NoMoreSplits()
	for {
		b, status, err := r.Read()
		if err != nil {
			return err
		}
		if b != nil {
			err = take(b)
			b.Release()
		}
		switch {
		case err != nil:
			return err
		case status == Done:
			return nil
		case status == Dry:
			<-wake
		}
	}
}

// splits returns all there are.
func (l *fullLookup) splits() (splits []SplitState, err error) {
	e, err := l.source.Enumerator(EnumeratorContext{Identity: Identity{Parallelism: 1}, Clock: clock.System()})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := e.Close(); err == nil {
			err = closed
		}
	}()
	assigned, err := e.Start(context.Background())
	for _, a := range assigned {
		splits = append(splits, a.Splits...)
	}
	return splits, err
}

// RegisterLookup adds a connector whose tables rows are looked up in. Adding a name twice panics.
func (r *Registry) RegisterLookup(name string, f LookupFactory) {
	if r.lookups == nil {
		r.lookups = make(map[string]LookupFactory)
	}
	if _, ok := r.lookups[name]; ok {
		panic(fmt.Sprintf("connectors: lookup %s registered twice", name))
	}
	r.lookups[name] = f
}

// Lookups returns the names of the connectors whose tables rows are looked up in, sorted.
func (r *Registry) Lookups() []string { return slices.Sorted(maps.Keys(r.lookups)) }

// Lookup opens a table in which rows are looked up.
func (r *Registry) Lookup(connector string, given map[string]string, schema *types.Schema) (operators.LookupSource, error) {
	f, ok := r.lookups[connector]
	if !ok {
		return nil, failure.Userf("no connector named %q has tables to look rows up in", connector)
	}
	return f.Open(given, schema)
}
