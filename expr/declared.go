package expr

import (
	"fmt"
	"slices"
	"strings"

	"millrace/types"
)

// Declared is a function that takes arguments of given types and gives a given type: a function of a program. There are no others of its name.
type Declared struct {
	// Name is an identifier in upper case.
	Name string
	Kind FuncKind
	Args []types.Type
	// Result is that of one row; of a TableFunc it is a ROW NOT NULL of its columns.
	Result types.Type
	// Varies is as Signature's.
	Varies bool
	// Accumulator is what an AggregateFunc keeps of a group, each a value that is 0, empty or FALSE in a group of which nothing has come. Retracts tells that values
	// may be taken back, Merges that what was kept of two parts of a group can become that of both.
	Accumulator      []types.Field
	Retracts, Merges bool
}

// Signature returns the function as a registry has it, with what evaluates it.
//
// An argument that is NOT NULL takes no NULL: for rows that have one the function is not called, and gives NULL, or no row, or the value counts for nothing.
func (d *Declared) Signature(impl any) Signature {
	return Signature{
		Name: d.Name, Kind: d.Kind, MinArgs: len(d.Args), MaxArgs: len(d.Args), Varies: d.Varies, Impl: impl, Declared: d,
		Params: d.params, Resolve: d.resolve, Family: "Functions of the program",
	}
}

// Takes returns which argument of these types is none that the function is called with, as a tree has it whose casts are explicit.
func (d *Declared) Takes(args []types.Type) error {
	if len(args) != len(d.Args) {
		return fmt.Errorf("%s takes %d arguments, got %d", d.Name, len(d.Args), len(args))
	}
	for i, t := range args {
		if !within(t, d.Args[i]) {
			return fmt.Errorf("%s: %w", d.Name, refuse(i, t, d.Args[i].AsNullable().String()))
		}
	}
	return nil
}

func (d *Declared) params(args []types.Type) ([]types.Type, error) {
	out := make([]types.Type, len(args))
	for i, t := range args {
		want := d.Args[i]
		switch {
		case within(t, want): // its memory is that of the parameter
			out[i] = t
		case widens(t, want):
			out[i] = want
		default:
			return nil, refuse(i, t, want.AsNullable().String())
		}
	}
	return out, nil
}

func (d *Declared) resolve(args []types.Type) (types.Type, error) {
	t := d.Result
	if d.Kind == ScalarFunc {
		t.Nullable = t.Nullable || slices.ContainsFunc(d.strict(), func(i int) bool { return args[i].Nullable })
	}
	return t, nil
}

// strict returns the arguments that take no NULL.
func (d *Declared) strict() (out []int) {
	for i, a := range d.Args {
		if !a.Nullable {
			out = append(out, i)
		}
	}
	return out
}

// Strict tells for each argument whether it takes no NULL.
func (d *Declared) Strict() []bool {
	out := make([]bool, len(d.Args))
	for _, i := range d.strict() {
		out[i] = true
	}
	return out
}

// within tells whether values of a type are values of another, as they lie in memory, root nullability aside: NULLs within may be fewer.
func within(t, want types.Type) bool {
	if t.Kind == types.Null {
		return false
	}
	if t.EqualIgnoringNull(want) {
		return true
	}
	if t.Kind != want.Kind || t.Layout() < types.LayoutList {
		return false
	}
	have, need := t.Children(), want.Children()
	for i := range min(len(have), len(need)) {
		if have[i].Nullable && !need[i].Nullable || !within(have[i], need[i]) {
			return false
		}
	}
	return len(have) == len(need)
}

// Countable returns which of some arguments keeps values from being told apart, as DISTINCT does.
func (d *Declared) Countable(args []types.Type) error {
	for i, t := range args {
		if l := t.Layout(); l == types.LayoutNone || l >= types.LayoutList {
			return fmt.Errorf("%s(DISTINCT ...): argument %d is %s, and values of such a type are not told apart", d.Name, i+1, t.AsNullable())
		}
	}
	return nil
}

// widens tells whether a type is cast to another where nobody asks for it: NULL to anything, numbers, texts, bytes and times to types that hold all of
// them but for digits of floating-point numbers.
func widens(from, to types.Type) bool {
	switch {
	case from.Kind == types.Null:
		return true
	case isInteger(from) && isInteger(to):
		return from.Kind <= to.Kind
	case isExact(from) && to.Kind == types.Decimal:
		d := asDecimal(from)
		return d.Scale <= to.Scale && d.Precision-d.Scale <= to.Precision-to.Scale
	case isNumber(from) && isFloat(to):
		return from.Kind != types.Double || to.Kind != types.Float
	case isText(from) && isText(to), isBinary(from) && isBinary(to):
		return from.Length <= to.Length
	case from.Kind == types.Date, from.Kind == types.Timestamp:
		return isTimestamp(to) && from.Precision <= to.Precision
	case from.Kind == types.TimestampLTZ, from.Kind == types.Time:
		return from.Kind == to.Kind && from.Precision <= to.Precision
	default:
		return from.Kind == to.Kind && isInterval(from)
	}
}

// syntax are names that the language has for itself, and functions that stand in no registry.
var syntax = []string{
	"APPROX_COUNT_DISTINCT", "CAST", "COLLECT", "CUME_DIST", "CUMULATE", "DENSE_RANK", "DESCRIPTOR", "GROUPING", "GROUPING_ID", "GROUP_ID", "HISTOGRAM", "HOP",
	"JSON_ARRAYAGG", "JSON_OBJECTAGG", "LAG", "LEAD", "NTILE", "PERCENTILE", "PERCENT_RANK", "RANK", "ROW_NUMBER", "SESSION", "STDDEV", "STRING_AGG", "TRY_CAST", "TUMBLE",
	"UNNEST", "VARIANCE",
}

// CheckDeclared returns what keeps a function from being added to a registry: a name that is none, or that something else has.
func (r *Registry) CheckDeclared(d *Declared) error {
	letter := func(c rune) bool { return c == '_' || c >= 'A' && c <= 'Z' }
	switch _, taken := r.Lookup(d.Name); {
	case d.Name == "" || !letter(rune(d.Name[0])) || strings.ContainsFunc(d.Name, func(c rune) bool { return !letter(c) && (c < '0' || c > '9') }):
		return fmt.Errorf("%q is no name of a function: it has letters, digits and _, letters in upper case, and begins with none of the digits", d.Name)
	case taken, slices.Contains(syntax, d.Name), slices.ContainsFunc(Aggregates(), func(a Aggregate) bool { return a.Name == d.Name }):
		return fmt.Errorf("there is a function %s already: give this one another name", d.Name)
	default:
		return nil
	}
}

// With returns a registry that has functions beside those of r.
func (r *Registry) With(sigs ...Signature) (*Registry, error) {
	out := &Registry{byName: make(map[string]Signature, len(sigs)), below: r}
	return out, out.Register(sigs...)
}
