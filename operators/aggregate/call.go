package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/types"
)

func name(a *jobgraph.AggregateCall) string { return strings.ToUpper(a.Func) }

// checkCall reports what no loop can do.
func (p *planner) checkCall(a *jobgraph.AggregateCall) error {
	fn := name(a)
	switch {
	case a.Own != nil:
		return p.checkOwn(a)
	case a.Arg != jobgraph.CountStar && (a.Arg < 0 || a.Arg >= p.Raw.Len()):
		return fmt.Errorf("aggregate %s: the input has no column %d", a.Name, a.Arg)
	case a.Arg == jobgraph.CountStar && (fn != "COUNT" || a.Distinct) && (fn == "LAG" || fn == "LEAD" || !jobgraph.GoesByPlace(fn)):
		return fmt.Errorf("aggregate %s: %s needs a column", a.Name, fn)
	case a.Filtered && (a.Filter < 0 || a.Filter >= p.Raw.Len() || p.Raw.Fields[a.Filter].Type.Kind != types.Boolean):
		return fmt.Errorf("aggregate %s: the filter, column %d, is no BOOLEAN column of the input", a.Name, a.Filter)
	case jobgraph.GoesByPlace(fn):
		return p.checkPlaced(fn, a)
	case p.Merge && !p.Disjoint && p.counted(a):
		return fmt.Errorf("aggregate %s: %s needs the values, which partial rows don't have", a.Name, fn)
	}
	if _, err := a.Type(p.Raw); err != nil {
		return fmt.Errorf("aggregate %s: %w", a.Name, err)
	}
	return nil
}

// counted tells whether a call needs each value counted. DISTINCT does not matter
// to the extremes, nor to the first and the last value.
func (p *planner) counted(a *jobgraph.AggregateCall) bool {
	switch name(a) {
	case "MIN", "MAX":
		return p.Retract
	case "FIRST_VALUE", "LAST_VALUE":
		return false
	default:
		return a.Distinct
	}
}

func (p *planner) argType(arg int) types.Type {
	if arg == jobgraph.CountStar {
		return types.Of(types.BigInt).NotNull()
	}
	return p.Raw.Fields[arg].Type
}

// column adds a column to the table and returns its number and first word.
func (p *planner) column(name string, t types.Type) (column, word int) {
	column, word = len(p.Columns), p.used
	p.Columns = append(p.Columns, statebackend.ColumnSpec{Name: name, Type: t})
	p.words = append(p.words, word)
	p.used++
	return column, word
}

// target is an aggregate's accumulator: its loop, with the source of its values
// and the word that counts them. COUNT has none but that word.
type target struct {
	op
	source source
	has    bool
	counts bool // its partial rows have a count of values
	// squares adds the squares of the values up, where deviates says so.
	squares  op
	deviates bool
	seen     int
	own      *own // a function of the program; nil: a built-in one
}

// sourceOf returns where a call's values come from.
func (p *planner) sourceOf(a *jobgraph.AggregateCall) source {
	s := source{arg: a.Arg, filter: noColumn}
	if jobgraph.GoesByPlace(name(a)) {
		s.arg, s.placed = jobgraph.CountStar, true
		return s
	}
	if a.Filtered {
		s.filter = a.Filter
	}
	if !p.counted(a) {
		return s
	}
	ordered := name(a) == "MIN" || name(a) == "MAX"
	nulls := p.nullsIn(a)
	i := slices.IndexFunc(p.Counted, func(c CountedSpec) bool {
		return c.Arg == a.Arg && c.Ordered == ordered && (!ordered || c.Filters[0] == s.filter) && slices.Equal(c.Rest, a.Rest) && slices.Equal(c.Nulls, nulls)
	})
	if i < 0 {
		i = len(p.Counted)
		p.Counted = append(p.Counted, CountedSpec{Arg: a.Arg, Rest: a.Rest, Nulls: nulls, Ordered: ordered})
	}
	if c := &p.Counted[i]; !slices.Contains(c.Filters, s.filter) {
		c.Filters = append(c.Filters, s.filter)
	}
	s.counted = i + 1
	return s
}

