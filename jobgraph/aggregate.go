package jobgraph

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"millrace/expr"
	"millrace/types"
)

// AggregateCall is an aggregate function over a column.
type AggregateCall struct {
	Func string // COUNT, SUM, MIN, MAX, AVG, ...
	Arg  int    // a column of the (raw) input; CountStar for COUNT(*)
	Name string // of the output column
	// Distinct has each value count once.
	Distinct bool
	// Filtered has only those rows count of which the BOOLEAN column Filter is TRUE.
	Filtered bool
	Filter   int
	// Separator stands between the values that LISTAGG gives.
	Separator string
	// Offset is how many rows in front of a row LAG looks, and LEAD behind it. Where there are not as many they give the row's own value in column
	// Default if Defaulted, and NULL otherwise. Of NTILE it is how many tiles there are.
	Offset    int64
	Defaulted bool
	Default   int
	// Own is the function of the job's program that Func names; nil: a built-in one. A graph that is read finds it in its Program.
	Own *expr.Declared
	// Rest are the columns of Own's arguments behind the first one.
	Rest []int
}

// Columns returns the columns of the arguments, in order; none where the rows themselves count.
func (a *AggregateCall) Columns() []int {
	if a.Arg == CountStar {
		return nil
	}
	return append([]int{a.Arg}, a.Rest...)
}

// CountStar is the Arg of COUNT(*), and of functions that go by the place of a row alone.
const CountStar = -1

var aggregateNames = []string{
	"AVG", "COUNT", "FIRST_VALUE", "LAST_VALUE", "LISTAGG", "MAX", "MIN", "STDDEV_POP", "STDDEV_SAMP", "SUM", "SUM0", "VAR_POP", "VAR_SAMP",
}

var (
	placeNames = []string{"DENSE_RANK", "LAG", "RANK"}
	wholeNames = []string{"CUME_DIST", "LEAD", "NTILE", "PERCENT_RANK"}
)

// GoesByPlace tells whether a function, by its name in capitals, goes by the place of a row among others: only OVER has it, over all rows up to it.
func GoesByPlace(function string) bool {
	return slices.Contains(placeNames, function) || GoesByWhole(function)
}

// GoesByWhole tells whether a function that goes by the place of a row, by its name in capitals, needs the rows behind it too. It is for rows that are
// answered at the end.
func GoesByWhole(function string) bool { return slices.Contains(wholeNames, function) }

// shifts tells whether a function gives the value of a row some rows away.
func shifts(function string) bool { return function == "LAG" || function == "LEAD" }

// GoesByOrder tells whether the result of an aggregate function, by its name in capitals, depends on the order in
// which rows come. Partial rows don't keep it.
func GoesByOrder(function string) bool {
	return function == "FIRST_VALUE" || function == "LAST_VALUE" || function == "LISTAGG"
}

// Deviates tells whether an aggregate function, by its name in capitals, is one of those that go by the squares
// of values.
func Deviates(function string) bool {
	switch function {
	case "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP":
		return true
	default:
		return false
	}
}

// field returns the output column of the call.
func (a *AggregateCall) field(in *types.Schema) (types.Field, error) {
	t, err := a.Type(in)
	return types.Field{Name: a.Name, Type: t}, err
}

// Type returns the type of the result over rows of a schema that has the column.
func (a *AggregateCall) Type(in *types.Schema) (types.Type, error) {
	name := strings.ToUpper(a.Func)
	switch {
	case a.Own != nil:
		return a.Own.Result, a.ownArgs(in)
	case name == "PERCENT_RANK" || name == "CUME_DIST":
		return types.Of(types.Double).NotNull(), nil
	case GoesByPlace(name) && !shifts(name):
		return types.Of(types.BigInt).NotNull(), nil
	case a.Arg == CountStar:
		return expr.AggregateType(name, a.argType(in))
	}
	arg := a.argType(in)
	if l := arg.Layout(); name != "COUNT" && (l == types.LayoutNone || l >= types.LayoutList) {
		return types.Type{}, fmt.Errorf("%s: there is no aggregate over values of type %s", name, arg)
	}
	if shifts(name) {
		return a.shiftedType(arg, in)
	}
	if !slices.Contains(aggregateNames, name) {
		return types.Type{}, fmt.Errorf("no operator has the aggregate function %s", name)
	}
	return expr.AggregateResult(name, []types.Type{arg})
}

// shiftedType returns the type of what LAG and LEAD give, which is NULL for rows that are not there unless something stands for them.
func (a *AggregateCall) shiftedType(arg types.Type, in *types.Schema) (types.Type, error) {
	if !a.Defaulted {
		return arg.AsNullable(), nil
	}
	instead := in.Fields[a.Default].Type
	if !instead.EqualIgnoringNull(arg) {
		return types.Type{}, fmt.Errorf("%s: values are %s, and what stands for rows that are not there is %s", strings.ToUpper(a.Func), arg, instead)
	}
	if instead.Nullable {
		return instead, nil
	}
	return arg, nil
}

