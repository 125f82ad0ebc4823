package cluster

import (
	"log/slog"
	"os"

	"millrace/blobstore"
	"millrace/connectors"
	"millrace/connectors/blackhole"
	"millrace/connectors/collect"
	"millrace/connectors/datagen"
	"millrace/connectors/files"
	"millrace/connectors/kafka"
	"millrace/connectors/nexmark"
	"millrace/connectors/print"
	"millrace/connectors/values"
	"millrace/expr"
	"millrace/failure"
	"millrace/formats"
	"millrace/formats/csv"
	"millrace/formats/json"
	"millrace/formats/raw"
	"millrace/internal/invariant"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/operators/calc"
	"millrace/operators/changelog"
	"millrace/operators/correlate"
	"millrace/operators/expand"
	"millrace/operators/join"
	"millrace/operators/native"
	"millrace/operators/over"
	"millrace/operators/rank"
	"millrace/operators/sort"
	"millrace/operators/union"
	"millrace/operators/window"
	"millrace/options"
	"millrace/types"
)

// Wiring has everything that jobs may name, by its name. It is made once and
// not changed after use began.
type Wiring struct {
	Operators  *operators.Registry
	Connectors *connectors.Registry
	Functions  *expr.Registry

	kafka   *kafka.Connector
	collect *collect.Connector
}

// NewWiring names every implementation. The log takes what connectors have to
// say that no error carries; nil discards it.
func NewWiring(log *slog.Logger) *Wiring {
	w := &Wiring{Operators: &operators.Registry{}, Connectors: &connectors.Registry{}, Functions: expr.Builtins()}
	w.use(nexmark.CountChar())
	calc.Register(w.Operators, w.Functions)
	window.Register(w.Operators)
	aggregate.Register(w.Operators)
	over.Register(w.Operators)
	expand.Register(w.Operators)
	union.Register(w.Operators)
	rank.Register(w.Operators)
	sort.Register(w.Operators)
	changelog.Register(w.Operators, w.Functions)
	join.Register(w.Operators, w.Functions, w.lookup)
	native.Register(w.Operators)
	correlate.Register(w.Operators, w.Functions, nil)
	known := knownFormats()
	w.kafka = &kafka.Connector{Formats: known, Log: log}
	w.kafka.Register(w.Connectors)
	(&files.Connector{Formats: known}).Register(w.Connectors)
	w.Connectors.RegisterSource(datagen.Name, datagen.Factory)
	w.Connectors.RegisterSource(nexmark.Name, nexmark.Factory)
	w.Connectors.RegisterSource(values.Name, values.Factory)
	w.Connectors.RegisterSink(blackhole.Name, blackhole.Factory)
	w.Connectors.RegisterSink(print.Name, print.Factory(os.Stdout, os.Stderr))
	w.collect = &collect.Connector{}
	w.collect.Register(w.Connectors)
	return w
}

// use adds a function that is not built in. Its name is taken by no other.
func (w *Wiring) use(s expr.Signature) {
	if err := w.Functions.Register(s); err != nil {
		_ = invariant.Failedf("%v", err)
	}
}

// UseStore gives connectors that need it the cluster's blob store, once it is open and
// before a job runs.
func (w *Wiring) UseStore(store blobstore.Store) { w.collect.UseStore(store) }

const (
	jsonPrefix = "json."
	csvPrefix  = "csv."
)

func knownFormats() formats.Registry {
	return formats.Registry{
		"json": {
			Options: json.Spec.Prefixed(jsonPrefix),
			Fields:  true,
			Decoder: func(s *types.Schema, v options.Values) (formats.Decoder, error) {
				return json.NewDecoder(s, json.OptionsOf(v, jsonPrefix))
			},
			Encoder: func(s *types.Schema, v options.Values) (formats.Encoder, error) {
				return json.NewEncoder(s, json.OptionsOf(v, jsonPrefix))
			},
		},
		"csv": {
			Options: csv.Spec.Prefixed(csvPrefix),
			Columns: csvPrefix + csv.Columns,
			Decoder: func(s *types.Schema, v options.Values) (formats.Decoder, error) {
				o, err := csv.OptionsOf(v, csvPrefix)
				if err != nil {
					return nil, err
				}
				return csv.NewDecoder(s, o)
			},
			Encoder: func(s *types.Schema, v options.Values) (formats.Encoder, error) {
				o, err := csv.OptionsOf(v, csvPrefix)
				if err != nil {
					return nil, err
				}
				return csv.NewEncoder(s, o)
			},
		},
		"raw": {
			Decoder: func(s *types.Schema, _ options.Values) (formats.Decoder, error) { return raw.NewDecoder(s) },
			Encoder: func(s *types.Schema, _ options.Values) (formats.Encoder, error) { return raw.NewEncoder(s) },
		},
	}
}

// lookup opens the table of a lookup join.
func (w *Wiring) lookup(t *jobgraph.LookupTable) (operators.LookupSource, error) {
	return w.Connectors.Lookup(t.Connector, t.Options, t.Schema)
}

// Known returns the wiring as what graphs are checked against.
func (w *Wiring) Known() jobgraph.Known { return known{w} }

// known implements jobgraph.Known.
type known struct{ w *Wiring }

func (k known) Sources() []string                  { return k.w.Connectors.Sources() }
func (k known) Sinks() []string                    { return k.w.Connectors.Sinks() }
func (k known) Operators() []jobgraph.OperatorKind { return k.w.Operators.Kinds() }
func (k known) Functions() *expr.Registry          { return k.w.Functions }

func (k known) Lookups() []string { return k.w.Connectors.Lookups() }

func (k known) CheckLookup(t *jobgraph.LookupTable) error {
	_, err := k.w.lookup(t)
	return err
}

func (k known) CheckSource(s *jobgraph.SourceSpec) error {
	_, err := k.w.Connectors.Source(s.Connector, s.Options, s.Schema)
	return err
}

func (k known) CheckSink(s *jobgraph.SinkSpec, in *types.Schema) error {
	_, err := k.w.Connectors.Sink(s, in)
	return err
}

// CheckJob refuses jobs whose exactly-once sinks can't keep their promise in
// the time that they have, and those of more than one query's results.
func (w *Wiring) CheckJob(g *jobgraph.Graph) error {
	var problems failure.Problems
	collects := 0
	for i := range g.Vertices {
		v := &g.Vertices[i]
		if v.Sink == nil {
			continue
		}
		var of failure.Problems
		switch v.Sink.Connector {
		case kafka.Name:
			of.AddError(w.kafka.CheckBudget(g.Checkpoint, v.Sink.Options))
		case collect.Name:
			if collects++; collects > 1 {
				of.Addf("", "sink.connector", "a second sink %s: whoever fetches the results of a job fetches those of one", collect.Name)
			}
		}
		of.Within(string(v.ID))
		problems.AddError(of.Err())
	}
	return problems.Err()
}