// nullsIn returns in which arguments of a call NULL is a value that counts: in those that a function of the program takes it in. Where it is in none, of
// one, that is said as of built-in functions.
func (p *planner) nullsIn(a *jobgraph.AggregateCall) (nulls []bool) {
	if a.Own == nil {
		return nil
	}
	some := false
	for i, strict := range a.Own.Strict() {
		null := !strict && p.argType(a.Columns()[i]).Nullable
		nulls, some = append(nulls, null), some || null
	}
	if !some && len(nulls) == 1 {
		return nil
	}
	return nulls
}

// countValues returns the word that counts the values of a source: that of the
// rows where each row has one, else one of their own, which all aggregates of the
// source share.
func (p *planner) countValues(s source) int {
	if word, ok := p.seen[s]; ok {
		return word
	}
	word := rowsWord
	if s.counted > 0 || s.filter != noColumn || p.argType(s.arg).Nullable {
		label := fmt.Sprintf("seen$%d", s.arg)
		if s.filter != noColumn {
			label += fmt.Sprintf("$if$%d", s.filter)
		}
		switch {
		case s.counted > 0 && p.Counted[s.counted-1].Ordered:
			label += "$ordered"
		case s.counted > 0:
			label += "$distinct"
		}
		_, word = p.column(label, types.Of(types.BigInt))
	}
	p.seen[s] = word
	return word
}

func (p *planner) target(i int, a *jobgraph.AggregateCall, t *target) (err error) {
	if a.Own != nil {
		t.own, err = p.own(i, a)
		return err
	}
	fn, arg := name(a), p.argType(a.Arg)
	t.counts = fn == "COUNT" || a.BringsCount(p.Retract)
	if fn == "COUNT" {
		return nil
	}
	t.has = true
	label := fmt.Sprintf("%s$%d", strings.ToLower(fn), i)
	switch fn {
	case "MIN", "MAX":
		t.op = p.extreme(label, arg, fn == "MAX")
		if from := t.source; from.counted > 0 {
			p.extremes = append(p.extremes, extreme{op: t.op, counted: from.counted - 1})
		}
	case "FIRST_VALUE":
		t.op = p.kept(label, arg, opFirst)
	case "LAST_VALUE":
		t.op = p.kept(label, arg, opLast)
	case "LISTAGG":
		t.op = p.kept(label, arg, opList)
		t.separator = []byte(a.Separator)
	case "LAG":
		t.op = p.lag(label, arg, a)
	case "LEAD", "NTILE", "PERCENT_RANK", "CUME_DIST":
		t.op = p.whole(label, fn, arg, a)
	case "RANK":
		p.Ranked = true
		t.op = op{kind: opRank}
		p.column(label+"$rows", types.Of(types.BigInt))
		_, t.word = p.column(label, types.Of(types.BigInt))
	case "DENSE_RANK":
		p.Ranked = true
		t.op = op{kind: opDenseRank}
		_, t.word = p.column(label, types.Of(types.BigInt))
	case "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP":
		t.op = p.sum(label, arg, true)
		t.squares, t.deviates = p.squares(label, arg), true
	default:
		t.op = p.sum(label, arg, fn == "AVG")
	}
	return nil
}

// wide adds a column of jobgraph.SumWords words.
func (p *planner) wide(label string) (word int) {
	_, word = p.column(label, types.Of(types.BigInt))
	p.column(label+"$mid", types.Of(types.BigInt))
	p.column(label+"$high", types.Of(types.BigInt))
	return word
}

