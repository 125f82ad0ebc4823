package sdk

import (
	"fmt"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/types"
)

// JoinKind says which rows a join gives that have no partner.
type JoinKind uint8

// The kinds of joins: pairs alone, or with the rows of the left, the right or both that have no partner, which is nil then.
const (
	InnerJoin = JoinKind(jobgraph.InnerJoin)
	LeftJoin  = JoinKind(jobgraph.LeftJoin)
	RightJoin = JoinKind(jobgraph.RightJoin)
	FullJoin  = JoinKind(jobgraph.FullJoin)
)

// JoinOn says which rows of two keyed streams meet, beside having equal keys.
type JoinOn struct {
	what string
	body func(left, right *joinSide, kind jobgraph.JoinType) (jobgraph.OperatorBody, string)
}

// joinSide is what a join knows of one of its inputs.
type joinSide struct {
	keys    []int
	rowtime int
	changes bool
	what    string
}

// Within has a row of the right meet one of the left if its event time, less the left's, is from lower to upper, both included. Both streams need a rowtime, and rows that only
// come. A row is kept until event time says that no partner can come; that of an outer join that has none is given then.
func Within(lower, upper time.Duration) JoinOn {
	return JoinOn{what: "interval-join", body: func(l, r *joinSide, kind jobgraph.JoinType) (jobgraph.OperatorBody, string) {
		for _, s := range []*joinSide{l, r} {
			if s.rowtime < 0 {
				return nil, s.what + " has no event time, and the join goes by it: tag its time.Time with `millrace:\",rowtime\"`"
			}
			if s.changes {
				return nil, s.what + " has updates, and an interval join takes rows that only come"
			}
		}
		return &jobgraph.IntervalJoinSpec{Type: kind, Keys: jobgraph.JoinKeys{Left: l.keys, Right: r.keys}, LeftTime: l.rowtime, RightTime: r.rowtime, Lower: lower, Upper: upper}, ""
	}}
}

// Ever has all rows of equal keys meet, whenever they come. Rows are kept for a time to live after they came, in processing time; 0 keeps them for ever. Streams may have updates.
// An outer join takes back what it gave of a row without a partner when one comes, so it gives updates.
func Ever(ttl time.Duration) JoinOn {
	return JoinOn{what: "join", body: func(l, r *joinSide, kind jobgraph.JoinType) (jobgraph.OperatorBody, string) {
		side := func(s *joinSide) jobgraph.JoinSide {
			out := jobgraph.JoinSide{TTL: ttl}
			if s.changes {
				out.Changelog = jobgraph.RetractChangelog
			}
			return out
		}
		return &jobgraph.JoinSpec{Type: kind, Keys: jobgraph.JoinKeys{Left: l.keys, Right: r.keys}, Left: side(l), Right: side(r)}, ""
	}}
}

// Join makes a row of each pair of rows with equal keys that meet. f borrows both rows; of an outer join, the one that is missing is nil. A join keeps rows, so it has a uid. Both streams
// must have keys that are never NULL.
func Join[Out, K, L, R any](kind JoinKind, left *Keyed[K, L], right *Keyed[K, R], uid string, on JoinOn, f func(*L, *R) (Out, error), options ...Option) *Stream[Out] {
	if !left.ok() || !right.ok() {
		return broken[Out](left.env)
	}
	m := mappingOf[Out](left.env)
	if m == nil {
		left.refused()
		right.refused()
		return broken[Out](left.env)
	}
	n := left.env.stateful(on.what, uid, options, left.hash(), right.hash())
	body, wrong := on.body(joinSideOf(left), joinSideOf(right), jobgraph.JoinType(kind))
	if wrong != "" {
		n.refuse(wrong, "")
		return broken[Out](left.env)
	}
	n.body = body
	joined := jobgraph.JoinedSchema(jobgraph.JoinType(kind), left.schema, right.schema)
	p := left.env.add("pairs", []Option{UID(uid + "-pairs")}, input{from: n})
	p.parallelism, p.group, p.at = n.parallelism, n.group, n.at
	p.native(&jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{{Schema: joined}}, Output: m.Schema}, func() native.Function {
		return &pairs[L, R, Out]{
			guard: guardOf(n), f: f, out: newCollector[Out](m), kind: jobgraph.JoinType(kind),
			left: rows.NewTile[L](left.mapping, shifted(left.Stream, 0)), right: rows.NewTile[R](right.mapping, shifted(right.Stream, left.schema.Len())),
			leftKey: left.by[0], rightKey: left.schema.Len() + right.by[0],
		}
	})
	out := streamOf[Out](p, 0, m)
	out.changes = left.changes || right.changes || kind != InnerJoin && on.what == "join"
	return out
}

func joinSideOf[K, T any](k *Keyed[K, T]) *joinSide {
	return &joinSide{keys: k.by, rowtime: k.rowtime(), changes: k.changes, what: k.mapping.Go.String()}
}

// shifted returns where the columns of a stream stand behind others.
func shifted[T any](s *Stream[T], by int) []int {
	at := make([]int, s.mapping.Schema.Len())
	for i := range at {
		at[i] = s.column(i) + by
	}
	return at
}

