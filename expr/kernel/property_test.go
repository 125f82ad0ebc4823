package kernel

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

var columnTypes = []types.Type{
	types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int), types.Of(types.BigInt),
	types.Of(types.Float), types.Of(types.Double), types.DecimalOf(7, 2), types.DecimalOf(18, 4), types.DecimalOf(38, 10),
	types.StringType(), types.VarCharOf(5),
	{Kind: types.Char, Nullable: true, Length: 3},
	types.BytesType(),
	types.Of(types.Date),
	{Kind: types.Time, Nullable: true, Precision: 3},
	types.TimestampOf(3), types.TimestampOf(9), types.TimestampLTZOf(6),
	types.Of(types.IntervalDayTime), types.Of(types.IntervalYearMonth),
	types.RowOf(types.Field{Name: "n", Type: types.Of(types.Int)}, types.Field{Name: "s", Type: types.StringType()}),
	types.ArrayOf(types.Of(types.BigInt)),
}

func isNested(t types.Type) bool { return t.Layout() >= types.LayoutList }

func columnSchema() *types.Schema {
	s := &types.Schema{}
	for i, t := range columnTypes {
		s.Fields = append(s.Fields, types.Field{Name: fmt.Sprintf("c%d", i), Type: t})
	}
	return s
}

// drawLiteral returns a random value of a type, with edges often.
func drawLiteral(t *rapid.T, typ types.Type) *expr.Literal {
	l := &expr.Literal{T: typ.NotNull()}
	small := rapid.Int64Range(-3, 3)
	between := func(lo, hi int64) int64 {
		return rapid.OneOf(small, rapid.Int64Range(lo, hi), rapid.SampledFrom([]int64{lo, hi})).Draw(t, "int")
	}
	switch typ.Kind {
	case types.Boolean:
		l.Value = rapid.Bool().Draw(t, "bool")
	case types.TinyInt:
		l.Value = between(math.MinInt8, math.MaxInt8)
	case types.SmallInt:
		l.Value = between(math.MinInt16, math.MaxInt16)
	case types.Int:
		l.Value = between(math.MinInt32, math.MaxInt32)
	case types.BigInt:
		l.Value = between(math.MinInt64, math.MaxInt64)
	case types.Float, types.Double:
		special := rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1e300, 0.1})
		x := rapid.OneOf(special, rapid.Map(small, func(i int64) float64 { return float64(i) / 2 }), rapid.Float64()).Draw(t, "float")
		if typ.Kind == types.Float {
			x = float64(float32(x))
		}
		l.Value = x
	case types.Decimal:
		most := min(int64(9_999_999), int64(pow10of64[min(typ.Precision, 18)])-1)
		x := rapid.OneOf(rapid.Int64Range(-min(most, 3), min(most, 3)), rapid.Int64Range(-most, most)).Draw(t, "unscaled")
		if l.Value = x; typ.Layout() == types.LayoutInt128 {
			wide := signedOf64(x)
			if rapid.Bool().Draw(t, "huge") {
				wide.mag, _ = wide.mag.scaleUp(max(typ.Precision-7, 0))
			}
			l.Value = wide.int128()
		}
	case types.Char, types.VarChar:
		l.Value = rapid.OneOf(rapid.SampledFrom([]string{"", "a", "ab", "é日", "\xff", "1", "-2.5", " 7 ", "true", "2024-01-31", "12:30:01"}), rapid.StringN(0, 4, 5)).Draw(t, "text")
	case types.VarBinary:
		l.Value = rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "bytes")
	case types.Date:
		l.Value = rapid.Int64Range(-800_000, 800_000).Draw(t, "date")
	case types.Time:
		l.Value = rapid.Int64Range(0, millisPerDay-1).Draw(t, "time")
	default:
		l.Value = between(-5_000_000_000, 5_000_000_000)
		if typ.Kind == types.IntervalYearMonth {
			l.Value = between(-30, 30)
		}
	}
	return l
}

// drawColumn returns a vector of n random rows in a random encoding.
func drawColumn(t *rapid.T, pool *stream.Pool, typ types.Type, n int) stream.Vector {
	flat := func(n int) stream.Vector {
		b := stream.NewBuilder(pool, typ, n)
		nulls := rapid.Bool().Draw(t, "nulls")
		for range n {
			appendDrawn(t, b, typ, nulls)
		}
		return b.Finish()
	}
	switch rapid.SampledFrom([]stream.Encoding{stream.Flat, stream.Constant, stream.Dictionary}).Draw(t, "encoding") {
	case stream.Constant:
		one := flat(1)
		defer one.Release()
		return stream.ConstantOf(pool, &one, 0, n)
	case stream.Dictionary:
		dict := flat(rapid.IntRange(1, 6).Draw(t, "distinct"))
		buf := pool.Get(n * 4)
		for i := range n {
			stream.Int32s(buf)[i] = int32(rapid.IntRange(0, dict.Len()-1).Draw(t, "index"))
		}
		v := stream.DictionaryOf(typ, buf, n, dict)
		if rapid.Bool().Draw(t, "row nulls") {
			v.WithValidity(pool).Put(rapid.IntRange(0, n-1).Draw(t, "null row"), false)
		}
		return v
	default:
		return flat(n)
	}
}

