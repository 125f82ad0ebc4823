package codec_test

import (
	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/jobgraph"
)

func drawJoinKeys(t *rapid.T) jobgraph.JoinKeys {
	k := jobgraph.JoinKeys{Left: drawColumns(t), Right: drawColumns(t)}
	for range k.Left {
		k.NullsMeet = append(k.NullsMeet, rapid.Bool().Draw(t, "nulls meet"))
	}
	return k
}

// drawColumns draws columns, nil where there are none.
func drawColumns(t *rapid.T) []int {
	if columns := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "columns"); len(columns) > 0 {
		return columns
	}
	return nil
}

func drawCondition(t *rapid.T) expr.Expr {
	if rapid.Bool().Draw(t, "condition") {
		return drawExpr(t, 2)
	}
	return nil
}

func drawJoinType(t *rapid.T) jobgraph.JoinType {
	return jobgraph.JoinType(rapid.IntRange(0, 5).Draw(t, "join type"))
}

func drawChangelog(t *rapid.T) jobgraph.Changelog {
	return jobgraph.Changelog(rapid.IntRange(0, 2).Draw(t, "changelog"))
}

func drawJoin(t *rapid.T) *jobgraph.JoinSpec {
	side := func() jobgraph.JoinSide {
		return jobgraph.JoinSide{Changelog: drawChangelog(t), Unique: drawColumns(t), TTL: drawDuration(t)}
	}
	return &jobgraph.JoinSpec{Type: drawJoinType(t), Keys: drawJoinKeys(t), Condition: drawCondition(t), Left: side(), Right: side()}
}

func drawIntervalJoin(t *rapid.T) *jobgraph.IntervalJoinSpec {
	return &jobgraph.IntervalJoinSpec{
		Type: drawJoinType(t), Keys: drawJoinKeys(t), LeftTime: rapid.IntRange(0, 9).Draw(t, "left time"),
		RightTime: rapid.IntRange(0, 9).Draw(t, "right time"), Lower: drawDuration(t), Upper: drawDuration(t), Condition: drawCondition(t),
	}
}

func drawWindowJoin(t *rapid.T) *jobgraph.WindowJoinSpec {
	return &jobgraph.WindowJoinSpec{
		Type: drawJoinType(t), Keys: drawJoinKeys(t), LeftEnd: rapid.IntRange(0, 9).Draw(t, "left end"),
		RightEnd: rapid.IntRange(0, 9).Draw(t, "right end"), Condition: drawCondition(t),
	}
}

func drawTemporalJoin(t *rapid.T) *jobgraph.TemporalJoinSpec {
	return &jobgraph.TemporalJoinSpec{
		Type: drawJoinType(t), Keys: drawJoinKeys(t), ProcessingTime: rapid.Bool().Draw(t, "processing time"),
		LeftTime: rapid.IntRange(0, 9).Draw(t, "left time"), RightTime: rapid.IntRange(0, 9).Draw(t, "right time"),
		Left: drawChangelog(t), Condition: drawCondition(t),
	}
}
