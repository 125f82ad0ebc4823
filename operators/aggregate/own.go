package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Function is an aggregate function of a program, for one operator, on one goroutine. What it keeps of a group is a row of accumulators, whose columns its expr.Declared
// names; a group of which nothing came has zeros and empty bytes. Errors are the user's: a kernel.RowError names the row.
type Function interface {
	// Accumulate takes the arguments in the selected rows of args, a column each, into the accumulators at slots, one a selected row, in their order. A slot may occur several times.
	// All is lent for the call.
	Accumulate(into Accumulators, slots []statebackend.Slot, args *stream.Batch) error
	// Result appends the result of each accumulator.
	Result(of Accumulators, slots []statebackend.Slot, out *stream.Builder) error
}

// Retracter is a Function whose values may be taken back.
type Retracter interface {
	// Retract takes back what Accumulate took.
	Retract(from Accumulators, slots []statebackend.Slot, args *stream.Batch) error
}

// Merger is a Function whose groups may be kept in parts.
type Merger interface {
	// Merge takes the accumulators of parts at slots of into those of into at slots. A slot of into may occur several times.
	Merge(into Accumulators, slots []statebackend.Slot, parts Accumulators, of []statebackend.Slot) error
}

// NewFunction makes a Function for an operator. It is what expr.Signature.Impl is of an aggregate function, and called by any number of goroutines.
type NewFunction func() Function

// own is a function of a program within a plan.
type own struct {
	declared *expr.Declared
	function Function
	// word is the first of the accumulators, columns are those of the table.
	word, width int
	columns     []int
	strict      []bool
	inputs      []int // the columns of the arguments
	args        *types.Schema

	pool stream.Pool
	// Of the tile under way: the rows that count, physically, where they go, and, where it is signed, what for.
	positions []int32
	slots     []statebackend.Slot
	signs     []int64
	signed    bool
	view      view
}

// view has the accumulators of one function.
type view struct {
	Accumulators
	of *own
}

// Rows gives the function's words alone.
func (v *view) Rows() statebackend.Rows {
	r := v.Accumulators.Rows()
	r.Offset += v.of.word
	r.Width = v.of.width
	return r
}

// Bytes returns the value of one of the function's columns.
func (v *view) Bytes(column int, slot statebackend.Slot) []byte {
	return v.Accumulators.Bytes(v.of.columns[column], slot)
}

// SetBytes sets it.
func (v *view) SetBytes(column int, slot statebackend.Slot, value []byte) error {
	return v.Accumulators.SetBytes(v.of.columns[column], slot, value)
}

func (o *own) over(table Accumulators) Accumulators {
	o.view = view{table, o}
	return &o.view
}

// checkOwn reports what a function of the program can't do here.
func (p *planner) checkOwn(a *jobgraph.AggregateCall) error {
	d := a.Own
	switch {
	case p.Retract && !d.Retracts:
		return fmt.Errorf("aggregate %s: %s can't take values back", a.Name, d.Name)
	case p.Merge && !d.Merges:
		return fmt.Errorf("aggregate %s: %s can't merge what was kept of parts of a group", a.Name, d.Name)
	case p.Merge && !p.Disjoint && a.Distinct:
		return fmt.Errorf("aggregate %s: %s needs the values, which partial rows don't have", a.Name, d.Name)
	}
	if _, err := a.Type(p.Raw); err != nil {
		return fmt.Errorf("aggregate %s: %w", a.Name, err)
	}
	return nil
}

// own makes the function of a call, and the columns that it keeps.
func (p *planner) own(i int, a *jobgraph.AggregateCall) (*own, error) {
	d := a.Own
	o := &own{declared: d, strict: d.Strict(), inputs: a.Columns(), word: p.used}
	o.args = types.NewSchema()
	for k, column := range o.inputs {
		o.args.Fields = append(o.args.Fields, types.Field{Name: fmt.Sprintf("arg%d", k), Type: p.argType(column)})
	}
	for _, f := range d.Accumulator {
		label := fmt.Sprintf("%s$%d$%s", strings.ToLower(d.Name), i, f.Name)
		t := f.Type.AsNullable()
		if t.Layout() == types.LayoutInt128 {
			t = types.Of(types.BigInt)
		}
		column, _ := p.column(label, t)
		o.columns = append(o.columns, column)
		if f.Type.Layout() == types.LayoutInt128 {
			p.column(label+"$high", t)
		}
		p.Bytes = p.Bytes || t.Layout() == types.LayoutBytes
	}
	o.width = p.used - o.word
	p.Bytes = p.Bytes || d.Result.Layout() >= types.LayoutBytes
	p.Unmerged = p.Unmerged || !d.Merges
	var err error
	o.function, err = p.implementation(d)
	return o, err
}

