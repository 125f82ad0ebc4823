package codec

import (
	"fmt"

	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

// ranked writes the operators that rank, tell apart, normalise and sort.
func (e *encoder) ranked(field string, o *jobgraph.OperatorSpec, out *jobv1.OperatorSpec) {
	switch b := o.Body.(type) {
	case *jobgraph.RankSpec:
		out.Body = &jobv1.OperatorSpec_Rank{Rank: e.rank(field+".rank", b)}
	case *jobgraph.DeduplicateSpec:
		at := field + ".deduplicate"
		out.Body = &jobv1.OperatorSpec_Deduplicate{Deduplicate: &jobv1.DeduplicateSpec{
			Keys: e.ints(at+".keys", b.Keys), Time: e.column(at+".time", b.Time), KeepLast: b.KeepLast, UpdateBefore: b.UpdateBefore,
			AppendOnly: b.AppendOnly, WindowEnd: e.column(at+".window_end", b.WindowEnd), FinalOnly: b.FinalOnly, Ttl: duration(b.TTL),
			EachChange: b.EachChange,
		}}
	case *jobgraph.ChangelogNormalizeSpec:
		at := field + ".changelog_normalize"
		n := &jobv1.ChangelogNormalizeSpec{
			Keys: e.ints(at+".keys", b.Keys), UpdateBefore: b.UpdateBefore, EachChange: b.EachChange, FinalOnly: b.FinalOnly, Ttl: duration(b.TTL),
		}
		if b.Filter != nil {
			n.Filter = e.expr(at+".filter", b.Filter, 1)
		}
		out.Body = &jobv1.OperatorSpec_ChangelogNormalize{ChangelogNormalize: n}
	case *jobgraph.SinkMaterializeSpec:
		at := field + ".sink_materialize"
		out.Body = &jobv1.OperatorSpec_SinkMaterialize{SinkMaterialize: &jobv1.SinkMaterializeSpec{
			Keys: e.ints(at+".keys", b.Keys), UpsertKey: e.ints(at+".upsert_key", b.UpsertKey), Ttl: duration(b.TTL),
		}}
	case *jobgraph.SortSpec:
		at := field + ".sort"
		out.Body = &jobv1.OperatorSpec_Sort{Sort: &jobv1.SortSpec{Order: e.sortColumns(at+".order", b.Order), Time: e.column(at+".time", b.Time)}}
	case *jobgraph.LimitSpec:
		out.Body = &jobv1.OperatorSpec_Limit{Limit: &jobv1.LimitSpec{Offset: b.Offset, Count: b.Count}}
	case *jobgraph.DropUpdateBeforeSpec:
		out.Body = &jobv1.OperatorSpec_DropUpdateBefore{DropUpdateBefore: &jobv1.DropUpdateBeforeSpec{
			Keys: e.ints(field+".drop_update_before.keys", b.Keys),
		}}
	}
}

var rankStrategies = map[jobgraph.RankStrategy]jobv1.RankStrategy{
	jobgraph.AppendFast: jobv1.RankStrategy_RANK_STRATEGY_APPEND_FAST,
	jobgraph.UpdateFast: jobv1.RankStrategy_RANK_STRATEGY_UPDATE_FAST,
	jobgraph.Retract:    jobv1.RankStrategy_RANK_STRATEGY_RETRACT,
}

func (e *encoder) rank(field string, r *jobgraph.RankSpec) *jobv1.RankSpec {
	strategy, ok := rankStrategies[r.Strategy]
	if !ok {
		e.addf(field+".strategy", "unknown strategy %d", r.Strategy)
	}
	return &jobv1.RankSpec{
		Keys: e.ints(field+".keys", r.Keys), Order: e.sortColumns(field+".order", r.Order), Strategy: strategy, From: r.From, To: r.To,
		ToColumn: e.column(field+".to_column", r.ToColumn), RankNumber: r.RankNumber, UniqueKey: e.ints(field+".unique_key", r.UniqueKey),
		UpdateBefore: r.UpdateBefore, WindowEnd: e.column(field+".window_end", r.WindowEnd), FinalOnly: r.FinalOnly, Ttl: duration(r.TTL),
	}
}

func (e *encoder) sortColumns(field string, in []jobgraph.SortColumn) (out []*jobv1.SortColumn) {
	for i, c := range in {
		at := fmt.Sprintf("%s[%d].column", field, i)
		out = append(out, &jobv1.SortColumn{Column: e.int(at, c.Column), Descending: c.Descending, NullsLast: c.NullsLast})
	}
	return out
}

// column leaves NoColumn out.
func (e *encoder) column(field string, c int) *int32 {
	if c == jobgraph.NoColumn {
		return nil
	}
	v := e.int(field, c)
	return &v
}

// ranked reads the operators that rank, tell apart, normalise and sort; nil for others.
func (d *decoder) ranked(field string, o *jobv1.OperatorSpec) jobgraph.OperatorBody {
	switch b := o.GetBody().(type) {
	case *jobv1.OperatorSpec_Rank:
		return d.rank(field+".rank", b.Rank)
	case *jobv1.OperatorSpec_Deduplicate:
		s := b.Deduplicate
		return &jobgraph.DeduplicateSpec{
			Keys: ints(s.GetKeys()), Time: optional(s.Time), KeepLast: s.KeepLast, UpdateBefore: s.UpdateBefore, AppendOnly: s.AppendOnly,
			WindowEnd: optional(s.WindowEnd), FinalOnly: s.FinalOnly, TTL: d.duration(field+".deduplicate.ttl", s.GetTtl()),
			EachChange: s.EachChange,
		}
	case *jobv1.OperatorSpec_ChangelogNormalize:
		s := b.ChangelogNormalize
		at := field + ".changelog_normalize"
		out := &jobgraph.ChangelogNormalizeSpec{
			Keys: ints(s.GetKeys()), UpdateBefore: s.GetUpdateBefore(), EachChange: s.GetEachChange(), FinalOnly: s.GetFinalOnly(),
			TTL: d.duration(at+".ttl", s.GetTtl()),
		}
		if f := s.GetFilter(); f != nil {
			out.Filter = d.expr(at+".filter", f, 1)
		}
		return out
	case *jobv1.OperatorSpec_SinkMaterialize:
		s := b.SinkMaterialize
		return &jobgraph.SinkMaterializeSpec{Keys: ints(s.GetKeys()), UpsertKey: ints(s.GetUpsertKey()), TTL: d.duration(field+".sink_materialize.ttl", s.GetTtl())}
	case *jobv1.OperatorSpec_Sort:
		return &jobgraph.SortSpec{Order: sortColumns(b.Sort.GetOrder()), Time: optional(b.Sort.Time)}
	case *jobv1.OperatorSpec_Limit:
		return &jobgraph.LimitSpec{Offset: b.Limit.GetOffset(), Count: b.Limit.GetCount()}
	case *jobv1.OperatorSpec_DropUpdateBefore:
		return &jobgraph.DropUpdateBeforeSpec{Keys: ints(b.DropUpdateBefore.GetKeys())}
	default:
		return nil
	}
}

func (d *decoder) rank(field string, r *jobv1.RankSpec) *jobgraph.RankSpec {
	out := &jobgraph.RankSpec{
		Keys: ints(r.GetKeys()), Order: sortColumns(r.GetOrder()), From: r.GetFrom(), To: r.GetTo(), ToColumn: optional(r.ToColumn),
		RankNumber: r.GetRankNumber(), UniqueKey: ints(r.GetUniqueKey()), UpdateBefore: r.GetUpdateBefore(), WindowEnd: optional(r.WindowEnd),
		FinalOnly: r.GetFinalOnly(), TTL: d.duration(field+".ttl", r.GetTtl()),
	}
	for strategy, pb := range rankStrategies {
		if pb == r.GetStrategy() {
			out.Strategy = strategy
		}
	}
	if out.Strategy == 0 {
		d.addf(field+".strategy", "no strategy has the number %d", r.GetStrategy())
	}
	return out
}

func sortColumns(in []*jobv1.SortColumn) (out []jobgraph.SortColumn) {
	for _, c := range in {
		out = append(out, jobgraph.SortColumn{Column: int(c.GetColumn()), Descending: c.GetDescending(), NullsLast: c.GetNullsLast()})
	}
	return out
}

// optional returns a column, NoColumn where there is none.
func optional(c *int32) int {
	if c == nil {
		return jobgraph.NoColumn
	}
	return int(*c)
}
