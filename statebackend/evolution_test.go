package statebackend_test

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"millrace/statebackend"
	"millrace/types"
)

// TestWidens compares the rule with what it stands for: every value of the one type is a value of the other, of the same family.
func TestWidens(t *testing.T) {
	all := []types.Type{types.Of(types.Boolean), types.Of(types.Date), types.TimestampOf(3), types.TimestampOf(6), types.ArrayOf(types.Of(types.Int))}
	for k := types.TinyInt; k <= types.Double; k++ {
		all = append(all, types.Of(k))
	}
	for p := 1; p <= types.MaxDecimalPrecision; p += 6 {
		for s := 0; s <= p; s += 2 {
			all = append(all, types.DecimalOf(p, s))
		}
	}
	for k := types.Char; k <= types.VarBinary; k++ {
		all = append(all, types.Type{Kind: k, Length: 1}, types.Type{Kind: k, Length: 7}, types.Type{Kind: k, Length: types.MaxLength})
	}
	seen := 0
	for _, from := range all {
		for _, to := range all {
			want := !from.EqualIgnoringNull(to) && holds(from, to)
			if got := statebackend.Widens(from, to); got != want {
				t.Errorf("%s to %s: %v, want %v", from, to, got, want)
			}
			if statebackend.Widens(from, to.NotNull()) != want || statebackend.Widens(from.NotNull(), to) != want {
				t.Errorf("%s to %s depends on NULL", from, to)
			}
			if want {
				seen++
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d pairs of types widen", seen)
	}
}

// holds tells whether all values of a type are in another.
func holds(from, to types.Type) bool {
	switch from.Kind {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt:
		return to.Kind >= types.TinyInt && to.Kind <= types.BigInt && to.Layout().Width() >= from.Layout().Width()
	case types.Float, types.Double:
		return (to.Kind == types.Float || to.Kind == types.Double) && to.Layout().Width() >= from.Layout().Width()
	case types.Decimal:
		return to.Kind == types.Decimal && ulp(to).Cmp(ulp(from)) <= 0 && greatest(to).Cmp(greatest(from)) >= 0 &&
			new(big.Rat).Quo(ulp(from), ulp(to)).IsInt()
	case types.Char, types.VarChar: // a CHAR is as long as it says
		return (to.Kind == types.VarChar || to.EqualIgnoringNull(from)) && to.Length >= from.Length
	case types.Binary, types.VarBinary:
		return (to.Kind == types.VarBinary || to.EqualIgnoringNull(from)) && to.Length >= from.Length
	default:
		return from.EqualIgnoringNull(to)
	}
}

func power(n int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
}

// ulp is the least value above 0 of a decimal, greatest its largest.
func ulp(t types.Type) *big.Rat { return new(big.Rat).Inv(power(t.Scale)) }

func greatest(t types.Type) *big.Rat {
	return new(big.Rat).Mul(new(big.Rat).Sub(power(t.Precision), power(0)), ulp(t))
}

// TestOrigins lays random columns over random ones: each declared column has an origin, of its own name, of a type that becomes its
// own, and there is a problem if and only if a pair of columns does not fit.
func TestOrigins(t *testing.T) {
	kinds := []types.Type{types.Of(types.Int), types.Of(types.BigInt), types.StringType()}
	draw := func(t *rapid.T, what string) (out []statebackend.ColumnSpec) {
		for _, name := range rapid.Permutation([]string{"a", "b", "c", "d"}).Draw(t, what)[:rapid.IntRange(0, 4).Draw(t, "n")] {
			typ := rapid.SampledFrom(kinds).Draw(t, "type")
			typ.Nullable = rapid.Bool().Draw(t, "nullable")
			out = append(out, statebackend.ColumnSpec{Name: name, Type: typ})
			if rapid.Bool().Draw(t, "flag") {
				out = append(out, statebackend.ColumnSpec{Name: name + "?", Type: types.Of(types.Boolean), NullOf: name})
			}
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		had, want, nulls := draw(t, "had"), draw(t, "want"), rapid.Bool().Draw(t, "nulls")
		origins, changes, problems := statebackend.Origins(had, want, nulls)
		at := func(columns []statebackend.ColumnSpec, c statebackend.ColumnSpec) int {
			return slices.IndexFunc(columns, func(d statebackend.ColumnSpec) bool { return c.Name == d.Name })
		}
		if len(origins) != len(want) {
			t.Fatalf("%d origins of %d columns", len(origins), len(want))
		}
		bad, same := 0, len(had) == len(want)
		for i, c := range want {
			o, k := origins[i], at(had, c)
			if o.Had != k {
				t.Fatalf("column %s comes from %d, want %d", c.Name, o.Had, k)
			}
			target := at(had, statebackend.ColumnSpec{Name: c.NullOf})
			if null := k < 0 && (c.NullOf != "" && target < 0 || c.NullOf == "" && nulls && c.Type.Nullable); o.Null != null {
				t.Fatalf("column %s begins as NULL: %v", c.Name, o.Null)
			}
			same = same && k == i
			if k < 0 {
				continue
			}
			if !holds(had[k].Type, c.Type) || nulls && had[k].Type.Nullable && !c.Type.Nullable {
				bad++
			}
			same = same && had[k].Type.EqualIgnoringNull(c.Type) && (!nulls || had[k].Type.Nullable == c.Type.Nullable)
		}
		for _, c := range had {
			if c.NullOf != "" && at(want, c) < 0 && at(want, statebackend.ColumnSpec{Name: c.NullOf}) >= 0 {
				bad++
			}
		}
		if len(problems) != bad {
			t.Fatalf("%d problems, want %d: %q", len(problems), bad, problems)
		}
		if bad == 0 && (len(changes) == 0) != same {
			t.Fatalf("changes %q of columns that are the same: %v", changes, same)
		}
	})
}