// implementation finds the function.
func (p *planner) implementation(d *expr.Declared) (Function, error) {
	if p.Functions == nil {
		return nil, fmt.Errorf("this process has no aggregate function %s", d.Name)
	}
	sig, ok := p.Functions.Lookup(d.Name)
	if !ok || sig.Kind != expr.AggregateFunc {
		return nil, fmt.Errorf("this process has no aggregate function %s", d.Name)
	}
	switch f := sig.Impl.(type) {
	case NewFunction:
		return f(), nil
	case kernel.Elsewhere:
		return elsewhere{}, nil
	default:
		return nil, failure.Internalf("the aggregate function %s is a %T", d.Name, f)
	}
}

// ownEmitters add the results of a function, and its accumulators as columns of partial rows: each word, and each bytes column.
func (p *planner) ownEmitters(o *own) {
	result := o.declared.Result
	p.Final = append(p.Final, Emitter{own: o, t: result})
	word := types.Of(types.BigInt).NotNull()
	at := o.word
	for i, f := range o.declared.Accumulator {
		switch f.Type.Layout() {
		case types.LayoutBytes:
			p.Partial = append(p.Partial, Emitter{kind: emitBytes, t: types.BytesType().NotNull(), column: o.columns[i], always: true})
		case types.LayoutInt128:
			p.Partial = append(p.Partial, Emitter{t: word, word: at, always: true})
			at++
			p.Partial = append(p.Partial, Emitter{t: word, word: at, always: true})
		default:
			p.Partial = append(p.Partial, Emitter{t: word, word: at, always: true})
		}
		at++
	}
}

// foldOwn gives a function the values of a tile.
func (f *Folder) foldOwn(table Accumulators, s *step, b *stream.Batch, from int, slots []statebackend.Slot) error {
	o := s.own
	if s.merges {
		return o.merge(table, b, s.arg, from, slots)
	}
	f.choose(o, s, b, from, slots)
	if len(o.positions) == 0 {
		return nil
	}
	args := o.arguments(b)
	defer args.Release()
	if !o.signed {
		o.choose(args, o.positions)
		return o.guard(args, func() error { return o.function.Accumulate(o.over(table), o.slots, args) })
	}
	for first := 0; first < len(o.slots); { // rows of one sign that follow one another
		end := first + 1
		for end < len(o.slots) && o.signs[end] == o.signs[first] {
			end++
		}
		if err := o.run(table, args, first, end); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// run takes the values first, ..., end-1 in, or back.
func (o *own) run(table Accumulators, args *stream.Batch, first, end int) error {
	part := args.Share()
	defer part.Release()
	o.choose(part, o.positions[first:end])
	return o.guard(part, func() error {
		if o.signs[first] > 0 {
			return o.function.Accumulate(o.over(table), o.slots[first:end], part)
		}
		r, ok := o.function.(Retracter)
		if !ok {
			return failure.Internalf("the aggregate function %s takes nothing back", o.declared.Name)
		}
		return r.Retract(o.over(table), o.slots[first:end], part)
	})
}

// arguments returns the columns of the arguments, of all rows of a batch.
func (o *own) arguments(b *stream.Batch) *stream.Batch {
	args := o.pool.NewBatch(o.args, b.Len())
	for i, column := range o.inputs {
		v := &args.Columns[i]
		*v = b.Columns[column]
		v.Retain()
		v.Type = o.args.Fields[i].Type
	}
	return args
}

// choose finds the rows of a tile that count: of a DISTINCT call those whose values appeared or went.
func (f *Folder) choose(o *own, s *step, b *stream.Batch, from int, slots []statebackend.Slot) {
	o.positions, o.slots, o.signs = o.positions[:0], o.slots[:0], o.signs[:0]
	if s.counted > 0 {
		n := f.changing(s, b, from, slots)
		o.positions, o.slots, o.signs = append(o.positions, f.positions[:n]...), append(o.slots, f.slots[:n]...), append(o.signs, f.weights[:n]...)
		o.signed = slices.ContainsFunc(o.signs, func(sign int64) bool { return sign < 0 })
		return
	}
	o.signed = f.signs != nil
	for i, slot := range slots {
		row := b.Row(from + i)
		if s.filter != noColumn && !admits(&b.Columns[s.filter], row) || o.lacks(b, row) {
			continue
		}
		if o.signed {
			sign := f.signs[from+i]
			if sign == 0 {
				continue
			}
			o.signs = append(o.signs, sign)
		}
		o.positions, o.slots = append(o.positions, int32(row)), append(o.slots, slot)
	}
}

// lacks tells whether an argument that takes no NULL has one.
func (o *own) lacks(b *stream.Batch, row int) bool {
	for i, column := range o.inputs {
		if o.strict[i] && b.Columns[column].IsNull(row) {
			return true
		}
	}
	return false
}

func (o *own) choose(b *stream.Batch, rows []int32) {
	buf := o.pool.Get(4 * max(len(rows), 1))
	copy(stream.Int32s(buf), rows)
	b.SetSel(buf, len(rows))
}

// guard calls the function for arguments. What it throws is its error.
func (o *own) guard(args *stream.Batch, call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = kernel.CallError(o.declared.Name, args, fmt.Errorf("%s", kernel.Thrown(r)))
		}
	}()
	if err := call(); err != nil {
		if failure.ClassOf(err).Domain == failure.DomainInternal && isElsewhere(o.function) {
			return err
		}
		return kernel.CallError(o.declared.Name, args, err)
	}
	return nil
}

