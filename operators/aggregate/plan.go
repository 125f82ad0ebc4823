package aggregate

import (
	"slices"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Accumulators is what the loops need of a table's part: statebackend.Part and
// Table have it.
type Accumulators interface {
	Rows() statebackend.Rows
	Bytes(column int, slot statebackend.Slot) []byte
	SetBytes(column int, slot statebackend.Slot, value []byte) error
}

// opKind names a loop over the values of one column.
type opKind uint8

const (
	opCount          opKind = iota // one more for each value
	opSumInt                       // wraps
	opSumFloat                     // in 32 bits, as Flink does
	opSumDouble                    //
	opSumDecimal                   // 192 bits, never overflows
	opSumWords                     // of partial rows: such sums, of three columns
	opSquaresInt                   // 192 bits, of values squared
	opSquaresDouble                //
	opSquaresDecimal               // 192 bits
	opExtreme                      // of integers, times and booleans
	opExtremeFloat                 // of FLOAT and DOUBLE
	opExtremeWide                  // of a DECIMAL above 18 digits
	opExtremeBytes                 // of strings
	opFirst                        // the first value to come, of any layout
	opLast                         //
	opList                         // strings with a separator between
	opLag                          // the value so many rows in front, of any layout
	opRank                         // one more than how many rows are in front of a row's peers
	opDenseRank                    // how many kinds of peers there are
	opLead                         // the value so many rows behind
	opTile                         // which of so many parts of a partition has the row
	opPercentRank                  // how much of a partition is in front of a row's peers
	opCumeDist                     // and how much with them
)

// op is a loop with the place of its accumulator.
//
// MIN and MAX of fixed-width values share one loop, "the larger code wins": the
// code is the value with the bits of mask flipped, which turns the order round
// for MIN and makes zero, which a new row holds, the code that every other beats.
type op struct {
	kind   opKind
	word   int
	column int // of the table, for bytes
	mask   uint64
	max    bool
	bytes  bool // the value of opFirst and opLast is that of a bytes column
	// separator stands between the values of a list.
	separator []byte
	lag       lag
	// fit turns the squares of DECIMALs into those that are added up.
	fit *fitting
}

const (
	maskMax = 1 << 63
	maskMin = 1<<63 - 1
)

// noColumn stands for a column that there is not.
const noColumn = -1

// source names values: those of a column that are not NULL, in the rows that a
// filter admits; or, where they are counted, each of them as often as it appears
// anew and goes for good.
type source struct {
	arg    int // jobgraph.CountStar: the rows themselves
	filter int // a BOOLEAN column; noColumn admits all rows
	// counted is one more than the position among Plan.Counted, 0: plain values.
	counted int
	// placed has the loops go over all rows, one by one, in their order.
	placed bool
}

// step feeds a source to loops.
type step struct {
	source
	variant int // of the counted values: the position among their filters
	ops     []op
	// fused are those of the source's loops that one pass does, together.
	fused fused
	// distinct tells, of partial rows, that the accumulators are those of DISTINCT calls.
	distinct bool
	// own is the function of the program that the values are for, nil: loops; merges tells that they are its accumulators, from column arg on.
	own    *own
	merges bool
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
	// countRows says that each input row counts as one. Partial rows bring their
	// number, and a Group counts the rows that it admits.
	countRows bool
	steps     []step
	// Counted are the values that have to be counted: for DISTINCT, and for MIN
	// and MAX of rows that may be taken back.
	Counted  []CountedSpec
	extremes []extreme // of counted values
	// Listed are the values that have to be kept in their order.
	Listed []ListedSpec
	// stepped are the calls of functions of the program where they go step by step, and folded how many columns those have that are folded.
	stepped []steppedCall
	folded  int
	// Final gives the aggregates' values, Partial those of partial rows: the
	// accumulators as jobgraph lays them out, and how many rows they stand for.
	Final, Partial []Emitter
	// Bytes tells whether any accumulator has variable length.
	Bytes bool
	// plain tells that all values of a column are folded, whatever else a row says.
	plain bool
	// Ranked tells that loops ask which rows are peers: Folder.Peers.
	Ranked bool
	// Unmerged tells that there is a function of the program that can't merge what was kept of parts of a group.
	Unmerged bool
	// Inexact tells that there are sums of floating-point numbers, of which something
	// may be left when all rows were taken back.
	Inexact bool
}

// CountedSpec says of which column values are counted.
type CountedSpec struct {
	Arg     int
	Filters []int // a count for each; -1 admits every row
	// Rest are further columns, whose values are one with that of Arg, for functions of the program. Nulls says, where NULL may be part of such
	// values or there are further columns, in which of the columns it may be; a row that has one in another has no value.
	Rest  []int
	Nulls []bool
	// Ordered says that the least or the largest is asked for, among the rows that the
	// only filter admits.
	Ordered bool
}

// columns returns those that have the values.
func (c *CountedSpec) columns() []int { return append([]int{c.Arg}, c.Rest...) }

// has tells whether a row has a value.
func (c *CountedSpec) has(b *stream.Batch, row int) bool {
	if b.Columns[c.Arg].IsNull(row) && (c.Nulls == nil || !c.Nulls[0]) {
		return false
	}
	for i, column := range c.Rest {
		if !c.Nulls[1+i] && b.Columns[column].IsNull(row) {
			return false
		}
	}
	return true
}

// rowsWord counts the input rows behind a table row.
const rowsWord = 0

// RowsBehind returns how many input rows stand behind a row of accumulators, by its
// words.
func RowsBehind(words []uint64) int64 { return int64(words[rowsWord]) }

// Input is what a plan is made for.
type Input struct {
	Calls []jobgraph.AggregateCall
	Raw   *types.Schema // of the rows that are aggregated, in two phases or one
	// Merge says that what comes are the partial rows that a first phase made of raw
	// ones; their accumulators stand in the columns from MergeFrom on.
	Merge     bool
	MergeFrom int
	// Disjoint says that none of the partial rows that are merged shares a value of a DISTINCT call with another:
	// who merges sees to that.
	Disjoint bool
	// Retract says that rows may take others back.
	Retract bool
	// Empty says that accumulators are shown behind which there is no row.
	Empty bool
	// Functions has those of the job's program; nil: it has none.
	Functions *expr.Registry
	// Stepwise leaves the calls of these to Steps: what is folded, copied and emitted is that of the others.
	Stepwise bool
}

// steppedCall is a call of a function of the program that goes step by step.
type steppedCall struct {
	own     *own
	source  source
	variant int
}

// planner makes a plan.
type planner struct {
	Plan
	Input
	seen map[source]int // word that counts the values of a source
	used int            // words
}

// NewPlan makes a plan. What a call can't do is an error that names it.
func NewPlan(in Input) (*Plan, error) {
	p := &planner{Input: in, seen: map[source]int{}}
	p.column("rows", types.Of(types.BigInt))
	for i := range in.Calls {
		if err := p.checkCall(&in.Calls[i]); err != nil {
			return nil, err
		}
	}
	targets := make([]target, len(in.Calls))
	for i := range in.Calls {
		if targets[i].source = p.sourceOf(&in.Calls[i]); in.Calls[i].Own != nil {
			continue // it counts for itself
		}
		targets[i].seen = p.countValues(targets[i].source)
	}
	if err := p.targets(targets); err != nil {
		return nil, err
	}
	for i := range in.Calls {
		p.emitters(&in.Calls[i], targets[i])
	}
	p.Partial = append(p.Partial, Emitter{kind: emitInt, t: types.Of(types.BigInt).NotNull(), word: rowsWord})
	if in.Merge {
		p.mergeSteps(targets)
	} else {
		p.rawSteps(targets)
	}
	p.plain = true
	for i := range p.steps {
		p.plain = p.plain && p.steps[i].filter == noColumn && p.steps[i].own == nil
		p.steps[i].fuse(!in.Retract)
	}
	return &p.Plan, nil
}

// targets makes the accumulators. Those of calls that go step by step stand behind the others.
func (p *planner) targets(targets []target) error {
	only := func(own bool) error {
		for i := range p.Calls {
			a := &p.Calls[i]
			if (p.Stepwise && a.Own != nil) != own {
				continue
			}
			if err := p.target(i, a, &targets[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := only(false); err != nil {
		return err
	}
	p.folded = len(p.Columns)
	if err := only(true); err != nil || !p.Stepwise {
		return err
	}
	for _, t := range targets {
		if t.own == nil {
			continue
		}
		s := steppedCall{own: t.own, source: t.source}
		if t.source.counted > 0 {
			s.variant = p.variant(t.source)
		}
		p.stepped = append(p.stepped, s)
	}
	return nil
}

// fuse moves the first loop of each kind that fused knows there, if the column
// has integers at all.
func (s *step) fuse(may bool) {
	s.fused = noFused
	integers := slices.ContainsFunc(s.ops, func(o op) bool { return o.kind == opSumInt || o.kind == opExtreme })
	if !integers || !may {
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

// rawSteps folds rows: each is a row, and each value of a source counts.
func (p *planner) rawSteps(targets []target) {
	p.countRows = true
	for _, t := range targets {
		if t.own != nil {
			if p.Stepwise {
				continue
			}
			s := step{source: t.source, own: t.own}
			if s.counted > 0 {
				s.variant = p.variant(t.source)
			}
			p.steps = append(p.steps, s)
			continue
		}
		listed := p.Retract && t.kind >= opFirst
		if listed {
			p.listed(t.source, t.op)
		}
		if (!t.has || listed) && t.seen == rowsWord {
			continue // COUNT of what is never NULL
		}
		ops := p.opsOf(t.source)
		if t.has && !listed {
			*ops = append(*ops, t.op)
		}
		if t.deviates {
			*ops = append(*ops, t.squares)
		}
	}
}

// variant returns the position of a source of counted values among their filters.
func (p *planner) variant(from source) int {
	return slices.Index(p.Counted[from.counted-1].Filters, from.filter)
}

// opsOf returns the ops of a source's step, which begin with the count of its
// values where those need one.
func (p *planner) opsOf(from source) *[]op {
	for i := range p.steps {
		if p.steps[i].source == from {
			return &p.steps[i].ops
		}
	}
	s := step{source: from}
	if from.counted > 0 {
		s.variant = p.variant(from)
	}
	if seen := p.seen[from]; seen != rowsWord {
		s.ops = append(s.ops, op{kind: opCount, word: seen})
	}
	p.steps = append(p.steps, s)
	return &p.steps[len(p.steps)-1].ops
}

// mergeSteps folds partial rows. The values of a source are counted by the
// partial count that COUNT or AVG bring; where the source has neither, only
// whether there is any matters, and each partial value counts as one.
func (p *planner) mergeSteps(targets []target) {
	merge := func(of source, column int, o op) int {
		p.steps = append(p.steps, step{source: source{arg: column, filter: noColumn}, ops: []op{o}, distinct: of.counted > 0})
		if o.kind == opSumWords {
			return column + jobgraph.SumWords
		}
		return column + 1
	}
	counted := map[int]bool{rowsWord: true}
	column := p.MergeFrom
	first := make([]int, len(targets)) // the column of each
	for i, t := range targets {
		first[i] = column
		if t.own != nil {
			p.steps = append(p.steps, step{source: source{arg: column, filter: noColumn}, own: t.own, merges: true, distinct: t.source.counted > 0})
			column += t.own.width
			continue
		}
		if t.has {
			column = merge(t.source, column, merged(t.op))
		}
		if t.deviates {
			column = merge(t.source, column, merged(t.squares))
		}
		if t.counts {
			if !counted[t.seen] {
				counted[t.seen] = true
				merge(t.source, column, op{kind: opSumInt, word: t.seen})
			}
			column++
		}
	}
	merge(source{}, column, op{kind: opSumInt, word: rowsWord})
	for i, t := range targets {
		if t.has && !counted[t.seen] {
			counted[t.seen] = true
			merge(t.source, first[i], op{kind: opCount, word: t.seen})
		}
	}
}

// Apart returns a plan that merges partial rows as two: one for the accumulators of DISTINCT calls, and one for all else.
func (p *Plan) Apart() (distinct, other *Plan) {
	parts := [2]Plan{*p, *p}
	for i := range parts {
		parts[i].steps = slices.DeleteFunc(slices.Clone(p.steps), func(s step) bool { return s.distinct != (i == 0) })
	}
	return &parts[0], &parts[1]
}

// merged returns the loop that folds what a loop made of rows.
func merged(o op) op {
	switch o.kind {
	case opSumDecimal, opSquaresInt, opSquaresDecimal:
		o.kind = opSumWords
	case opSquaresDouble:
		o.kind = opSumDouble
	default: // partial rows are merged as values are
	}
	return o
}
