package feed

import (
	"context"
	"encoding/binary"
	"fmt"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// Name is the connector's name in a table's options.
const Name = "feed"

// KeyLog is the option that names the log of a table.
const KeyLog = "log"

const (
	keyChangelog = "changelog"
	keyOrdered   = "ordered"
	splitsMax    = 4
)

// Spec declares the options.
var Spec = options.Spec{Name: Name, Options: []options.Option{
	{Key: KeyLog, Required: true, Doc: "The name of the rows."},
	{Key: keyChangelog, Type: options.Enum, Values: []string{"append", "upsert", "retract"}, Default: "append", Doc: "Which rows there are."},
	{Key: keyOrdered, Type: options.Bool, Default: "false", Doc: "Whether rows are read in the order in which they were given."},
}}

var changelogs = map[string]connectors.Changelog{"append": connectors.AppendOnly, "upsert": connectors.Upsert, "retract": connectors.Retract}

// Factory returns the factory of sources over logs.
func (l *Logs) Factory() connectors.SourceFactory {
	return connectors.SourceFactory{
		Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
		Open: func(given map[string]string, _ *types.Schema) (connectors.Source, error) {
			v, err := options.Parse(Spec, given)
			if err != nil {
				return nil, err
			}
			return &source{log: l.Log(v.Text(KeyLog)), name: v.Text(KeyLog), ordered: v.Bool(keyOrdered) || v.Text(keyChangelog) != "append"}, nil
		},
		Traits: func(v options.Values) connectors.SourceTraits {
			return connectors.SourceTraits{Changelog: changelogs[v.Text(keyChangelog)], Bounded: true}
		},
	}
}

type source struct {
	log     *Log
	name    string
	ordered bool
}

// Reader implements connectors.Source.
func (s *source) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	return &reader{ctx: ctx, log: s.log, rows: formats.NewRows(ctx.Pool, ctx.Schema, min(ctx.RowsMax, stream.RowsMax))}, nil
}

// Enumerator implements connectors.Source.
func (s *source) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return &enumerator{source: s, ctx: ctx}, nil
}

// enumerator assigns as many splits as there were tasks at first.
type enumerator struct {
	*source
	ctx    connectors.EnumeratorContext
	splits int
}

// Start implements connectors.Enumerator.
func (e *enumerator) Start(context.Context) ([]connectors.Assignment, error) {
	switch {
	case e.ctx.Restored != nil:
		e.splits = int(binary.BigEndian.Uint32(e.ctx.Restored))
	case e.ordered:
		e.splits = 1
	default:
		e.splits = min(int(e.ctx.Parallelism), splitsMax)
	}
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) {
		for i := range e.splits {
			if !yield((&split{index: i, of: e.splits}).state()) {
				return
			}
		}
	}), nil
}

// Discover implements connectors.Enumerator.
func (*enumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }

// DiscoveryInterval implements connectors.Enumerator.
func (*enumerator) DiscoveryInterval() int64 { return 0 }

// Snapshot implements connectors.Enumerator.
func (e *enumerator) Snapshot() ([]byte, error) {
	return binary.BigEndian.AppendUint32(nil, uint32(e.splits)), nil
}

// Close implements connectors.Enumerator.
func (*enumerator) Close() error { return nil }

// split is every row whose number leaves index when divided by of; next is how many have been read.
type split struct {
	index, of, next int
	ordinal         int32
	done            bool
}

func (s *split) state() connectors.SplitState {
	p := binary.BigEndian.AppendUint32(nil, uint32(s.index))
	p = binary.BigEndian.AppendUint32(p, uint32(s.of))
	p = binary.BigEndian.AppendUint64(p, uint64(s.next))
	return connectors.SplitState{ID: connectors.SplitID(fmt.Sprintf("%s-%d", Name, s.index)), State: p, Watermark: stream.NoWatermark}
}

// reader reads its splits in turn.
type reader struct {
	ctx      connectors.ReaderContext
	log      *Log
	rows     *formats.Rows
	splits   []*split
	turn     int
	noMore   bool
	finished []int32
}

// Assign implements connectors.Reader.
func (r *reader) Assign(states []connectors.SplitState) error {
	for _, p := range states {
		if len(p.State) != 16 {
			return failure.Internalf("split %s has a state of %d bytes", p.ID, len(p.State))
		}
		s := &split{
			index: int(binary.BigEndian.Uint32(p.State)), of: int(binary.BigEndian.Uint32(p.State[4:])),
			next: int(binary.BigEndian.Uint64(p.State[8:])), ordinal: int32(len(r.splits)),
		}
		r.splits = append(r.splits, s)
		r.log.began(r, s.index, s.of, s.next)
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	open := false
	for range r.splits {
		s := r.splits[r.turn]
		r.turn = (r.turn + 1) % len(r.splits)
		if s.done {
			continue
		}
		rows, end := r.log.take(s.index, s.of, s.next, min(r.ctx.RowsMax, stream.RowsMax))
		s.next += len(rows)
		if s.done = end; end {
			r.finished = append(r.finished, s.ordinal)
		}
		r.log.reached(s.index, s.next)
		if len(rows) > 0 {
			b, err := r.batch(rows)
			if err != nil {
				return nil, connectors.More, err
			}
			b.Split = s.ordinal
			return b, connectors.More, nil
		}
		open = open || !end
	}
	if r.noMore && !open {
		return nil, connectors.Done, nil
	}
	return nil, connectors.Dry, nil
}

// batch copies the columns that are asked for.
func (r *reader) batch(rows []row) (*stream.Batch, error) {
	for c, f := range r.ctx.Schema.Fields {
		for _, from := range rows {
			at := from.batch.Schema.Index(f.Name)
			if at < 0 {
				return nil, failure.Internalf("the rows have no column %s", f.Name)
			}
			r.rows.Columns[c].AppendFrom(&from.batch.Columns[at], from.at)
		}
	}
	b := r.rows.Finish()
	if r.ctx.Schema.Len() == 0 {
		b.SetLen(len(rows))
	}
	for i, from := range rows {
		if k := from.batch.Kind(from.at); k != stream.Insert {
			b.MakeKinds()[i] = k
		}
	}
	return b, nil
}

// Finished implements connectors.Reader.
func (r *reader) Finished() []int32 {
	f := r.finished
	r.finished = nil
	return f
}

// Positions implements connectors.Reader.
func (r *reader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	for _, s := range r.splits {
		dst = append(dst, s.state())
	}
	return dst
}

// CheckpointComplete implements connectors.Reader.
func (*reader) CheckpointComplete(types.CheckpointID) {}

// Close implements connectors.Reader.
func (r *reader) Close() error {
	r.log.left(r)
	r.rows.Close()
	return nil
}