// same tells whether two calls aggregate the same, whatever they call it.
func (a *AggregateCall) same(b *AggregateCall) bool {
	x, y := *a, *b
	x.Func, y.Func, x.Name, y.Name = strings.ToUpper(x.Func), strings.ToUpper(y.Func), "", ""
	x.Own, y.Own = nil, nil // of one name there is one
	x.Rest, y.Rest = nil, nil
	return slices.Equal(a.Rest, b.Rest) && reflect.DeepEqual(x, y)
}

// sameCalls tells whether lists of calls aggregate the same.
func sameCalls(a, b []AggregateCall) bool {
	return slices.EqualFunc(a, b, func(x, y AggregateCall) bool { return x.same(&y) })
}

func (a *AggregateCall) argType(in *types.Schema) types.Type {
	if a.Arg == CountStar {
		return types.Of(types.BigInt).NotNull()
	}
	return in.Fields[a.Arg].Type
}

// text shows the call to people.
func (a *AggregateCall) text(in *types.Schema) string {
	arg := "*"
	if a.Arg != CountStar {
		arg = columnNames(in, a.Columns())
	}
	if a.Distinct {
		arg = "DISTINCT " + arg
	}
	if a.Separator != "" {
		arg += fmt.Sprintf(", '%s'", a.Separator)
	}
	switch name := strings.ToUpper(a.Func); {
	case shifts(name):
		arg += fmt.Sprintf(", %d", a.Offset)
		if a.Defaulted {
			arg += ", " + in.Fields[a.Default].Name
		}
	case name == "NTILE":
		arg = strconv.FormatInt(a.Offset, 10)
	case GoesByPlace(name):
		arg = ""
	}
	filter := ""
	if a.Filtered {
		filter = " where " + in.Fields[a.Filter].Name
	}
	return fmt.Sprintf("%s = %s(%s)%s", a.Name, strings.ToUpper(a.Func), arg, filter)
}

// BringsCount tells whether partial rows have, behind the call's accumulator, the count of its values.
func (a *AggregateCall) BringsCount(retract bool) bool {
	fn := strings.ToUpper(a.Func)
	return a.Own == nil && (fn == "AVG" || Deviates(fn) || retract && fn != "COUNT")
}

// partialFields returns the accumulator columns of partial rows, PartialRows behind them.
//
// The accumulators are: of COUNT, the count; of AVG, sum and count; of deviations sum, sum of squares and count; of others the value
// (NULL before the first), in the result's type, and where rows may be taken back the count of values, too. Sums of
// DECIMALs, which may have more digits than any DECIMAL, and sums of squares of exact numbers are three words, low first.
func partialFields(calls []AggregateCall, in *types.Schema, retract bool) (fields []types.Field, err error) {
	count := types.Of(types.BigInt).NotNull()
	for i := range calls {
		a := &calls[i]
		f, err := a.field(in)
		if err != nil {
			return nil, err
		}
		if a.Own != nil {
			fields = append(fields, a.ownFields(i)...)
			continue
		}
		fn := strings.ToUpper(a.Func)
		f.Name, f.Type = fmt.Sprintf("%s$%d", strings.ToLower(a.Func), i), f.Type.AsNullable()
		label := f.Name
		if a.BringsCount(retract) {
			label += "$sum"
		}
		switch {
		case fn == "COUNT":
			f.Type = count
			fields = append(fields, f)
		case Deviates(fn):
			fields = append(fields, sumFields(label, a.argType(in), true)...)
			fields = append(fields, squareFields(f.Name+"$squares", a.argType(in))...)
		case fn == "SUM" || fn == "SUM0" || fn == "AVG":
			fields = append(fields, sumFields(label, a.argType(in), fn == "AVG")...)
		default:
			fields = append(fields, types.Field{Name: label, Type: f.Type})
		}
		if a.BringsCount(retract) {
			fields = append(fields, types.Field{Name: f.Name + "$count", Type: count})
		}
	}
	return append(fields, types.Field{Name: PartialRows, Type: count}), nil
}

// SumWords is how many words, and columns of partial rows, a sum has that may have more digits than a DECIMAL.
const SumWords = 3

// sumFields returns the columns of a sum of values of a type. That of an average is wider than they are.
func sumFields(name string, arg types.Type, average bool) []types.Field {
	switch {
	case arg.Kind == types.Decimal:
		return wordFields(name)
	case arg.Kind == types.Float && average:
		arg = types.Of(types.Double)
	case arg.Kind != types.Double && arg.Kind != types.Float && average:
		arg = types.Of(types.BigInt)
	}
	return []types.Field{{Name: name, Type: arg.AsNullable()}}
}

