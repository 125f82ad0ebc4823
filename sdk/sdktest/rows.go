package sdktest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"millrace/sdk"
	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/types"
)

// Change is a row, and what it does to the table that a stream with updates describes.
type Change[R any] struct {
	Kind sdk.Kind
	Row  R
}

// String prints the change as Flink does: +I{...}.
func (c Change[R]) String() string { return fmt.Sprintf("%s%+v", c.Kind, c.Row) }

// Push has rows come in at the source of a uid, by its first split.
func Push[R any](p *Pipeline, source string, in ...R) {
	p.t.Helper()
	push(p, source, 0, in, nil)
}

// PushSplit has rows come in by a split of choice, from 0 on: see Options.Splits. Event time is that of the split that is the furthest behind.
func PushSplit[R any](p *Pipeline, source string, split int, in ...R) {
	p.t.Helper()
	push(p, source, split, in, nil)
}

// PushChanges has rows come in that may be updates and deletions of others.
func PushChanges[R any](p *Pipeline, source string, in ...Change[R]) {
	p.t.Helper()
	var all []R
	var kinds []stream.RowKind
	for _, c := range in {
		all, kinds = append(all, c.Row), append(kinds, stream.RowKind(c.Kind))
	}
	push(p, source, 0, all, kinds)
}

func push[R any](p *Pipeline, source string, split int, in []R, kinds []stream.RowKind) {
	p.t.Helper()
	s := p.source(source)
	if s == nil || len(in) == 0 {
		return
	}
	if split < 0 || split >= len(s.splits) {
		p.t.Fatalf("the source %q has %d splits, and none is %d: say in Options.Splits how many there are", source, len(s.splits), split)
		return
	}
	m, err := rows.Of(reflect.TypeFor[R]())
	if err != nil {
		p.t.Fatalf("%v", err)
		return
	}
	m, ok := s.mapping(m)
	if !ok {
		p.t.Fatalf("the source %q reads %s, not %s as %s has it", source, s.spec.Schema, m.Schema, m.Go)
		return
	}
	n := 0
	for from := 0; from < len(in); from += p.rowsMax() {
		to := min(from+p.rowsMax(), len(in))
		b, err := batchOf(&p.pool, m, s.spec.Schema, in[from:to])
		if err != nil {
			p.t.Fatalf("a row can't come in at %q: %v", source, err)
			return
		}
		if kinds != nil {
			copy(b.MakeKinds(), kinds[from:to])
		}
		s.splits[split].push(b)
		n++
	}
	p.happen(moment{source: s, split: split, items: n})
}

// mapping returns how a type stands in the columns that the source reads, which are the type's in their order: those of a table of SQL may be NULL where no field can be, and
// have types that a field can hold. ok is false, and the mapping the type's own, where it can't stand there.
func (s *source) mapping(m *rows.Mapping) (over *rows.Mapping, ok bool) {
	reads := s.spec.Schema
	if m.Schema.Equal(reads) {
		return m, true
	}
	over, at, err := m.Over(reads)
	if err != nil || len(at) != reads.Len() {
		return m, false
	}
	for i, f := range over.Schema.Fields {
		if at[i] != i || !f.Type.EqualIgnoringNull(reads.Fields[i].Type) || f.Type.Nullable && !reads.Fields[i].Type.Nullable {
			return m, false
		}
	}
	return over, true
}

// batchOf returns rows as a batch of a schema, which is the caller's.
func batchOf[R any](pool *stream.Pool, m *rows.Mapping, s *types.Schema, in []R) (*stream.Batch, error) {
	builders := make([]stream.Builder, s.Len())
	for i, f := range s.Fields {
		builders[i].Init(pool, f.Type, len(in))
		defer builders[i].Close()
	}
	if err := rows.Append(m, in, builders); err != nil {
		return nil, err
	}
	b := pool.NewBatch(s, len(in))
	for i := range builders {
		b.Columns[i] = builders[i].Finish()
	}
	return b, nil
}