// pairs implements native.Function: it makes rows of what a join gives.
type pairs[L, R, Out any] struct {
	guard
	rt                *native.Runtime
	f                 func(*L, *R) (Out, error)
	out               *Collector[Out]
	kind              jobgraph.JoinType
	left              *rows.Tile[L]
	right             *rows.Tile[R]
	leftKey, rightKey int // columns that are NULL where there is no such row
}

func (p *pairs[L, R, Out]) Open(rt *native.Runtime) error {
	p.rt, p.out.out = rt, rt.Out(operators.MainPort)
	p.open(rt.Context)
	return nil
}

func (p *pairs[L, R, Out]) Rows(_ int, b *stream.Batch, from int) (to int, err error) {
	defer p.recovered(&err)
	for n := b.Rows(); from < n && !p.rt.Enough(); {
		to := p.run(b, from)
		if err := p.some(b, from, to); err != nil {
			return from, p.failed(err)
		}
		from = to
	}
	return from, nil
}

// run returns the end of a run of rows that have the same partners missing, of at most a tile.
func (p *pairs[L, R, Out]) run(b *stream.Batch, from int) int {
	most := min(from+rows.TileRows, b.Rows())
	if p.kind == jobgraph.InnerJoin {
		return most
	}
	l, r := p.missing(b, from)
	to := from + 1
	for ; to < most; to++ {
		if a, c := p.missing(b, to); a != l || c != r {
			break
		}
	}
	return to
}

func (p *pairs[L, R, Out]) missing(b *stream.Batch, i int) (left, right bool) {
	row := b.Row(i)
	return p.kind.Outer(1) && b.Columns[p.leftKey].IsNull(row), p.kind.Outer(0) && b.Columns[p.rightKey].IsNull(row)
}

func (p *pairs[L, R, Out]) some(b *stream.Batch, from, to int) (err error) {
	noLeft, noRight := p.missing(b, from)
	var left []L
	var right []R
	if !noLeft {
		if left, err = p.left.Read(b, from, to); err != nil {
			return err
		}
	}
	if !noRight {
		if right, err = p.right.Read(b, from, to); err != nil {
			return err
		}
	}
	var l *L
	var r *R
	p.row = func() any { return fmt.Sprintf("%+v and %+v", valueOf(l), valueOf(r)) }
	for i := range to - from {
		if left != nil {
			l = &left[i]
		}
		if right != nil {
			r = &right[i]
		}
		p.out.kind = b.Kind(b.Row(from + i))
		row, err := p.f(l, r)
		if err != nil {
			return err
		}
		p.out.Collect(row)
	}
	p.row = nil
	return p.out.settle()
}

// valueOf shows what a pointer points to.
func valueOf[T any](p *T) any {
	if p == nil {
		return "none"
	}
	return *p
}

func (*pairs[L, R, Out]) Close() error { return nil }

// windowed assigns the rows of a stream to windows: their start, end and time are columns behind the others.
func windowed[K, T any](k *Keyed[K, T], uid string, w Window) (*Keyed[K, T], int) {
	n := k.env.stateful("window-assign", uid, nil, k.forward())
	n.parallelism, n.group = k.node.parallelism, k.node.group
	n.body = &jobgraph.WindowAssignSpec{Time: k.rowtime(), Window: w.spec}
	schema, err := jobgraph.OutputSchema(&jobgraph.OperatorSpec{UID: n.uid, Body: n.body}, []*types.Schema{k.schema})
	if err != nil {
		k.env.problem(failure.Message{Primary: err.Error()})
		return &Keyed[K, T]{Stream: broken[T](k.env)}, 0
	}
	s := *k.Stream
	s.node, s.port, s.schema, s.at = n, 0, schema, shifted(k.Stream, 0)
	return &Keyed[K, T]{Stream: &s, keys: k.keys, by: k.by}, schema.Index(jobgraph.WindowEnd)
}

// JoinWindows joins the rows of two keyed streams that are in the same window, when event time closes it. f borrows both rows; of an outer join, the one that is missing is nil. Both
// streams need a rowtime, and rows that only come. Rows that come later are counted and dropped.
func JoinWindows[Out, K, L, R any](kind JoinKind, left *Keyed[K, L], right *Keyed[K, R], uid string, w Window, f func(*L, *R) (Out, error), options ...Option) *Stream[Out] {
	if !left.ok() || !right.ok() {
		return broken[Out](left.env)
	}
	for _, s := range []*joinSide{joinSideOf(left), joinSideOf(right)} {
		if s.rowtime < 0 || s.changes {
			left.env.Problemf("%s has no event time, or has updates: a window join takes rows that only come, with a rowtime", s.what)
			left.refused()
			right.refused()
			return broken[Out](left.env)
		}
	}
	l, leftEnd := windowed(left, uid+"-left", w)
	r, rightEnd := windowed(right, uid+"-right", w)
	if !l.ok() || !r.ok() {
		return broken[Out](left.env)
	}
	on := JoinOn{what: "window-join", body: func(ls, rs *joinSide, kind jobgraph.JoinType) (jobgraph.OperatorBody, string) {
		return &jobgraph.WindowJoinSpec{Type: kind, Keys: jobgraph.JoinKeys{Left: ls.keys, Right: rs.keys}, LeftEnd: leftEnd, RightEnd: rightEnd}, ""
	}}
	return Join(kind, l, r, uid, on, f, options...)
}