// appendDrawn appends a random value.
func appendDrawn(t *rapid.T, b *stream.Builder, typ types.Type, nulls bool) {
	switch {
	case nulls && rapid.IntRange(0, 3).Draw(t, "null") == 0:
		b.AppendNull()
	case typ.Kind == types.Row:
		for i, f := range typ.Fields {
			appendDrawn(t, b.Child(i), f.Type, nulls)
		}
		b.AppendStruct()
	case typ.Kind == types.Array:
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			appendDrawn(t, b.Child(0), *typ.Elem, nulls)
		}
		b.AppendList()
	default:
		b.AppendValue(drawLiteral(t, typ).Value)
	}
}

func drawBatch(t *rapid.T, pool *stream.Pool, s *types.Schema, used map[int]bool) *stream.Batch {
	n := rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(60, 70)).Draw(t, "rows")
	b := pool.NewBatch(s, n)
	for i, f := range s.Fields {
		if used[i] {
			b.Columns[i] = drawColumn(t, pool, f.Type, n)
		} else {
			b.Columns[i] = stream.NullOf(pool, f.Type, n)
		}
	}
	if rapid.Bool().Draw(t, "select") {
		buf, k := pool.Get(n*4), 0
		for i := range n {
			if rapid.Bool().Draw(t, "selected") {
				stream.Int32s(buf)[k] = int32(i)
				k++
			}
		}
		b.SetSel(buf, k)
	}
	return b
}

// drawExpr returns a random well-typed tree over the columns.
func drawExpr(t *rapid.T, s *types.Schema, reg *expr.Registry, depth int) expr.Expr {
	leaf := func() expr.Expr {
		i := rapid.IntRange(0, s.Len()-1).Draw(t, "column")
		kind := rapid.IntRange(0, 5).Draw(t, "leaf")
		switch {
		case kind > 1 || isNested(s.Fields[i].Type):
			return column(s, i)
		case kind == 0:
			return drawLiteral(t, s.Fields[i].Type)
		default:
			return expr.Null(s.Fields[i].Type)
		}
	}
	if depth == 0 {
		return leaf()
	}
	for range 30 {
		if e := drawNode(t, s, reg, depth, leaf); e != nil {
			return e
		}
	}
	return leaf()
}

func drawNode(t *rapid.T, s *types.Schema, reg *expr.Registry, depth int, leaf func() expr.Expr) expr.Expr {
	child := func() expr.Expr {
		if rapid.Bool().Draw(t, "deeper") {
			return drawExpr(t, s, reg, depth-1)
		}
		return leaf()
	}
	switch rapid.IntRange(0, 4).Draw(t, "node") {
	case 0:
		to := rapid.SampledFrom(columnTypes).Draw(t, "to")
		if c, err := expr.NewCast(child(), to, rapid.Bool().Draw(t, "try")); err == nil {
			return c
		}
	case 1:
		cond, err := expr.NewCall(reg, "IS NOT NULL", child())
		if err != nil {
			return nil
		}
		if c, err := expr.NewCase([]expr.When{{If: cond, Then: child()}}, child()); err == nil {
			return c
		}
	default:
		name := rapid.SampledFrom(reg.Names()).Draw(t, "function")
		sig, _ := reg.Lookup(name)
		if sig.Varies {
			return nil
		}
		if c, err := expr.NewCall(reg, name, drawArgs(t, &sig, child)...); err == nil {
			return c
		}
	}
	return nil
}

// constants are what arguments that must be constants may be.
var constants = []expr.Expr{
	expr.Int(0), expr.Int(1), expr.String("DAY"), expr.String("HOUR"), expr.String("MONTH"), expr.String("SECOND"), expr.String("BOTH"),
}

func drawArgs(t *rapid.T, sig *expr.Signature, child func() expr.Expr) []expr.Expr {
	n := sig.MinArgs
	if sig.MaxArgs > n {
		n = rapid.IntRange(n, sig.MaxArgs).Draw(t, "arguments")
	}
	var args []expr.Expr
	for i := range n {
		switch {
		case slices.Contains(sig.Constants, i):
			args = append(args, rapid.SampledFrom(constants).Draw(t, "constant"))
		case i > 0 && !isNested(args[0].Type()) && args[0].Type().Kind != types.Null && rapid.Bool().Draw(t, "alike"):
			args = append(args, drawLiteral(t, args[0].Type()))
		default:
			args = append(args, child())
		}
	}
	return args
}

