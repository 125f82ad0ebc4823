package sim

import (
	"context"

	"millrace/checkpoint"
	"millrace/connectors"
	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend/columnar"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// known implements jobgraph.Known: what a job manager checks graphs against.
type known struct {
	operators  *operators.Registry
	connectors *connectors.Registry
}

func newKnown(p *process) known {
	ops, all := (&taskManager{process: p}).wiring()
	return known{ops, all}
}

// Sources implements jobgraph.Known.
func (k known) Sources() []string { return k.connectors.Sources() }

// Sinks implements jobgraph.Known.
func (k known) Sinks() []string { return k.connectors.Sinks() }

// Lookups implements jobgraph.Known.
func (k known) Lookups() []string { return k.connectors.Lookups() }

// Operators implements jobgraph.Known.
func (k known) Operators() []jobgraph.OperatorKind { return k.operators.Kinds() }

// Functions implements jobgraph.Known.
func (k known) Functions() *expr.Registry { return expr.Builtins() }

// CheckSource implements jobgraph.Known.
func (k known) CheckSource(s *jobgraph.SourceSpec) error {
	_, err := k.connectors.Source(s.Connector, s.Options, s.Schema)
	return err
}

// CheckSink implements jobgraph.Known.
func (k known) CheckSink(s *jobgraph.SinkSpec, in *types.Schema) error {
	_, err := k.connectors.Sink(s, in)
	return err
}

// CheckLookup implements jobgraph.Known.
func (k known) CheckLookup(t *jobgraph.LookupTable) error {
	_, err := k.connectors.Lookup(t.Connector, t.Options, t.Schema)
	return err
}

// tables implements jobmanager.Options.Tables as cmd/cluster/tables.go does, for graphs that differ in parallelism and in
// topics only: every table is kept.
func (jm *jobManager) tables(ctx context.Context, _ *jobgraph.Graph, _ types.VertexID, files []*checkpointv1.StateFile) (out []checkpoint.TableFate, err error) {
	if len(files) == 0 {
		return nil, nil
	}
	had, err := columnar.ReadLayout(ctx, upload.Files(jm.blob, nil, files))
	if err != nil {
		return nil, err
	}
	for _, t := range had.Tables {
		out = append(out, checkpoint.TableFate{Operator: t.ID.Operator, Table: t.ID.Name, Fate: checkpoint.FateKept})
	}
	return out, nil
}
