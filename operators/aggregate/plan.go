package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/types"
)

// Accumulators is what the loops need of a table's part: statebackend.Part and
// Local's own table have it.
type Accumulators interface {
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

// Plan is how rows are folded into accumulators and how these become columns.
// It is made once and does not change.
type Plan struct {
	// Columns are those of the table that holds the accumulators.
	Columns []statebackend.ColumnSpec
	words   []int // the first word of each column
	// countRows says that each input row counts as one; partial rows bring
	// their number.
	countRows bool
	steps     []step
	// Final gives the aggregates' values, Partial those of partial rows: the
	// accumulators as jobgraph lays them out, and how many rows they stand for.
	Final, Partial []Emitter
	// Bytes tells whether any accumulator has variable length.
	Bytes bool
	// Wide tells that sums need more digits than a partial row carries.
	Wide bool
}

// rowsWord counts the input rows behind a table row.
const rowsWord = 0

// planner makes a plan.
type planner struct {
	Plan
	calls []jobgraph.AggregateCall
	raw   *types.Schema
	seen  map[int]int // word that counts the values of a raw column
	used  int         // words
}

// Raw is the partialFrom of a plan over raw rows.
const Raw = -1

// NewPlan makes the plan of aggregates over raw rows. With partialFrom other than
// Raw it folds the partial rows that a first phase makes of them, whose
// accumulators stand in the columns from there on.
func NewPlan(calls []jobgraph.AggregateCall, raw *types.Schema, partialFrom int) (*Plan, error) {
	p := &planner{calls: calls, raw: raw, seen: map[int]int{}}
	p.column("rows", types.Of(types.BigInt))
	for _, a := range calls {
		if err := p.checkCall(a); err != nil {
			return nil, err
		}
		p.countValues(a.Arg)
	}
	targets := make([]target, len(calls))
	for i, a := range calls {
		targets[i] = p.target(i, a)
		p.emitters(a, targets[i])
	}
	p.Partial = append(p.Partial, Emitter{kind: emitInt, t: types.Of(types.BigInt).NotNull(), word: rowsWord})
	if partialFrom != Raw {
		p.mergeSteps(targets, partialFrom)
	} else {
		p.rawSteps(targets)
	}
	for i := range p.steps {
		p.steps[i].fuse()
	}
	return &p.Plan, nil
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
	column, word = len(p.Columns), p.used
	p.Columns = append(p.Columns, statebackend.ColumnSpec{Name: name, Type: t})
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
		p.Wide = p.Wide || arg.Precision > localDecimalDigits
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
		p.Bytes = true
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
	for i, a := range p.calls {
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
func (p *planner) mergeSteps(targets []target, from int) {
	counted := map[int]bool{rowsWord: true}
	column := from
	for i, a := range p.calls {
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
	p.countPartialValues(targets, from, counted)
}

func (p *planner) countPartialValues(targets []target, from int, counted map[int]bool) {
	column := from
	for i, a := range p.calls {
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
