package types

import (
	"testing"

	"pgregory.net/rapid"
)

func TestKeyGroupRangesPartitionTheGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxP := rapid.IntRange(1, MaxMaxParallelism).Draw(t, "max")
		p := rapid.IntRange(1, min(maxP, 300)).Draw(t, "p")
		next := 0
		for s := range p {
			r := KeyGroupRangeOf(s, p, maxP)
			if int(r.First) != next {
				t.Fatalf("subtask %d of %d starts at %d, want %d", s, p, r.First, next)
			}
			for _, g := range []KeyGroup{r.First, r.Last} {
				if got := SubtaskOf(g, p, maxP); got != s {
					t.Fatalf("group %d belongs to %d, range says %d", g, got, s)
				}
			}
			next = int(r.Last) + 1
		}
		if next != maxP {
			t.Fatalf("ranges end at %d, want %d", next, maxP)
		}
	})
}

func TestKeyGroupOfStaysInBounds(t *testing.T) {
	for _, h := range []uint64{0, 1, 1 << 32, 1<<64 - 1} {
		for _, m := range []int{1, 2, 128, MaxMaxParallelism} {
			if g := KeyGroupOf(h, m); int(g) >= m {
				t.Errorf("KeyGroupOf(%#x, %d) = %d", h, m, g)
			}
		}
	}
}

func TestTypeString(t *testing.T) {
	cases := map[string]Type{
		"BIGINT":                    Of(BigInt),
		"BIGINT NOT NULL":           Of(BigInt).NotNull(),
		"DECIMAL(23, 3)":            DecimalOf(23, 3),
		"STRING":                    StringType(),
		"VARCHAR(7)":                VarCharOf(7),
		"TIMESTAMP(3)":              TimestampOf(3),
		"TIMESTAMP_LTZ(9)":          TimestampLTZOf(9),
		"ARRAY<INT>":                ArrayOf(Of(Int)),
		"MAP<STRING, DOUBLE>":       MapOf(StringType(), Of(Double)),
		"ROW<`a` INT, `b``c` DATE>": RowOf(Field{"a", Of(Int)}, Field{"b`c", Of(Date)}),
	}
	for want, typ := range cases {
		if got := typ.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := typ.Validate(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	deep := Of(Int)
	for range MaxTypeDepth + 2 {
		deep = ArrayOf(deep)
	}
	for _, typ := range []Type{
		{},
		DecimalOf(39, 0), DecimalOf(5, 6), VarCharOf(0), TimestampOf(10),
		{Kind: Array},
		{Kind: Map},
		RowOf(Field{"a", Of(Int)}, Field{"a", Of(Int)}), deep,
		{Kind: 200},
	} {
		if typ.Validate() == nil {
			t.Errorf("accepted %v", typ.Kind)
		}
	}
}
