package codec

import (
	"fmt"

	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

func (e *encoder) expand(field string, s *jobgraph.ExpandSpec) *jobv1.ExpandSpec {
	out := &jobv1.ExpandSpec{Id: s.ID}
	for i, set := range s.Sets {
		nulls := e.ints(fmt.Sprintf("%s.sets[%d].nulls", field, i), set.Nulls)
		out.Sets = append(out.Sets, &jobv1.GroupingSet{Nulls: nulls, Id: set.ID})
	}
	return out
}

func expand(s *jobv1.ExpandSpec) *jobgraph.ExpandSpec {
	out := &jobgraph.ExpandSpec{ID: s.GetId()}
	for _, set := range s.GetSets() {
		out.Sets = append(out.Sets, jobgraph.GroupingSet{Nulls: ints(set.GetNulls()), ID: set.GetId()})
	}
	return out
}

func (e *encoder) over(field string, s *jobgraph.OverAggregateSpec) *jobv1.OverAggregateSpec {
	return &jobv1.OverAggregateSpec{
		Keys: e.ints(field+".keys", s.Keys), Time: e.int(field+".time", s.Time), Arrival: s.Arrival,
		Range: s.Frame.Range, Bounded: s.Frame.Bounded, Preceding: s.Frame.Preceding,
		Aggregates: e.calls(field+".aggregates", s.Aggregates),
		Order:      e.sortColumns(field+".order", s.Order), Retract: s.Retract, UpdateBefore: s.UpdateBefore, FinalOnly: s.FinalOnly,
	}
}

func over(s *jobv1.OverAggregateSpec) *jobgraph.OverAggregateSpec {
	return &jobgraph.OverAggregateSpec{
		Keys: ints(s.GetKeys()), Time: int(s.GetTime()), Arrival: s.GetArrival(),
		Frame:      jobgraph.FrameSpec{Range: s.GetRange(), Bounded: s.GetBounded(), Preceding: s.GetPreceding()},
		Aggregates: calls(s.GetAggregates()),
		Order:      sortColumns(s.GetOrder()), Retract: s.GetRetract(), UpdateBefore: s.GetUpdateBefore(), FinalOnly: s.GetFinalOnly(),
	}
}
