package values

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// Name is the connector's name.
const Name = jobgraph.ValuesConnector

// Factory makes sources.
var Factory = connectors.SourceFactory{
	Options: func(map[string]string) (options.Spec, error) { return jobgraph.ValuesSpec, nil },
	Open:    open,
	Traits:  func(options.Values) connectors.SourceTraits { return connectors.SourceTraits{Bounded: true} },
}

// source implements connectors.Source.
type source struct {
	rows [][]any // as expr.Literal has values
}

func open(given map[string]string, schema *types.Schema) (connectors.Source, error) {
	if err := schema.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	rows, err := jobgraph.DecodeValues(given, schema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return &source{rows}, nil
}

// Reader implements connectors.Source.
func (s *source) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	if ctx.RowsMax < 1 {
		return nil, failure.Internalf("%s: batches of at most %d rows", Name, ctx.RowsMax)
	}
	return &reader{source: s, rowsMax: min(ctx.RowsMax, stream.RowsMax), out: formats.NewRows(ctx.Pool, ctx.Schema, min(len(s.rows), ctx.RowsMax))}, nil
}

// Enumerator implements connectors.Source.
func (s *source) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return &enumerator{ctx}, nil
}

// enumerator assigns the one split at the start.
type enumerator struct {
	ctx connectors.EnumeratorContext
}

// Start implements connectors.Enumerator.
func (e *enumerator) Start(context.Context) ([]connectors.Assignment, error) {
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) { yield(position(0)) }), nil
}

// Discover implements connectors.Enumerator.
func (*enumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }

// DiscoveryInterval implements connectors.Enumerator: never.
func (*enumerator) DiscoveryInterval() int64 { return 0 }

// Snapshot implements connectors.Enumerator: the split is always the same.
func (*enumerator) Snapshot() ([]byte, error) { return []byte{enumeratorVersion}, nil }

// Close implements connectors.Enumerator.
func (*enumerator) Close() error { return nil }

// The versions of the encoded states.
const (
	splitVersion      = 1
	enumeratorVersion = 1
)

// position is the state of the split in front of a row.
func position(next int) connectors.SplitState {
	return connectors.SplitState{ID: Name, State: binary.AppendUvarint([]byte{splitVersion}, uint64(next)), Watermark: stream.NoWatermark}
}

func decodePosition(p connectors.SplitState) (int, error) {
	r := connectors.NewStateReader(p.State, splitVersion)
	next := r.Uvarint(math.MaxInt32)
	return int(next), r.Close("split " + string(p.ID))
}