// Rows returns all rows that the sink of a uid has, in the order in which they were written: those that are committed, and those that the next checkpoint will commit. Of a
// sink that has taken updates, Changes tells more; here they fail the test.
func Rows[R any](p *Pipeline, sink string) []R {
	p.t.Helper()
	return inserted(p, sink, Changes[R](p, sink))
}

// Committed returns the rows that are committed: what a reader of the outside sees.
func Committed[R any](p *Pipeline, sink string) []R {
	p.t.Helper()
	s := p.sink(sink)
	if s == nil {
		return nil
	}
	return inserted(p, sink, changes[R](p, s, func(w *written) bool { return w.committed }))
}

// Take returns the rows of Rows that no Take or TakeChanges has returned. What a Crash has dropped comes again when it is written again.
func Take[R any](p *Pipeline, sink string) []R {
	p.t.Helper()
	return inserted(p, sink, TakeChanges[R](p, sink))
}

// Changes returns all rows that the sink of a uid has, with their kinds.
func Changes[R any](p *Pipeline, sink string) []Change[R] {
	p.t.Helper()
	s := p.sink(sink)
	if s == nil {
		return nil
	}
	return changes[R](p, s, func(*written) bool { return true })
}

// TakeChanges returns the rows of Changes that no Take or TakeChanges has returned.
func TakeChanges[R any](p *Pipeline, sink string) []Change[R] {
	p.t.Helper()
	s, all := p.sink(sink), Changes[R](p, sink)
	if s == nil || s.taken >= len(all) {
		return nil
	}
	out := all[s.taken:]
	s.taken = len(all)
	return out
}

// sink returns the sink of a uid, or of the statement of SQL that has it.
func (p *Pipeline) sink(uid string) *sink {
	p.t.Helper()
	return p.sinks[p.resolve("sink", uid, slices.Sorted(maps.Keys(p.sinks)))]
}

// resolve returns which of the sources or sinks a uid means: the one that has it, or the only one of the statement of SQL that has it. Any other fails the test.
func (p *Pipeline) resolve(what, uid string, all []string) string {
	p.t.Helper()
	if slices.Contains(all, uid) {
		return uid
	}
	var of []string
	for _, name := range all {
		if strings.HasPrefix(name, uid+"."+what+"-") {
			of = append(of, name)
		}
	}
	switch len(of) {
	case 0:
		p.t.Fatalf("the job has no %s %q: it has %v", what, uid, all)
	case 1:
		return of[0]
	default:
		p.t.Fatalf("the statement %q has more than one %s: say which of %v", uid, what, of)
	}
	return ""
}

func inserted[R any](p *Pipeline, sink string, in []Change[R]) (out []R) {
	p.t.Helper()
	for _, c := range in {
		if c.Kind != sdk.Insert {
			p.t.Fatalf("the sink %q has taken %v, which is an update of another row: look at it by sdktest.Changes", sink, c)
			return nil
		}
		out = append(out, c.Row)
	}
	return out
}

func changes[R any](p *Pipeline, s *sink, which func(*written) bool) (out []Change[R]) {
	p.t.Helper()
	m, err := rows.Of(reflect.TypeFor[R]())
	if err != nil {
		p.t.Fatalf("%v", err)
		return nil
	}
	for i := range s.written {
		w := &s.written[i]
		if !which(w) {
			continue
		}
		over, at, err := m.Over(w.batch.Schema)
		if err != nil {
			p.t.Fatalf("what the sink has: %v", err)
			return nil
		}
		tile := rows.NewTile[R](over, at)
		for from := 0; from < w.batch.Rows(); from += rows.TileRows {
			some, err := tile.Read(w.batch, from, min(from+rows.TileRows, w.batch.Rows()))
			if err != nil {
				p.t.Fatalf("what the sink has: %v", err)
				return nil
			}
			for k, row := range some {
				out = append(out, Change[R]{Kind: sdk.Kind(w.batch.Kind(w.batch.Row(from + k))), Row: row})
			}
		}
	}
	return out
}
