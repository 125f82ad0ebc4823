package streamtest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/stream"
	"millrace/types"
)

// everyType has a column of each type.
func everyType() *types.Schema {
	ts := []types.Type{
		types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int), types.Of(types.BigInt).NotNull(),
		types.Of(types.Float), types.Of(types.Double), types.DecimalOf(10, 2), types.DecimalOf(38, 9), types.StringType(),
		types.BytesType(), types.Of(types.Date),
		{Kind: types.Time, Nullable: true},
		types.TimestampOf(0), types.TimestampOf(3),
		types.TimestampLTZOf(6), types.TimestampOf(9), types.Of(types.IntervalDayTime), types.ArrayOf(types.StringType()),
		types.MapOf(types.StringType(), types.Of(types.Int)),
		types.RowOf(types.Field{Name: "a", Type: types.Of(types.Int)}, types.Field{Name: "b", Type: types.ArrayOf(types.Of(types.Int))}),
	}
	s := &types.Schema{}
	for i, t := range ts {
		s.Fields = append(s.Fields, types.Field{Name: string(rune('a' + i)), Type: t})
	}
	return s
}

func TestParsePrintsCanonically(t *testing.T) {
	s := types.NewSchema(
		types.Field{Name: "i", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()},
		types.Field{Name: "t", Type: types.TimestampOf(3)}, types.Field{Name: "d", Type: types.DecimalOf(20, 2)},
		types.Field{Name: "l", Type: types.ArrayOf(types.Of(types.Int))})
	got := Canonical(t, s, `
		# kind, instant and scale have short forms
		1 'it''s' 2024-01-01 00:00:00 7 [1,NULL]
		-D NULL NULL 1704067200001 -0.5 []`)
	want := []string{
		"+I 1 'it''s' 2024-01-01 00:00:00.000 7.00 [1, NULL]",
		"-D NULL NULL 2024-01-01 00:00:00.001 -0.50 []",
	}
	if diff := Diff(want, got, true); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	s := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.TinyInt)}, types.Field{Name: "s", Type: types.StringType()})
	var pool stream.Pool
	for _, line := range []string{"1", "1 'a", "1 'a' 2", "128 'a'", "x 'a'", "1 a"} {
		if _, err := Parse(&pool, s, line); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestRandomRowsSurviveTextEncodingsAndChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var pool stream.Pool
		s := everyType()
		a := Random(r, &pool, s, RandomOptions{Rows: r.IntN(20), NullPercent: 20, ExtremeEvery: 5, Kinds: r.IntN(2) == 0, Reencode: true})
		want := Rows(a)
		back := Batch(t, &pool, s, Format(a))
		if diff := Diff(want, Rows(back), true); diff != "" {
			t.Fatalf("text: %s", diff)
		}
		b := Reencode(r, back)
		if diff := Diff(want, Rows(b), true); diff != "" {
			t.Fatalf("encodings: %s", diff)
		}
		var got []string
		for _, c := range Chunks(b, 3) {
			got = append(got, Rows(c)...)
			c.Release()
		}
		if diff := Diff(want, got, true); diff != "" {
			t.Fatalf("chunks: %s", diff)
		}
		for _, x := range []*stream.Batch{a, b, back} {
			x.Release()
		}
		if pool.Live() != 0 {
			t.Fatalf("%d buffers leak", pool.Live())
		}
	})
}

func TestDiffOrder(t *testing.T) {
	if Diff([]string{"a", "b"}, []string{"b", "a"}, false) != "" || Diff([]string{"a", "b"}, []string{"b", "a"}, true) == "" {
		t.Error("order is not what is asked for")
	}
	if Diff([]string{"a", "a"}, []string{"a"}, false) == "" {
		t.Error("multiplicity is ignored")
	}
}
