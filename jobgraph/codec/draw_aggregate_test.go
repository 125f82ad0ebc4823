package codec_test

import (
	"pgregory.net/rapid"

	"millrace/jobgraph"
)

func drawCalls(t *rapid.T) []jobgraph.AggregateCall {
	a := jobgraph.AggregateCall{
		Func: rapid.String().Draw(t, "func"), Arg: rapid.IntRange(-1, 9).Draw(t, "arg"), Name: "a",
		Distinct: rapid.Bool().Draw(t, "distinct"), Separator: rapid.String().Draw(t, "separator"),
		Offset: rapid.Int64().Draw(t, "offset"),
	}
	if rapid.Bool().Draw(t, "several") {
		a.Rest = rapid.SliceOfN(rapid.IntRange(0, 9), 1, 3).Draw(t, "rest")
	}
	if rapid.Bool().Draw(t, "filtered") {
		a.Filtered, a.Filter = true, rapid.IntRange(0, 9).Draw(t, "filter")
	}
	if rapid.Bool().Draw(t, "defaulted") {
		a.Defaulted, a.Default = true, rapid.IntRange(0, 9).Draw(t, "default")
	}
	return []jobgraph.AggregateCall{a}
}

func drawGroup(t *rapid.T) *jobgraph.GroupAggregateSpec {
	s := &jobgraph.GroupAggregateSpec{
		Keys: rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "keys"), Aggregates: drawCalls(t),
		Retract: rapid.Bool().Draw(t, "retract"), UpdateBefore: rapid.Bool().Draw(t, "update before"), TTL: drawDuration(t),
		FinalOnly: rapid.Bool().Draw(t, "final"), Partial: rapid.Bool().Draw(t, "partial"),
	}
	if s.Partial {
		s.Input = drawSchema(t)
	}
	return s
}

func drawWindowSpec(t *rapid.T) jobgraph.WindowSpec {
	return jobgraph.WindowSpec{
		Size: drawDuration(t), Offset: drawDuration(t), Slide: drawDuration(t), Kind: jobgraph.WindowKind(rapid.IntRange(0, 4).Draw(t, "kind")),
		Processing: rapid.Bool().Draw(t, "processing"), Zone: rapid.String().Draw(t, "zone"),
	}
}

func drawOver(t *rapid.T) *jobgraph.OverAggregateSpec {
	return &jobgraph.OverAggregateSpec{
		Keys: rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "keys"), Time: int(rapid.Int32().Draw(t, "time")), Arrival: rapid.Bool().Draw(t, "arrival"),
		Frame:      jobgraph.FrameSpec{Range: rapid.Bool().Draw(t, "range"), Bounded: rapid.Bool().Draw(t, "bounded"), Preceding: rapid.Int64().Draw(t, "preceding")},
		Aggregates: drawCalls(t), Order: drawSort(t),
		Retract: rapid.Bool().Draw(t, "retract"), UpdateBefore: rapid.Bool().Draw(t, "update before"), FinalOnly: rapid.Bool().Draw(t, "final only"),
	}
}