// squareFields returns the columns of a sum of squares.
func squareFields(name string, arg types.Type) []types.Field {
	if arg.Kind == types.Double || arg.Kind == types.Float {
		return []types.Field{{Name: name, Type: types.Of(types.Double)}}
	}
	return wordFields(name)
}

func wordFields(name string) []types.Field {
	word := types.Of(types.BigInt)
	return []types.Field{{Name: name + "$low", Type: word}, {Name: name + "$mid", Type: word}, {Name: name + "$high", Type: word}}
}

// callsCheck says what is asked of the aggregates of an operator.
type callsCheck struct {
	retract bool // rows may take others back
	partial bool // first phase, whose partial rows have no values
	place   bool // there are functions that go by the place of a row, over frames of all rows up to it
	whole   bool // and those that need the rows behind it
	leaves  bool // rows leave what the calls go over, which functions of the program take back
}

// aggregates checks the calls over an input, nil where it is not known.
func (c *operatorCheck) aggregates(field string, calls []AggregateCall, in *types.Schema, of callsCheck) {
	if !c.atMost(c.id, c.at(field), len(calls), AggregatesMax) {
		return
	}
	for i, a := range calls {
		c.aggregate(fmt.Sprintf("%s[%d]", field, i), a, in, of)
	}
}

func (c *operatorCheck) aggregate(field string, a AggregateCall, in *types.Schema, of callsCheck) {
	name := strings.ToUpper(a.Func)
	if a.Name == "" {
		c.addf(field+".name", "is empty")
	}
	if a.Own != nil {
		c.own(field, &a, in, of)
		return
	}
	switch placed := GoesByPlace(name); {
	case !placed && !slices.Contains(aggregateNames, name):
		c.unknown(c.id, c.at(field+".func"), "aggregate function", a.Func, aggregateNames)
		return
	case placed && !of.place:
		c.addf(field+".func", "%s is for an over aggregate whose frame is all rows up to a row", name)
		return
	case GoesByWhole(name) && !of.whole:
		c.addf(field+".func", "%s needs the rows behind a row: it is for an over aggregate with final_only", name)
		return
	case placed && !c.placed(field, name, &a, in):
		return
	}
	switch {
	case len(a.Rest) > 0:
		c.addf(field+".rest", "%s takes one column: there are more for functions of the program alone", name)
	case a.Distinct && a.Arg == CountStar:
		c.addf(field+".distinct", "needs a column")
	case of.partial && GoesByOrder(name):
		c.addf(field+".func", "partial rows don't have the order of rows: %s needs one phase", name)
	case of.partial && a.NeedsDistinct():
		c.addf(field+".distinct", "partial rows don't have the values: DISTINCT needs one phase")
	case of.partial && of.retract && (name == "MIN" || name == "MAX"):
		c.addf(field+".func", "partial rows don't have the values: %s of rows that may be taken back needs one phase", name)
	}
	c.filter(field, &a, in)
	if a.Arg == CountStar {
		if name != "COUNT" && (shifts(name) || !GoesByPlace(name)) {
			c.addf(field+".arg", "%s needs a column", name)
		}
		return
	}
	if in == nil || !c.column(c.id, c.at(field+".arg"), a.Arg, in) {
		return
	}
	if _, err := a.Type(in); err != nil {
		c.addf(field+".arg", "%s", err)
	}
}

// NeedsDistinct tells whether the call has DISTINCT, and would give something else without it.
func (a *AggregateCall) NeedsDistinct() bool {
	name := strings.ToUpper(a.Func)
	return a.Distinct && name != "MIN" && name != "MAX" && name != "FIRST_VALUE" && name != "LAST_VALUE"
}

// placed checks what only calls have that go by the place of a row, and tells whether the rest can be looked at.
func (c *operatorCheck) placed(field, name string, a *AggregateCall, in *types.Schema) bool {
	switch {
	case a.Distinct || a.Filtered:
		c.addf(field+".func", "%s goes by all rows: it has neither DISTINCT nor a filter", name)
	case !shifts(name) && a.Arg != CountStar:
		c.addf(field+".arg", "%s goes by no column, want %d", name, CountStar)
	case name == "NTILE" && a.Offset < 1:
		c.addf(field+".offset", "is %d, want a tile at least", a.Offset)
	case a.Offset < 0 || name == "LAG" && a.Offset > LagRowsMax:
		c.addf(field+".offset", "is %d, want 0 to %d rows", a.Offset, LagRowsMax)
	case a.Defaulted && in != nil && !c.column(c.id, c.at(field+".default"), a.Default, in):
	default:
		return true
	}
	return false
}