func (p *planner) sum(label string, arg types.Type, average bool) op {
	var o op
	switch {
	case arg.Kind == types.Decimal:
		o.kind, o.word = opSumDecimal, p.wide(label)
	case arg.Kind == types.Float && !average:
		o.kind, p.Inexact = opSumFloat, true
		_, o.word = p.column(label, types.Of(types.Float))
	case arg.Kind == types.Double || arg.Kind == types.Float:
		o.kind, p.Inexact = opSumDouble, true
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

// kept is the accumulator of an aggregate that gives a value as it came.
func (p *planner) kept(label string, arg types.Type, kind opKind) op {
	o := op{kind: kind}
	p.column(label+"$seen", types.Of(types.BigInt))
	switch arg.Layout() {
	case types.LayoutBytes:
		p.Bytes, o.bytes = true, true
		o.column, o.word = p.column(label, types.BytesType())
	case types.LayoutInt128:
		_, o.word = p.column(label, types.Of(types.BigInt))
		p.column(label+"$low", types.Of(types.BigInt))
	case types.LayoutFloat32:
		_, o.word = p.column(label, types.Of(types.Float))
	case types.LayoutFloat64:
		_, o.word = p.column(label, types.Of(types.Double))
	default:
		_, o.word = p.column(label, types.Of(types.BigInt))
	}
	return o
}

// emitters adds what an aggregate gives, finally and in part.
func (p *planner) emitters(a *jobgraph.AggregateCall, t target) {
	if t.own != nil {
		p.ownEmitters(t.own)
		return
	}
	fn, arg := name(a), p.argType(a.Arg)
	out, _ := a.Type(p.Raw) // checked
	count := Emitter{kind: emitInt, t: types.Of(types.BigInt).NotNull(), word: t.seen, always: true}
	if fn == "COUNT" {
		p.Final, p.Partial = append(p.Final, count), append(p.Partial, count)
		return
	}
	e := Emitter{t: out, word: t.word, column: t.column, mask: t.mask, seen: t.seen, scale: arg.Scale}
	e.kind = emitKindOf(t.kind, arg)
	e.always = t.seen == rowsWord && !p.Empty
	p.partial(a, t, e)
	if t.counts {
		p.Partial = append(p.Partial, count)
	}
	switch {
	case fn == "AVG":
		e.kind = map[opKind]emitKind{
			opSumInt: emitAverageInt, opSumDouble: emitAverageDouble, opSumDecimal: emitAverageDecimal,
		}[t.kind]
	case t.deviates:
		e.deviate(fn, t)
	case fn == "SUM0":
		e.always = true
	case fn == "LAG" || fn == "LEAD":
		e.seen, e.always = t.word-1, false
	}
	p.Final = append(p.Final, e)
}

// partial adds what an aggregate's accumulator is in a partial row, e but for its type.
func (p *planner) partial(a *jobgraph.AggregateCall, t target, e Emitter) {
	// Where as many values came as went, something may be left of their sum.
	e.always = e.always || p.Retract
	if t.kind == opSumInt && name(a) != "SUM" && name(a) != "SUM0" {
		e.t = types.Of(types.BigInt)
	}
	p.partialOp(t.kind, t.word, e)
	if t.deviates {
		p.partialOp(t.squares.kind, t.squares.word, e)
	}
}

func (p *planner) partialOp(kind opKind, word int, e Emitter) {
	e.word = word
	switch kind {
	case opSumDecimal, opSquaresInt, opSquaresDecimal:
		e.kind, e.t = emitInt, types.Of(types.BigInt)
		for i := range jobgraph.SumWords {
			e.word = word + i
			p.Partial = append(p.Partial, e)
		}
		return
	case opSumDouble, opSquaresDouble:
		e.kind, e.t = emitDouble, types.Of(types.Double)
	default: // shown as it is kept
	}
	p.Partial = append(p.Partial, e)
}

// emitKindOf returns how the accumulator of a loop over values of a type is shown.
func emitKindOf(kind opKind, arg types.Type) emitKind {
	switch kind {
	case opSumFloat:
		return emitFloat
	case opSumDouble, opPercentRank, opCumeDist:
		return emitDouble
	case opSumDecimal:
		return emitDecimal
	case opExtreme:
		return emitExtreme
	case opExtremeFloat:
		return emitExtremeFloat
	case opExtremeWide:
		return emitExtremeWide
	case opExtremeBytes, opList:
		return emitBytes
	case opFirst, opLast, opLag, opLead:
		return map[types.Layout]emitKind{
			types.LayoutBytes: emitBytes, types.LayoutInt128: emitExtremeWide, types.LayoutFloat32: emitFloat, types.LayoutFloat64: emitDouble,
		}[arg.Layout()] // of other layouts emitInt, the zero
	default:
		return emitInt
	}
}
