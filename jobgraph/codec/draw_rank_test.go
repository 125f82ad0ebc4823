package codec_test

import (
	"pgregory.net/rapid"

	"millrace/jobgraph"
)

// drawRanked draws one of the operators that rank, tell apart, normalise and sort.
func drawRanked(t *rapid.T) jobgraph.OperatorBody {
	keys := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "keys")
	updateBefore, final := rapid.Bool().Draw(t, "update before"), rapid.Bool().Draw(t, "final only")
	switch rapid.IntRange(0, 6).Draw(t, "ranked") {
	case 0:
		return &jobgraph.DropUpdateBeforeSpec{Keys: keys}
	case 1:
		return &jobgraph.LimitSpec{Offset: rapid.Int64().Draw(t, "offset"), Count: rapid.Int64().Draw(t, "count")}
	case 2:
		return &jobgraph.SortSpec{Order: drawSort(t), Time: rapid.IntRange(-1, 9).Draw(t, "time")}
	case 3:
		return &jobgraph.SinkMaterializeSpec{Keys: keys, UpsertKey: rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "upsert key"), TTL: drawDuration(t)}
	case 4:
		n := &jobgraph.ChangelogNormalizeSpec{Keys: keys, UpdateBefore: updateBefore, FinalOnly: final, TTL: drawDuration(t), EachChange: rapid.Bool().Draw(t, "each change")}
		if rapid.Bool().Draw(t, "filter") {
			n.Filter = drawExpr(t, 2)
		}
		return n
	case 5:
		return &jobgraph.DeduplicateSpec{
			Keys: keys, Time: rapid.IntRange(-1, 9).Draw(t, "time"), KeepLast: rapid.Bool().Draw(t, "last"), UpdateBefore: updateBefore,
			AppendOnly: rapid.Bool().Draw(t, "append only"), WindowEnd: rapid.IntRange(-1, 9).Draw(t, "window end"), FinalOnly: final, TTL: drawDuration(t),
			EachChange: rapid.Bool().Draw(t, "each change"),
		}
	default:
		return &jobgraph.RankSpec{
			Keys: keys, Order: drawSort(t), Strategy: jobgraph.RankStrategy(rapid.IntRange(1, 3).Draw(t, "strategy")),
			From: rapid.Int64().Draw(t, "from"), To: rapid.Int64().Draw(t, "to"), ToColumn: rapid.IntRange(-1, 9).Draw(t, "to column"),
			RankNumber: rapid.String().Draw(t, "rank"), UniqueKey: rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "unique key"),
			UpdateBefore: updateBefore, WindowEnd: rapid.IntRange(-1, 9).Draw(t, "window end"), FinalOnly: final, TTL: drawDuration(t),
		}
	}
}

func drawSort(t *rapid.T) (out []jobgraph.SortColumn) {
	for range rapid.IntRange(0, 2).Draw(t, "sort columns") {
		out = append(out, jobgraph.SortColumn{
			Column: rapid.IntRange(0, 9).Draw(t, "column"), Descending: rapid.Bool().Draw(t, "descending"), NullsLast: rapid.Bool().Draw(t, "nulls last"),
		})
	}
	return out
}
