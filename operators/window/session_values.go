package window

import (
	"slices"

	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// sessionValues are what the DISTINCT calls of sessions need.
//
// Values are counted by key and session, which the session's birth names: the time of the row that began it. It stays as it is while the
// session grows, so that a session of any size takes a row in at the cost of the row's values. The sessions of a key are disjoint, and
// each contains its birth, so no two of them have the same.
//
// A session that is made of several has the birth of the largest. The values of the others move there, and those that are new there are
// folded: a row's values move only into a session of at least twice as many rows, so of n rows each moves at most log n times.
// Accumulators of DISTINCT calls are therefore folded apart from others, those of the largest alone.
type sessionValues struct {
	s       *Sessions
	counted []*aggregate.Counted
	folder  aggregate.Folder // of the accumulators of DISTINCT calls
	schema  *types.Schema    // of the input, with the birth of its session behind a row

	// Of the tile under way.
	births  []int64 // of each span
	largest []int32 // of each span: the row of s.old that is its largest session, noSession: there is none
	sel     []int32
	slots   []statebackend.Slot
	moved   struct {
		at       []int
		from, to []int64
		slots    []statebackend.Slot
	}
}

// noSession stands for a session that there is not.
const noSession = -1

// birthField is the last column of stored sessions that have DISTINCT calls.
var birthField = types.Field{Name: "$birth", Type: types.Of(types.BigInt).NotNull()}

func newSessionValues(s *Sessions, in *types.Schema) *sessionValues {
	return &sessionValues{s: s, schema: aggregate.WithSpaces(in)}
}

// use takes its part of the plan that merges sessions, and returns the other.
func (v *sessionValues) use(merge *aggregate.Plan) *aggregate.Plan {
	distinct, other := merge.Apart()
	v.folder.Use(distinct)
	return other
}

func (v *sessionValues) open() (err error) {
	in := aggregate.CountedInput{Keys: v.s.spec.Keys, Spaces: true, Each: true}
	v.counted, err = aggregate.OpenCounted(v.s.ctx, v.s.plan.Counted, in)
	v.s.folder.Weigh(nil, v.counted)
	return err
}

// begin has the spans of a tile be born with their first rows: sessions that they are made of are not known yet.
func (v *sessionValues) begin() {
	v.births, v.largest = v.births[:0], v.largest[:0]
	for _, x := range v.s.spans {
		v.births, v.largest = append(v.births, x.start), append(v.largest, noSession)
	}
}

// oldBirths returns those of s.old.
func (v *sessionValues) oldBirths() []int64 {
	return stream.Values[int64](&v.s.old.Columns[len(v.s.old.Columns)-1])
}

// merge takes over the accumulators and the values of the sessions of which the spans are made: those that s.sel names, whose keys and
// slots are given.
func (v *sessionValues) merge(keys *stream.Keys, slots []statebackend.Slot) error {
	s := v.s
	rows, births := stream.Values[int64](&s.old.Columns[len(s.old.Columns)-2]), v.oldBirths()
	for k, slot := range slots {
		if x := &v.largest[slot]; *x == noSession || rows[s.sel[k]] > rows[*x] {
			*x = s.sel[k]
			v.births[slot] = births[*x]
		}
	}
	m := &v.moved
	v.sel, v.slots = v.sel[:0], v.slots[:0]
	m.at, m.from, m.to, m.slots = m.at[:0], m.from[:0], m.to[:0], m.slots[:0]
	for k, slot := range slots {
		if row := s.sel[k]; row == v.largest[slot] {
			v.sel, v.slots = append(v.sel, row), append(v.slots, slot)
		} else {
			m.at, m.slots = append(m.at, k), append(m.slots, slot)
			m.from, m.to = append(m.from, births[row]), append(m.to, v.births[slot])
		}
	}
	part := operators.Select(s.old, v.sel)
	defer part.Release()
	if err := v.folder.Fold(s.scratch, part, 0, v.slots); err != nil || len(m.at) == 0 {
		return err
	}
	moved := aggregate.PickKeys(keys, m.at)
	return s.folder.Move(s.scratch, &moved, m.from, m.to, m.slots)
}

// fold folds rows, of spans that are given.
func (v *sessionValues) fold(b *stream.Batch, slots []statebackend.Slot) error {
	pool := v.s.ctx.Pool
	last := len(b.Columns)
	rows := pool.NewBatch(v.schema, b.Len())
	defer rows.Release()
	b.ShareRows(rows)
	for i := range b.Columns {
		b.Columns[i].Retain()
		rows.Columns[i] = b.Columns[i]
	}
	rows.Columns[last] = stream.NewFixed(pool, birthField.Type, b.Len())
	births := stream.Values[int64](&rows.Columns[last])
	for i, slot := range slots {
		births[b.Row(i)] = v.births[slot]
	}
	for _, c := range v.counted {
		if err := c.Count(rows, 0, nil); err != nil {
			return err
		}
	}
	return v.s.folder.Fold(v.s.scratch, rows, 0, slots)
}

// column returns the births of the spans.
func (v *sessionValues) column() stream.Vector {
	out := stream.NewFixed(v.s.ctx.Pool, birthField.Type, len(v.births))
	copy(stream.Values[int64](&out), v.births)
	return out
}

// fire folds the accumulators of s.old, sessions that leave, and forgets their values.
func (v *sessionValues) fire(slots []statebackend.Slot) error {
	if err := v.folder.Fold(v.s.scratch, v.s.old, 0, slots); err != nil {
		return err
	}
	births := slices.Clone(v.oldBirths())
	for _, c := range v.counted {
		if err := c.DropSpaces(&v.s.due.Raw, births); err != nil {
			return err
		}
	}
	return nil
}

func (v *sessionValues) close() {
	for _, c := range v.counted {
		c.Close()
	}
}
