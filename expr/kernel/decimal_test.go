package kernel

import (
	"math/big"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

func (a u256) big() *big.Int {
	n := new(big.Int)
	for i := 3; i >= 0; i-- {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a[i]))
	}
	return n
}

func TestWideDivisionEqualsBig(t *testing.T) {
	// Words of all ones and zeros are where guesses of quotient digits go wrong.
	word := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1 << 63, ^uint64(0), ^uint64(0) - 1}))
	rapid.Check(t, func(t *rapid.T) {
		var a, b u256
		for i := range rapid.IntRange(1, 4).Draw(t, "words of a") {
			a[i] = word.Draw(t, "a")
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "words of b") {
			b[i] = word.Draw(t, "b")
		}
		if b.isZero() {
			b[0] = 1
		}
		q, r := a.divMod(b)
		wantQ, wantR := new(big.Int).QuoRem(a.big(), b.big(), new(big.Int))
		if q.big().Cmp(wantQ) != 0 || r.big().Cmp(wantR) != 0 {
			t.Fatalf("%v / %v = %v rest %v, want %v rest %v", a.big(), b.big(), q.big(), r.big(), wantQ, wantR)
		}
		product := mul128(u256{a[0], a[1]}, u256{b[0], b[1]})
		want := new(big.Int).Mul(u256{a[0], a[1]}.big(), u256{b[0], b[1]}.big())
		if product.big().Cmp(want) != 0 {
			t.Fatalf("product %v, want %v", product.big(), want)
		}
	})
}

func drawDecimal(t *rapid.T) (*expr.Literal, *apd.Decimal) {
	p := rapid.IntRange(1, types.MaxDecimalPrecision).Draw(t, "precision")
	typ := types.DecimalOf(p, rapid.IntRange(0, p).Draw(t, "scale")).NotNull()
	var mag u256
	for range rapid.IntRange(0, p).Draw(t, "digits") {
		mag, _ = mag.mulSmall(10)
		mag, _ = mag.add(u256{uint64(rapid.SampledFrom([]int{0, 1, 4, 5, 9, 9, 7, 3}).Draw(t, "digit"))})
	}
	x := signed256{mag: mag, neg: rapid.Bool().Draw(t, "negative")}
	l := &expr.Literal{T: typ, Value: x.int64()}
	if typ.Layout() == types.LayoutInt128 {
		l.Value = x.int128()
	}
	coeff := mag.big()
	if x.neg {
		coeff.Neg(coeff)
	}
	return l, apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(coeff), int32(-typ.Scale))
}

// TestDecimalArithmeticEqualsApd: sums, products and remainders are exact, a
// quotient has 38 digits, and what comes out is rounded half up to the type.
func TestDecimalArithmeticEqualsApd(t *testing.T) {
	exact := apd.Context{Precision: 200, MaxExponent: 1000, MinExponent: -1000, Rounding: apd.RoundHalfUp}
	digits38 := exact
	digits38.Precision = 38
	reg := expr.Builtins()
	rapid.Check(t, func(t *rapid.T) {
		a, da := drawDecimal(t)
		b, db := drawDecimal(t)
		op := rapid.SampledFrom([]string{"+", "-", "*", "/", "%"}).Draw(t, "op")
		if db.IsZero() && (op == "/" || op == "%") {
			return
		}
		e, err := expr.NewCall(reg, op, a, b)
		if err != nil {
			t.Fatal(err)
		}
		var want apd.Decimal
		switch op {
		case "+":
			_, err = exact.Add(&want, da, db)
		case "-":
			_, err = exact.Sub(&want, da, db)
		case "*":
			_, err = exact.Mul(&want, da, db)
		case "/":
			_, err = digits38.Quo(&want, da, db)
		case "%":
			_, err = exact.Rem(&want, da, db)
		}
		if err == nil {
			_, err = exact.Quantize(&want, &want, int32(-e.T.Scale))
		}
		if err != nil {
			t.Fatal(err)
		}
		text := want.Text('f')
		if want.NumDigits() > int64(e.T.Precision) {
			text = "NULL"
		}
		if want.IsZero() {
			want.Negative = false
			text = want.Text('f')
		}
		if got := evalConstant(t, e, reg); got != text {
			t.Fatalf("%s = %s, want %s", e, got, text)
		}
	})
}

func evalConstant(t *rapid.T, e expr.Expr, reg *expr.Registry) string {
	p, err := bind(e, reg, newSession(Session{}))
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	b := pool.NewBatch(types.NewSchema(), 1)
	defer b.Release()
	v, err := p.Eval(&pool, b)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	return show(&pool, &v, 0)
}

// TestDecimalCompareEqualsApd compares DECIMALs of any two types.
func TestDecimalCompareEqualsApd(t *testing.T) {
	reg := expr.Builtins()
	rapid.Check(t, func(t *rapid.T) {
		a, da := drawDecimal(t)
		b, db := drawDecimal(t)
		for op, r := range relations {
			e, err := expr.NewCall(reg, op, a, b)
			if err != nil {
				t.Fatal(err)
			}
			want := "FALSE"
			if r.holds(da.Cmp(db)) {
				want = "TRUE"
			}
			if got := evalConstant(t, e, reg); got != want {
				t.Fatalf("%s is %s, want %s", e, got, want)
			}
		}
	})
}

// TestQuotientRoundsTwice: 38 significant digits first, as Flink's division
// does, so that a fraction just below a half becomes one.
func TestQuotientRoundsTwice(t *testing.T) {
	// 0.4999…9 (39 nines and more) at scale 0: once rounded it is 0.
	x := signedOf64(1)
	d, _ := powers[38].mulSmall(2)
	n, _ := powers[38].add(u256{})
	y := signed256{mag: d}
	x.mag = n.sub(u256{1}) // (10^38 - 1) / (2 * 10^38) = 0.5 - 5e-39
	q, ok := quotient(x, y, 0)
	if !ok || q.mag != (u256{1}) {
		t.Fatalf("quotient is %v, want 1", q.mag.big())
	}
	x.mag = n.sub(u256{2}) // 0.5 - 1e-38 stays below a half
	if q, ok = quotient(x, y, 0); !ok || !q.mag.isZero() {
		t.Fatalf("quotient is %v, want 0", q.mag.big())
	}
}