// merge takes in what partial rows have in the columns from column on.
func (o *own) merge(table Accumulators, b *stream.Batch, column, from int, slots []statebackend.Slot) error {
	m, ok := o.function.(Merger)
	if !ok {
		return failure.Internalf("the aggregate function %s merges nothing", o.declared.Name)
	}
	p := o.partsOf(b, column, from, len(slots))
	of := make([]statebackend.Slot, len(slots))
	for i := range of {
		of[i] = statebackend.Slot(i)
	}
	none := o.pool.NewBatch(types.NewSchema(), 0)
	defer none.Release()
	return o.guard(none, func() error { return m.Merge(o.over(table), slots, p, of) })
}

// parts are accumulators in partial rows.
type parts struct {
	words []uint64
	width int
	bytes [][][]byte // by column of the function, and row
}

// partsOf reads n partial rows.
func (o *own) partsOf(b *stream.Batch, column, from, n int) *parts {
	p := &parts{words: make([]uint64, n*o.width), width: o.width, bytes: make([][][]byte, len(o.columns))}
	word := 0
	take := func() {
		v := &b.Columns[column]
		for i := range n {
			p.words[i*p.width+word] = uint64(stream.Value[int64](v, b.Row(from+i)))
		}
		column++
		word++
	}
	for c, f := range o.declared.Accumulator {
		switch f.Type.Layout() {
		case types.LayoutBytes:
			for i := range n {
				p.bytes[c] = append(p.bytes[c], b.Columns[column].Bytes(b.Row(from+i)))
			}
			column++
			word++
		case types.LayoutInt128:
			take()
			take()
		default:
			take()
		}
	}
	return p
}

// Rows implements Accumulators.
func (p *parts) Rows() statebackend.Rows {
	return statebackend.Rows{Blocks: [][]uint64{p.words}, Stride: p.width, Width: p.width}
}

// Bytes implements Accumulators.
func (p *parts) Bytes(column int, slot statebackend.Slot) []byte { return p.bytes[column][slot] }

// SetBytes implements Accumulators.
func (p *parts) SetBytes(column int, slot statebackend.Slot, value []byte) error {
	p.bytes[column][slot] = value
	return nil
}

// result returns what the function gives of groups.
func (o *own) result(pool *stream.Pool, table Accumulators, slots []statebackend.Slot, t types.Type) (stream.Vector, error) {
	out := stream.NewBuilder(pool, t, len(slots))
	none := o.pool.NewBatch(types.NewSchema(), 0)
	defer none.Release()
	if err := o.guard(none, func() error { return o.function.Result(o.over(table), slots, out) }); err != nil {
		out.Close()
		return stream.Vector{}, fmt.Errorf("the result of a group: %w", err)
	}
	if out.Len() != len(slots) {
		defer out.Close()
		return stream.Vector{}, failure.Userf("%s gave %d results for %d groups", o.declared.Name, out.Len(), len(slots))
	}
	v := out.Finish()
	if v.HasNulls() && !t.Nullable {
		v.Release()
		return stream.Vector{}, failure.Userf("%s gave NULL, and says that it gives %s", o.declared.Name, t)
	}
	return v, nil
}

// elsewhere stands for a function of a program that this process is not.
type elsewhere struct{}

var errElsewhere = failure.Internalf("the aggregate function is one of a program that this process is not")

func (elsewhere) Accumulate(Accumulators, []statebackend.Slot, *stream.Batch) error {
	return errElsewhere
}

func (elsewhere) Retract(Accumulators, []statebackend.Slot, *stream.Batch) error { return errElsewhere }

func (elsewhere) Result(Accumulators, []statebackend.Slot, *stream.Builder) error {
	return errElsewhere
}

func (elsewhere) Merge(Accumulators, []statebackend.Slot, Accumulators, []statebackend.Slot) error {
	return errElsewhere
}

func isElsewhere(f Function) bool {
	_, ok := f.(elsewhere)
	return ok
}