// TestBatchEqualsRows evaluates random trees over random batches, and row by
// row over flat batches of one row: never may an encoding, a selection or a
// neighbour change a row's value, and a batch fails if and only if a selected
// row does.
func TestBatchEqualsRows(t *testing.T) {
	reg, s := expr.Builtins(), columnSchema()
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t, s, reg, 3)
		if problems := expr.Check(e, s, reg); len(problems) > 0 {
			t.Fatalf("%s: built, but refused: %v", e, problems)
		}
		used := map[int]bool{}
		expr.Walk(e, func(x expr.Expr) bool {
			if c, ok := x.(*expr.Column); ok {
				used[c.Index] = true
			}
			return true
		})
		var pool stream.Pool
		b := drawBatch(t, &pool, s, used)
		p, err := Compile(e, s, reg)
		if err != nil {
			b.Release()
			t.Skip("a constant pattern or zone is none: ", err)
		}
		for range 2 { // twice, for scratch that is not cleaned
			compareRowByRow(t, &pool, p, e, b)
		}
		b.Release()
		if n := pool.Live(); n != 0 {
			t.Fatalf("%s: %d buffers leaked", e, n)
		}
	})
}

func compareRowByRow(t *rapid.T, pool *stream.Pool, p *Program, e expr.Expr, b *stream.Batch) {
	unfolded, err := bind(e, expr.Builtins(), newSession(Session{}))
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[int]string)
	var failed []string
	for i := range b.Rows() {
		row := b.Row(i)
		text, err := evalRow(pool, unfolded, b, row)
		if err != nil {
			failed = append(failed, fmt.Sprintf("row %d:", row))
			continue
		}
		want[row] = text
	}
	v, err := p.Eval(pool, b)
	if err != nil {
		if failure.ClassOf(err).Domain != failure.DomainUser || !slices.ContainsFunc(failed, func(f string) bool { return strings.HasPrefix(err.Error(), f) }) {
			t.Fatalf("%s: %v, but the rows that fail alone are %v", e, err, failed)
		}
		return
	}
	defer v.Release()
	if len(failed) > 0 {
		t.Fatalf("%s: %v fail alone, the batch does not", e, failed)
	}
	if v.Len() != b.Len() || !v.Type.Equal(p.Type()) {
		t.Fatalf("%s: %d rows of %s, want %d of %s", e, v.Len(), v.Type, b.Len(), p.Type())
	}
	for row, text := range want {
		if got := show(pool, &v, row); got != text {
			t.Fatalf("%s: row %d is %s, alone %s", e, row, got, text)
		}
	}
}

func show(pool *stream.Pool, v *stream.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	if v.Type.Layout() == types.LayoutBytes {
		return fmt.Sprintf("%q", v.Bytes(i))
	}
	b := stream.NewBuilder(pool, v.Type, 1)
	b.AppendFrom(v, i)
	one := b.Finish()
	defer one.Release()
	print, err := printer(v.Type)
	if err != nil {
		return err.Error()
	}
	return string(print(&one)(nil, 0))
}

// evalRow evaluates one row over a flat batch of its own.
func evalRow(pool *stream.Pool, p *Program, b *stream.Batch, row int) (string, error) {
	one := pool.NewBatch(b.Schema, 1)
	defer one.Release()
	for c := range b.Columns {
		builder := stream.NewBuilder(pool, b.Columns[c].Type, 1)
		builder.AppendFrom(&b.Columns[c], row)
		one.Columns[c] = builder.Finish()
	}
	v, err := p.Eval(pool, one)
	if err != nil {
		return "", err
	}
	defer v.Release()
	return show(pool, &v, 0), nil
}

// TestSelectEqualsEval compares the rows that a predicate picks with those for
// which the value is TRUE.
func TestSelectEqualsEval(t *testing.T) {
	reg, s := expr.Builtins(), columnSchema()
	rapid.Check(t, func(t *rapid.T) {
		left, err := expr.NewCall(reg, "IS NOT TRUE", column(s, 0))
		if err != nil {
			t.Fatal(err)
		}
		op := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">="}).Draw(t, "op")
		i := rapid.IntRange(0, s.Len()-1).Filter(func(i int) bool { return !isNested(s.Fields[i].Type) }).Draw(t, "column")
		right, err := expr.NewCall(reg, op, column(s, i), drawLiteral(t, s.Fields[i].Type))
		if err != nil {
			t.Fatal(err)
		}
		e, err := expr.NewCall(reg, rapid.SampledFrom([]string{"AND", "OR"}).Draw(t, "junction"), left, right)
		if err != nil {
			t.Fatal(err)
		}
		var pool stream.Pool
		b := drawBatch(t, &pool, s, map[int]bool{0: true, i: true})
		p, err := CompilePredicate(e, s, reg)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Select(&pool, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := (&Program{typ: e.T, root: p.root, session: p.session}).Eval(&pool, b)
		if err != nil {
			t.Fatal(err)
		}
		var want []int32
		for k := range b.Rows() {
			if row := b.Row(k); !v.IsNull(row) && v.Bool(row) {
				want = append(want, int32(row))
			}
		}
		v.Release()
		b.Release()
		if !slices.Equal(got, want) || pool.Live() != 0 {
			t.Fatalf("%s: selected %v, want %v; %d buffers live", e, got, want, pool.Live())
		}
	})
}

func column(s *types.Schema, i int) *expr.Column {
	return &expr.Column{Index: i, Name: s.Fields[i].Name, T: s.Fields[i].Type}
}
