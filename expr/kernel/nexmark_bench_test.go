package kernel

import (
	"strconv"
	"testing"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// nexmarkBatch has a ROW like Nexmark's bid: auction, price, channel, url and
// dateTime, of which every third row is NULL; and the five as columns.
func nexmarkBatch(b testing.TB, pool *stream.Pool) *stream.Batch {
	b.Helper()
	fields := []types.Field{
		{Name: "auction", Type: types.Of(types.BigInt)},
		{Name: "price", Type: types.Of(types.BigInt)},
		{Name: "channel", Type: types.StringType()},
		{Name: "url", Type: types.StringType()},
		{Name: "dateTime", Type: types.TimestampOf(3)},
	}
	bid := types.RowOf(fields...)
	s := types.NewSchema(append([]types.Field{{Name: "bid", Type: bid}}, fields...)...)
	batch := pool.NewBatch(s, benchRows)
	rows := stream.NewBuilder(pool, bid, benchRows)
	builders := make([]stream.Builder, len(fields))
	for i := range builders {
		builders[i].Init(pool, fields[i].Type, benchRows)
	}
	channels := []string{"apple", "google", "facebook", "baidu"}
	for i := range benchRows {
		x := int64(uint64(i*2654435761) % 10_000)
		to := [][]stream.Builder{builders, rows.Children()}
		if i%3 == 0 {
			rows.AppendNull()
			to = to[:1]
		}
		for _, bs := range to {
			bs[0].AppendInt64(x)
			bs[1].AppendInt64(x * 100)
			bs[2].AppendString(channels[x%4])
			bs[3].AppendString("https://www.nexmark.com/jah/qwe/item.htm?query=1&channel_id=" + strconv.FormatInt(x, 10))
			bs[4].AppendInt64(1_700_000_000_000 + int64(i)*10)
		}
		if i%3 != 0 {
			rows.AppendStruct()
		}
	}
	batch.Columns[0] = rows.Finish()
	for i := range builders {
		batch.Columns[i+1] = builders[i].Finish()
	}
	b.Cleanup(batch.Release)
	return batch
}

// nexmarkExprs are the expressions of Nexmark's queries, by name.
func nexmarkExprs(b testing.TB, s *types.Schema) map[string]expr.Expr {
	b.Helper()
	reg := expr.Builtins()
	auction, price, channel, url, at := column(s, 1), column(s, 2), column(s, 3), column(s, 4), column(s, 5)
	get, err := expr.NewField(reg, column(s, 0), "price")
	if err != nil {
		b.Fatal(err)
	}
	decimal := &expr.Literal{T: types.DecimalOf(4, 3).NotNull(), Value: int64(908)}
	list := []expr.Expr{newExpr(b, reg, "MOD", auction, expr.Int(123))}
	for _, n := range []int32{1, 7, 13, 21, 48, 59, 77, 100} {
		list = append(list, expr.Int(n))
	}
	return map[string]expr.Expr{
		"field of a ROW":      get,
		"price in euros":      newExpr(b, reg, "*", decimal, price),
		"day of a timestamp":  newExpr(b, reg, "DATE_FORMAT", at, expr.String("yyyy-MM-dd")),
		"minute of the day":   newExpr(b, reg, "DATE_FORMAT", at, expr.String("HH:mm")),
		"millisecond":         newExpr(b, reg, "DATE_FORMAT", at, expr.String("yyyy-MM-dd HH:mm:ss.SSS")),
		"hour":                newExpr(b, reg, "HOUR", at),
		"month":               newExpr(b, reg, "MONTH", at),
		"lower":               newExpr(b, reg, "LOWER", channel),
		"channel of a url":    newExpr(b, reg, "REGEXP_EXTRACT", url, expr.String("(&|^)channel_id=([^&]*)"), expr.Int(2)),
		"directory of a url":  newExpr(b, reg, "SPLIT_INDEX", url, expr.String("/"), expr.Int(3)),
		"one of four":         newExpr(b, reg, "IN", channel, expr.String("apple"), expr.String("google"), expr.String("facebook"), expr.String("baidu")),
		"one of eight":        newExpr(b, reg, "IN", list...),
		"like":                newExpr(b, reg, "LIKE", url, expr.String("%channel_id=42%")),
		"day as text by cast": mustCast(b, mustCast(b, at, types.Of(types.Date)), types.StringType()),
	}
}

func mustCast(b testing.TB, e expr.Expr, to types.Type) expr.Expr {
	b.Helper()
	c, err := expr.NewCast(e, to, false)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkNexmark(b *testing.B) {
	var pool stream.Pool
	batch := nexmarkBatch(b, &pool)
	for name, e := range nexmarkExprs(b, batch.Schema) {
		b.Run(name, func(b *testing.B) {
			p, err := Compile(e, batch.Schema, expr.Builtins())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				v, err := p.Eval(&pool, batch)
				if err != nil {
					b.Fatal(err)
				}
				v.Release()
			}
			perRow(b)
		})
	}
}

// TestNexmarkAllocations: but for regular expressions, whose matches the
// library allocates, a batch costs a few closures.
func TestNexmarkAllocations(t *testing.T) {
	var pool stream.Pool
	batch := nexmarkBatch(t, &pool)
	for name, e := range nexmarkExprs(t, batch.Schema) {
		if name == "channel of a url" {
			continue
		}
		p, err := Compile(e, batch.Schema, expr.Builtins())
		if err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(20, func() {
			v, err := p.Eval(&pool, batch)
			if err != nil {
				t.Fatal(err)
			}
			v.Release()
		})
		if allocs > 4 {
			t.Errorf("%s: %v allocations a batch", name, allocs)
		}
	}
}
