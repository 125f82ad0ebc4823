package window

import (
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// accumulators is what the loops need of a table's part: statebackend.Part and
// Local's own table have it.
type accumulators interface {
	Rows() statebackend.Rows
	Bytes(column int, slot statebackend.Slot) []byte
	SetBytes(column int, slot statebackend.Slot, value []byte) error
}

// opKind names a loop over the values of one column.
type opKind uint8

const (
	opCount        opKind = iota // one more for each value
	opSumInt                     // wraps
	opSumFloat                   // in 32 bits, as Flink does
	opSumDouble                  //
	opSumDecimal                 // 192 bits, never overflows
	opExtreme                    // of integers, times and booleans
	opExtremeFloat               // of FLOAT and DOUBLE
	opExtremeWide                // of a DECIMAL above 18 digits
	opExtremeBytes               // of strings
)

// op is a loop with the place of its accumulator.
//
// MIN and MAX of fixed-width values share one loop, "the larger code wins": the
// code is the value with the bits of mask flipped, which turns the order round
// for MIN and makes zero, which a new row holds, the code that every other beats.
type op struct {
	kind   opKind
	word   int
	column int // of the table, for bytes; the word before it tells that there is a value
	mask   uint64
	max    bool
}

const (
	maskMax = 1 << 63
	maskMin = 1<<63 - 1
)

// step feeds a column of the input to loops. NULL feeds none.
type step struct {
	column int
	ops    []op
	// fused are those of the column's loops that one pass does, together.
	fused fused
}

// fused are loops over the same integers that run as one: a row's words share
// a cache line, and on a hot key each loop waits for its own store to come
// back. A word of noWord is not there.
type fused struct {
	count, sum, largest, smallest int
}

const noWord = -1

func (f *fused) any() bool { return *f != noFused }

var noFused = fused{noWord, noWord, noWord, noWord}

// plan is how rows are folded into accumulators and how these become columns.
type plan struct {
	columns []statebackend.ColumnSpec
	words   []int // the first word of each column
	// countRows says that each input row counts as one; partial rows bring
	// their number.
	countRows bool
	steps     []step
	// final gives the aggregates' values, partial those of PartialSchema,
	// PartialRows included.
	final, partial []emitter
	// bytes tells whether any accumulator has variable length.
	bytes bool
	// wide tells that sums need more digits than a partial row carries.
	wide bool
}

// rowsWord counts the input rows behind a table row.
const rowsWord = 0

// planner makes a plan.
type planner struct {
	plan
	spec *jobgraph.WindowAggregateSpec
	raw  *types.Schema
	seen map[int]int // word that counts the values of a raw column
	used int         // words
}

// newPlan makes the plan of an aggregate over raw input; with merge, over the
// partial rows that a Local makes of it.
func newPlan(spec *jobgraph.WindowAggregateSpec, raw *types.Schema, merge bool) (*plan, error) {
	p := &planner{spec: spec, raw: raw, seen: map[int]int{}}
	p.column("rows", types.Of(types.BigInt))
	for _, a := range spec.Aggregates {
		if err := p.checkCall(a); err != nil {
			return nil, err
		}
		p.countValues(a.Arg)
	}
	targets := make([]target, len(spec.Aggregates))
	for i, a := range spec.Aggregates {
		targets[i] = p.target(i, a)
		p.emitters(a, targets[i])
	}
	p.partial = append(p.partial, emitter{kind: emitInt, t: types.Of(types.BigInt).NotNull(), word: rowsWord})
	if merge {
		p.mergeSteps(targets)
	} else {
		p.rawSteps(targets)
	}
	for i := range p.steps {
		p.steps[i].fuse()
	}
	return &p.plan, nil
}

// fuse moves the first loop of each kind that fused knows there, if the column
// has integers at all.
func (s *step) fuse() {
	s.fused = noFused
	integers := slices.ContainsFunc(s.ops, func(o op) bool { return o.kind == opSumInt || o.kind == opExtreme })
	if !integers {
		return
	}
	s.ops = slices.DeleteFunc(s.ops, func(o op) bool {
		var word *int
		switch {
		case o.kind == opCount:
			word = &s.fused.count
		case o.kind == opSumInt:
			word = &s.fused.sum
		case o.kind == opExtreme && o.max:
			word = &s.fused.largest
		case o.kind == opExtreme:
			word = &s.fused.smallest
		}
		if word == nil || *word != noWord {
			return false
		}
		*word = o.word
		return true
	})
}

func (p *planner) checkCall(a jobgraph.AggregateCall) error {
	if a.Arg != jobgraph.CountStar && (a.Arg < 0 || a.Arg >= p.raw.Len()) {
		return fmt.Errorf("aggregate %s: the input has no column %d", a.Name, a.Arg)
	}
	if a.Arg == jobgraph.CountStar && name(a) != "COUNT" {
		return fmt.Errorf("aggregate %s: %s needs a column", a.Name, name(a))
	}
	if _, err := expr.AggregateType(name(a), p.argType(a.Arg)); err != nil {
		return fmt.Errorf("aggregate %s: %w", a.Name, err)
	}
	return nil
}

func name(a jobgraph.AggregateCall) string { return strings.ToUpper(a.Func) }

func (p *planner) argType(arg int) types.Type {
	if arg == jobgraph.CountStar {
		return types.Of(types.BigInt).NotNull()
	}
	return p.raw.Fields[arg].Type
}

// column adds a column to the table and returns its number and first word.
func (p *planner) column(name string, t types.Type) (column, word int) {
	column, word = len(p.columns), p.used
	p.columns = append(p.columns, statebackend.ColumnSpec{Name: name, Type: t})
	p.words = append(p.words, word)
	p.used++
	return column, word
}

// countValues makes sure that the values of a column are counted: by the rows
// where none is NULL, else by a word of their own, which all aggregates of the
// column share.
func (p *planner) countValues(arg int) {
	if _, ok := p.seen[arg]; ok {
		return
	}
	p.seen[arg] = rowsWord
	if p.argType(arg).Nullable {
		_, p.seen[arg] = p.column(fmt.Sprintf("seen$%d", arg), types.Of(types.BigInt))
	}
}

// target is an aggregate's accumulator: its loop, with the word that counts
// its values. COUNT has none but that word.
type target struct {
	op
	has  bool
	seen int
}

func (p *planner) target(i int, a jobgraph.AggregateCall) target {
	t := target{seen: p.seen[a.Arg]}
	fn, arg := name(a), p.argType(a.Arg)
	if fn == "COUNT" {
		return t
	}
	t.has = true
	label := fmt.Sprintf("%s$%d", strings.ToLower(fn), i)
	if fn == "MIN" || fn == "MAX" {
		t.op = p.extreme(label, arg, fn == "MAX")
		return t
	}
	t.op = p.sum(label, arg, fn == "AVG")
	return t
}

func (p *planner) sum(label string, arg types.Type, average bool) op {
	var o op
	switch {
	case arg.Kind == types.Decimal:
		p.wide = p.wide || arg.Precision > localDecimalDigits
		o.kind = opSumDecimal
		_, o.word = p.column(label, types.Of(types.BigInt))
		p.column(label+"$mid", types.Of(types.BigInt))
		p.column(label+"$high", types.Of(types.BigInt))
	case arg.Kind == types.Float && !average:
		o.kind = opSumFloat
		_, o.word = p.column(label, types.Of(types.Float))
	case arg.Kind == types.Double || arg.Kind == types.Float:
		o.kind = opSumDouble
		_, o.word = p.column(label, types.Of(types.Double))
	default:
		o.kind = opSumInt
		_, o.word = p.column(label, types.Of(types.BigInt))
	}
	return o
}

func (p *planner) extreme(label string, arg types.Type, largest bool) op {
	o := op{kind: opExtreme, mask: maskMin, max: largest}
	if largest {
		o.mask = maskMax
	}
	switch arg.Layout() {
	case types.LayoutBytes:
		p.bytes = true
		o.kind = opExtremeBytes
		p.column(label+"$seen", types.Of(types.BigInt))
		o.column, o.word = p.column(label, types.BytesType())
		return o
	case types.LayoutInt128:
		o.kind = opExtremeWide
		_, o.word = p.column(label, types.Of(types.BigInt))
		p.column(label+"$low", types.Of(types.BigInt))
		return o
	case types.LayoutFloat32, types.LayoutFloat64:
		o.kind = opExtremeFloat
	}
	_, o.word = p.column(label, types.Of(types.BigInt))
	return o
}

// rawSteps folds rows: each is a row, and each value of an argument counts.
func (p *planner) rawSteps(targets []target) {
	p.countRows = true
	for i, a := range p.spec.Aggregates {
		if !targets[i].has && p.seen[a.Arg] == rowsWord {
			continue // COUNT of what is never NULL
		}
		ops := p.opsOf(a.Arg)
		if targets[i].has {
			*ops = append(*ops, targets[i].op)
		}
	}
}

// opsOf returns the ops of a column's step, which begin with the count of its
// values where those need one.
func (p *planner) opsOf(column int) *[]op {
	for i := range p.steps {
		if p.steps[i].column == column {
			return &p.steps[i].ops
		}
	}
	s := step{column: column}
	if seen := p.seen[column]; seen != rowsWord {
		s.ops = append(s.ops, op{kind: opCount, word: seen})
	}
	p.steps = append(p.steps, s)
	return &p.steps[len(p.steps)-1].ops
}

// mergeSteps folds partial rows. The values of an argument are counted by the
// partial count that COUNT or AVG bring; where the argument has neither, only
// whether there is any matters, and each partial value counts as one.
func (p *planner) mergeSteps(targets []target) {
	counted := map[int]bool{rowsWord: true}
	column := len(p.spec.Keys) + 1
	for i, a := range p.spec.Aggregates {
		t := targets[i]
		if t.has {
			p.steps = append(p.steps, step{column: column, ops: []op{t.op}})
			column++
		}
		if fn := name(a); fn == "COUNT" || fn == "AVG" {
			if !counted[t.seen] {
				counted[t.seen] = true
				p.steps = append(p.steps, step{column: column, ops: []op{{kind: opSumInt, word: t.seen}}})
			}
			column++
		}
	}
	p.steps = append(p.steps, step{column: column, ops: []op{{kind: opSumInt, word: rowsWord}}})
	p.countPartialValues(targets, counted)
}

func (p *planner) countPartialValues(targets []target, counted map[int]bool) {
	column := len(p.spec.Keys) + 1
	for i, a := range p.spec.Aggregates {
		t := targets[i]
		if t.has && !counted[t.seen] {
			counted[t.seen] = true
			p.steps = append(p.steps, step{column: column, ops: []op{{kind: opCount, word: t.seen}}})
		}
		column++
		if name(a) == "AVG" {
			column++
		}
	}
}

// checkTime reports a time column that can't place rows in windows.
func checkTime(spec *jobgraph.WindowAggregateSpec, raw *types.Schema) error {
	if spec.Time < 0 || spec.Time >= raw.Len() {
		return fmt.Errorf("the input has no column %d for the time", spec.Time)
	}
	f := raw.Fields[spec.Time]
	if f.Type.Kind != types.Timestamp || f.Type.Unit() != types.Millis {
		return fmt.Errorf("time column %s must be a TIMESTAMP of precision 0 to 3, not %s", f.Name, f.Type)
	}
	return nil
}

// keyTypes returns the types of the key columns, or an error for those that
// can't be a key.
func keyTypes(spec *jobgraph.WindowAggregateSpec, raw *types.Schema) ([]types.Type, error) {
	ts := make([]types.Type, len(spec.Keys))
	for i, k := range spec.Keys {
		if k < 0 || k >= raw.Len() {
			return nil, fmt.Errorf("the input has no key column %d", k)
		}
		ts[i] = raw.Fields[k].Type
	}
	_, err := stream.KeyLayoutOf(ts)
	return ts, err
}
