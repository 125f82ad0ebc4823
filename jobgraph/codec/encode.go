package codec

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"millrace/failure"
	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// ToProto returns the message that describes a graph. It fails, naming vertex
// and field, for what no message can carry: numbers beyond 32 bits, operators
// without exactly one description, expressions with missing parts, literals of
// a Go type that expr.Literal does not allow or of invalid UTF-8.
func ToProto(g *jobgraph.Graph) (*jobv1.JobGraph, error) {
	e := &encoder{}
	if g == nil {
		e.problems.Addf("", "", "the job graph is missing")
		return nil, e.problems.Err()
	}
	out := e.graph(g)
	if err := e.problems.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// encoder collects problems. vertex is the one being written.
type encoder struct {
	problems failure.Problems
	vertex   string
	nodes    int
}

func (e *encoder) addf(field, format string, args ...any) {
	e.problems.Addf(e.vertex, field, format, args...)
}

func (e *encoder) graph(g *jobgraph.Graph) *jobv1.JobGraph {
	out := &jobv1.JobGraph{
		Name:              g.Name,
		MaxParallelism:    e.int("max_parallelism", g.MaxParallelism),
		Parallelism:       e.int("parallelism", g.Parallelism),
		Checkpoint:        e.checkpoint(g.Checkpoint),
		Restart:           e.restart(g.Restart),
		BufferTimeout:     duration(g.BufferTimeout),
		WatermarkInterval: duration(g.WatermarkInterval),
		TaskManagerLabels: copyTexts(g.TaskManagerLabels),
		Zone:              g.Zone,
		Program:           e.program(g.Program),
	}
	for i := range g.Vertices {
		e.vertex = string(g.Vertices[i].ID)
		out.Vertices = append(out.Vertices, e.oneVertex(&g.Vertices[i]))
	}
	e.vertex = ""
	for i := range g.Edges {
		out.Edges = append(out.Edges, e.edge(fmt.Sprintf("edges[%d]", i), &g.Edges[i]))
	}
	return out
}

func (e *encoder) checkpoint(c jobgraph.CheckpointSpec) *jobv1.CheckpointSpec {
	if c == (jobgraph.CheckpointSpec{}) {
		return nil
	}
	return &jobv1.CheckpointSpec{
		Interval: duration(c.Interval), MinPause: duration(c.MinPause), Timeout: duration(c.Timeout),
		TolerableFailures: e.int("checkpoint.tolerable_failures", c.TolerableFailures),
		Retained:          e.int("checkpoint.retained", c.Retained),
		Unaligned:         c.Unaligned, AlignedTimeout: duration(c.AlignedTimeout),
	}
}

var strategies = map[jobgraph.RestartStrategy]jobv1.RestartStrategy{
	jobgraph.RestartExponentialDelay: jobv1.RestartStrategy_RESTART_STRATEGY_EXPONENTIAL_DELAY,
	jobgraph.RestartFixedDelay:       jobv1.RestartStrategy_RESTART_STRATEGY_FIXED_DELAY,
	jobgraph.RestartNone:             jobv1.RestartStrategy_RESTART_STRATEGY_NONE,
}

func (e *encoder) restart(r jobgraph.RestartSpec) *jobv1.RestartSpec {
	if r == (jobgraph.RestartSpec{}) {
		return nil
	}
	strategy, ok := strategies[r.Strategy]
	if !ok {
		e.addf("restart.strategy", "unknown strategy %d", r.Strategy)
	}
	return &jobv1.RestartSpec{
		Strategy: strategy, Attempts: e.int("restart.attempts", r.Attempts), Delay: duration(r.Delay),
		MaxDelay: duration(r.MaxDelay), ResetThreshold: duration(r.ResetThreshold), Poison: e.int("restart.poison", r.Poison),
	}
}

func (e *encoder) oneVertex(v *jobgraph.Vertex) *jobv1.Vertex {
	out := &jobv1.Vertex{
		Id: string(v.ID), Name: v.Name, Parallelism: e.int("parallelism", v.Parallelism), Source: e.source(v.Source),
		SlotSharingGroup: v.SlotSharingGroup,
	}
	if s := v.Sink; s != nil {
		out.Sink = &jobv1.SinkSpec{
			Uid: string(s.UID), Connector: s.Connector, Options: copyTexts(s.Options),
			PrimaryKey: e.ints("sink.primary_key", s.PrimaryKey), Metadata: e.metadata("sink.metadata", s.Metadata),
			Overwrite: s.Overwrite,
		}
	}
	for i := range v.Operators {
		out.Operators = append(out.Operators, e.operator(fmt.Sprintf("operators[%d]", i), &v.Operators[i]))
	}
	return out
}

func (e *encoder) source(s *jobgraph.SourceSpec) *jobv1.SourceSpec {
	if s == nil {
		return nil
	}
	out := &jobv1.SourceSpec{
		Uid: string(s.UID), Connector: s.Connector, Options: copyTexts(s.Options), Schema: e.schema("source.schema", s.Schema),
	}
	out.Computed = e.projections("source.computed", s.Computed)
	out.PrimaryKey, out.Metadata = e.ints("source.primary_key", s.PrimaryKey), e.metadata("source.metadata", s.Metadata)
	if w := s.Watermark; w != nil {
		out.Watermark = &jobv1.WatermarkSpec{
			Column: e.int("source.watermark.column", w.Column), Delay: duration(w.Delay), IdleTimeout: duration(w.IdleTimeout),
		}
	}
	return out
}

func (e *encoder) metadata(field string, in []jobgraph.MetadataColumn) (out []*jobv1.MetadataColumn) {
	for i, m := range in {
		out = append(out, &jobv1.MetadataColumn{Column: e.int(fmt.Sprintf("%s[%d].column", field, i), m.Column), Key: m.Key})
	}
	return out
}

func (e *encoder) operator(field string, o *jobgraph.OperatorSpec) *jobv1.OperatorSpec {
	out := &jobv1.OperatorSpec{Uid: string(o.UID), Name: o.Name}
	if o.Kind() == jobgraph.KindUnknown {
		e.addf(field, "operator has no description")
		return out
	}
	switch b := o.Body.(type) {
	case *jobgraph.CalcSpec:
		out.Body = &jobv1.OperatorSpec_Calc{Calc: e.calc(field+".calc", b)}
	case *jobgraph.WindowAggregateSpec:
		out.Body = &jobv1.OperatorSpec_WindowAggregate{WindowAggregate: e.window(field+".window_aggregate", b)}
	case *jobgraph.LocalAggregateSpec:
		w := (*jobgraph.WindowAggregateSpec)(b)
		out.Body = &jobv1.OperatorSpec_LocalAggregate{LocalAggregate: e.window(field+".local_aggregate", w)}
	case *jobgraph.JoinSpec:
		out.Body = &jobv1.OperatorSpec_Join{Join: e.join(field+".join", b)}
	case *jobgraph.IntervalJoinSpec:
		out.Body = &jobv1.OperatorSpec_IntervalJoin{IntervalJoin: e.intervalJoin(field+".interval_join", b)}
	case *jobgraph.WindowJoinSpec:
		out.Body = &jobv1.OperatorSpec_WindowJoin{WindowJoin: e.windowJoin(field+".window_join", b)}
	case *jobgraph.TemporalJoinSpec:
		out.Body = &jobv1.OperatorSpec_TemporalJoin{TemporalJoin: e.temporalJoin(field+".temporal_join", b)}
	case *jobgraph.CorrelateSpec:
		out.Body = &jobv1.OperatorSpec_Correlate{Correlate: e.correlate(field+".correlate", b)}
	case *jobgraph.LookupJoinSpec:
		out.Body = &jobv1.OperatorSpec_LookupJoin{LookupJoin: e.lookupJoin(field+".lookup_join", b)}
	case *jobgraph.NativeSpec:
		out.Body = &jobv1.OperatorSpec_Native{Native: e.native(field+".native", b)}
	case *jobgraph.UnionSpec:
		out.Body = &jobv1.OperatorSpec_Union{Union: &jobv1.UnionSpec{}}
	default:
		e.ranked(field, o, out)
	case *jobgraph.WindowAssignSpec:
		out.Body = &jobv1.OperatorSpec_WindowAssign{WindowAssign: e.assign(field+".window_assign", b)}
	case *jobgraph.ExpandSpec:
		out.Body = &jobv1.OperatorSpec_Expand{Expand: e.expand(field+".expand", b)}
	case *jobgraph.OverAggregateSpec:
		out.Body = &jobv1.OperatorSpec_OverAggregate{OverAggregate: e.over(field+".over_aggregate", b)}
	case *jobgraph.GroupAggregateSpec:
		out.Body = &jobv1.OperatorSpec_GroupAggregate{GroupAggregate: e.group(field+".group_aggregate", b)}
	case *jobgraph.LocalGroupAggregateSpec:
		out.Body = &jobv1.OperatorSpec_LocalGroupAggregate{LocalGroupAggregate: e.localGroup(field+".local_group_aggregate", b)}
	}
	return out
}

func (e *encoder) calc(field string, c *jobgraph.CalcSpec) *jobv1.CalcSpec {
	out := &jobv1.CalcSpec{}
	if c.Filter != nil {
		out.Filter = e.expr(field+".filter", c.Filter, 1)
	}
	out.Columns = e.projections(field+".columns", c.Columns)
	return out
}

func (e *encoder) projections(field string, in []jobgraph.Projection) (out []*jobv1.Projection) {
	for i, p := range in {
		at := fmt.Sprintf("%s[%d].expr", field, i)
		out = append(out, &jobv1.Projection{Name: p.Name, Expr: e.expr(at, p.Expr, 1)})
	}
	return out
}

func (e *encoder) window(field string, w *jobgraph.WindowAggregateSpec) *jobv1.WindowAggregateSpec {
	return &jobv1.WindowAggregateSpec{
		Keys: e.ints(field+".keys", w.Keys), Time: e.int(field+".time", w.Time),
		Window: e.windowSpec(field+".window", &w.Window), Start: e.int(field+".start", w.Start),
		Partial: w.Partial, Input: e.schema(field+".input", w.Input), LateOutput: w.LateOutput,
		Aggregates: e.calls(field+".aggregates", w.Aggregates),
	}
}

func (e *encoder) edge(field string, in *jobgraph.Edge) *jobv1.Edge {
	out := &jobv1.Edge{
		From: string(in.From), Port: e.int(field+".port", in.Port), To: string(in.To), Input: e.int(field+".input", in.Input),
		Keys: e.ints(field+".keys", in.Keys),
	}
	for pb, kind := range partitionings {
		if kind == in.Kind {
			out.Partitioning = pb
		}
	}
	if out.Partitioning == jobv1.PartitioningKind_PARTITIONING_KIND_UNSPECIFIED {
		e.addf(field+".partitioning", "unknown partitioning %d", in.Kind)
	}
	return out
}

// schema returns nil for nil.
func (e *encoder) schema(field string, s *types.Schema) *jobv1.Schema {
	if s == nil {
		return nil
	}
	return &jobv1.Schema{Fields: e.fields(field, s.Fields, 0)}
}

func (e *encoder) fields(field string, in []types.Field, depth int) []*jobv1.Field {
	var out []*jobv1.Field
	for i, f := range in {
		at := fmt.Sprintf("%s.fields[%d].type", field, i)
		out = append(out, &jobv1.Field{Name: f.Name, Type: e.typ(at, f.Type, depth)})
	}
	return out
}

func (e *encoder) typ(field string, t types.Type, depth int) *jobv1.Type {
	if depth > types.MaxTypeDepth {
		e.addf(field, "type is nested deeper than %d", types.MaxTypeDepth)
		return nil
	}
	out := &jobv1.Type{
		Kind: jobv1.TypeKind(t.Kind), NotNull: !t.Nullable, Precision: e.int(field+".precision", t.Precision),
		Scale: e.int(field+".scale", t.Scale), Length: e.int(field+".length", t.Length), Fields: e.fields(field, t.Fields, depth+1),
	}
	if t.Key != nil {
		out.Key = e.typ(field+".key", *t.Key, depth+1)
	}
	if t.Elem != nil {
		out.Elem = e.typ(field+".elem", *t.Elem, depth+1)
	}
	return out
}

func (e *encoder) int(field string, v int) int32 {
	if v < math.MinInt32 || v > math.MaxInt32 {
		e.addf(field, "%d does not fit into 32 bits", v)
		return 0
	}
	return int32(v)
}

func (e *encoder) ints(field string, in []int) []int32 {
	var out []int32
	for _, v := range in {
		out = append(out, e.int(field, v))
	}
	return out
}

// duration leaves a zero out: absent and zero mean the same everywhere.
func duration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
