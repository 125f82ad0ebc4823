package codec

import (
	"fmt"

	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

func (e *encoder) calls(field string, in []jobgraph.AggregateCall) []*jobv1.AggregateCall {
	var out []*jobv1.AggregateCall
	for i, a := range in {
		at := fmt.Sprintf("%s[%d]", field, i)
		c := &jobv1.AggregateCall{Func: a.Func, Arg: e.int(at+".arg", a.Arg), Name: a.Name, Distinct: a.Distinct, Separator: a.Separator, Offset: a.Offset, Rest: e.ints(at+".rest", a.Rest)}
		if a.Filtered {
			filter := e.int(at+".filter", a.Filter)
			c.Filter = &filter
		}
		if a.Defaulted {
			instead := e.int(at+".default", a.Default)
			c.Default = &instead
		}
		out = append(out, c)
	}
	return out
}

func calls(in []*jobv1.AggregateCall) []jobgraph.AggregateCall {
	var out []jobgraph.AggregateCall
	for _, a := range in {
		out = append(out, jobgraph.AggregateCall{
			Func: a.GetFunc(), Arg: int(a.GetArg()), Name: a.GetName(), Distinct: a.GetDistinct(), Separator: a.GetSeparator(),
			Filtered: a != nil && a.Filter != nil, Filter: int(a.GetFilter()),
			Offset: a.GetOffset(), Defaulted: a != nil && a.Default != nil, Default: int(a.GetDefault()), Rest: ints(a.GetRest()),
		})
	}
	return out
}

func (e *encoder) group(field string, s *jobgraph.GroupAggregateSpec) *jobv1.GroupAggregateSpec {
	return &jobv1.GroupAggregateSpec{
		Keys: e.ints(field+".keys", s.Keys), Aggregates: e.calls(field+".aggregates", s.Aggregates),
		Retract: s.Retract, UpdateBefore: s.UpdateBefore, Ttl: duration(s.TTL), FinalOnly: s.FinalOnly,
		Partial: s.Partial, Input: e.schema(field+".input", s.Input),
	}
}

func (d *decoder) group(field string, s *jobv1.GroupAggregateSpec) *jobgraph.GroupAggregateSpec {
	return &jobgraph.GroupAggregateSpec{
		Keys: ints(s.GetKeys()), Aggregates: calls(s.GetAggregates()),
		Retract: s.GetRetract(), UpdateBefore: s.GetUpdateBefore(), TTL: d.duration(field+".ttl", s.GetTtl()), FinalOnly: s.GetFinalOnly(),
		Partial: s.GetPartial(), Input: d.schema(field+".input", s.GetInput()),
	}
}

func (e *encoder) localGroup(field string, s *jobgraph.LocalGroupAggregateSpec) *jobv1.LocalGroupAggregateSpec {
	return &jobv1.LocalGroupAggregateSpec{
		Keys: e.ints(field+".keys", s.Keys), Aggregates: e.calls(field+".aggregates", s.Aggregates), Retract: s.Retract,
	}
}

func localGroup(s *jobv1.LocalGroupAggregateSpec) *jobgraph.LocalGroupAggregateSpec {
	return &jobgraph.LocalGroupAggregateSpec{Keys: ints(s.GetKeys()), Aggregates: calls(s.GetAggregates()), Retract: s.GetRetract()}
}
