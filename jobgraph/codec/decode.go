package codec

import (
	"fmt"
	"maps"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"millrace/failure"
	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// FromProto returns the graph that a message describes. What the message lacks
// or contradicts is a *failure.Problems of the user; a nil message is one too.
// The graph shares no memory with the message.
func FromProto(g *jobv1.JobGraph) (*jobgraph.Graph, error) {
	d := &decoder{}
	if g == nil {
		d.problems.Addf("", "", "the job graph is missing")
		return nil, d.problems.Err()
	}
	out := d.graph(g)
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// decoder collects problems. vertex is the one being read.
type decoder struct {
	problems failure.Problems
	vertex   string
	nodes    int // expression nodes so far
}

func (d *decoder) addf(field, format string, args ...any) {
	d.problems.Addf(d.vertex, field, format, args...)
}

func (d *decoder) graph(g *jobv1.JobGraph) *jobgraph.Graph {
	out := &jobgraph.Graph{
		Name:              g.Name,
		MaxParallelism:    int(g.MaxParallelism),
		Parallelism:       int(g.Parallelism),
		Checkpoint:        d.checkpoint(g.Checkpoint),
		Restart:           d.restart(g.Restart),
		BufferTimeout:     d.duration("buffer_timeout", g.BufferTimeout),
		WatermarkInterval: d.duration("watermark_interval", g.WatermarkInterval),
		TaskManagerLabels: copyTexts(g.TaskManagerLabels),
		Zone:              g.Zone,
		Program:           d.program(g.Program),
	}
	for i, v := range g.Vertices {
		d.vertex = v.GetId()
		if d.vertex == "" {
			d.vertex = fmt.Sprintf("number %d", i)
		}
		out.Vertices = append(out.Vertices, d.oneVertex(v))
	}
	d.vertex = ""
	for i, e := range g.Edges {
		out.Edges = append(out.Edges, d.edge(fmt.Sprintf("edges[%d]", i), e))
	}
	out.BindFunctions()
	return out
}

func (d *decoder) checkpoint(c *jobv1.CheckpointSpec) jobgraph.CheckpointSpec {
	return jobgraph.CheckpointSpec{
		Interval:          d.duration("checkpoint.interval", c.GetInterval()),
		MinPause:          d.duration("checkpoint.min_pause", c.GetMinPause()),
		Timeout:           d.duration("checkpoint.timeout", c.GetTimeout()),
		TolerableFailures: int(c.GetTolerableFailures()),
		Retained:          int(c.GetRetained()),
		Unaligned:         c.GetUnaligned(),
		AlignedTimeout:    d.duration("checkpoint.aligned_timeout", c.GetAlignedTimeout()),
	}
}

func (d *decoder) restart(r *jobv1.RestartSpec) jobgraph.RestartSpec {
	out := jobgraph.RestartSpec{
		Attempts:       int(r.GetAttempts()),
		Delay:          d.duration("restart.delay", r.GetDelay()),
		MaxDelay:       d.duration("restart.max_delay", r.GetMaxDelay()),
		ResetThreshold: d.duration("restart.reset_threshold", r.GetResetThreshold()),
		Poison:         int(r.GetPoison()),
	}
	switch s := r.GetStrategy(); s {
	case jobv1.RestartStrategy_RESTART_STRATEGY_UNSPECIFIED, jobv1.RestartStrategy_RESTART_STRATEGY_EXPONENTIAL_DELAY:
		out.Strategy = jobgraph.RestartExponentialDelay
	case jobv1.RestartStrategy_RESTART_STRATEGY_FIXED_DELAY:
		out.Strategy = jobgraph.RestartFixedDelay
	case jobv1.RestartStrategy_RESTART_STRATEGY_NONE:
		out.Strategy = jobgraph.RestartNone
	default:
		d.addf("restart.strategy", "no restart strategy has the number %d", s)
	}
	return out
}

func (d *decoder) oneVertex(v *jobv1.Vertex) jobgraph.Vertex {
	out := jobgraph.Vertex{
		ID: types.VertexID(v.GetId()), Name: v.GetName(), Parallelism: int(v.GetParallelism()),
		Source: d.source(v.GetSource()), Sink: sink(v.GetSink()), SlotSharingGroup: v.GetSlotSharingGroup(),
	}
	for i, o := range v.GetOperators() {
		out.Operators = append(out.Operators, d.operator(fmt.Sprintf("operators[%d]", i), o))
	}
	return out
}

func (d *decoder) source(s *jobv1.SourceSpec) *jobgraph.SourceSpec {
	if s == nil {
		return nil
	}
	out := &jobgraph.SourceSpec{
		UID: types.OperatorUID(s.Uid), Connector: s.Connector, Options: copyTexts(s.Options), Schema: d.schema("source.schema", s.Schema),
	}
	if out.Schema == nil {
		d.addf("source.schema", "is missing")
	}
	out.Computed = d.projections("source.computed", s.Computed)
	out.PrimaryKey, out.Metadata = ints(s.PrimaryKey), metadata(s.Metadata)
	if w := s.Watermark; w != nil {
		out.Watermark = &jobgraph.WatermarkSpec{
			Column:      int(w.Column),
			Delay:       d.duration("source.watermark.delay", w.Delay),
			IdleTimeout: d.duration("source.watermark.idle_timeout", w.IdleTimeout),
		}
	}
	return out
}

func sink(s *jobv1.SinkSpec) *jobgraph.SinkSpec {
	if s == nil {
		return nil
	}
	return &jobgraph.SinkSpec{
		UID: types.OperatorUID(s.Uid), Connector: s.Connector, Options: copyTexts(s.Options),
		PrimaryKey: ints(s.PrimaryKey), Metadata: metadata(s.Metadata), Overwrite: s.Overwrite,
	}
}

func metadata(in []*jobv1.MetadataColumn) (out []jobgraph.MetadataColumn) {
	for _, m := range in {
		out = append(out, jobgraph.MetadataColumn{Column: int(m.GetColumn()), Key: m.GetKey()})
	}
	return out
}

func copyTexts(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	maps.Copy(out, in)
	return out
}

func (d *decoder) operator(field string, o *jobv1.OperatorSpec) jobgraph.OperatorSpec {
	out := jobgraph.OperatorSpec{UID: types.OperatorUID(o.GetUid()), Name: o.GetName()}
	switch b := o.GetBody().(type) {
	case *jobv1.OperatorSpec_Calc:
		out.Body = d.calc(field+".calc", b.Calc)
	case *jobv1.OperatorSpec_WindowAggregate:
		out.Body = d.window(field+".window_aggregate", b.WindowAggregate)
	case *jobv1.OperatorSpec_LocalAggregate:
		out.Body = (*jobgraph.LocalAggregateSpec)(d.window(field+".local_aggregate", b.LocalAggregate))
	case *jobv1.OperatorSpec_Join:
		out.Body = d.join(field+".join", b.Join)
	case *jobv1.OperatorSpec_IntervalJoin:
		out.Body = d.intervalJoin(field+".interval_join", b.IntervalJoin)
	case *jobv1.OperatorSpec_WindowJoin:
		out.Body = d.windowJoin(field+".window_join", b.WindowJoin)
	case *jobv1.OperatorSpec_TemporalJoin:
		out.Body = d.temporalJoin(field+".temporal_join", b.TemporalJoin)
	case *jobv1.OperatorSpec_Correlate:
		out.Body = d.correlate(field+".correlate", b.Correlate)
	case *jobv1.OperatorSpec_LookupJoin:
		out.Body = d.lookupJoin(field+".lookup_join", b.LookupJoin)
	case *jobv1.OperatorSpec_Native:
		out.Body = d.native(field+".native", b.Native)
	case *jobv1.OperatorSpec_Union:
		out.Body = &jobgraph.UnionSpec{}
	case *jobv1.OperatorSpec_WindowAssign:
		out.Body = d.assign(field+".window_assign", b.WindowAssign)
	case *jobv1.OperatorSpec_Expand:
		out.Body = expand(b.Expand)
	case *jobv1.OperatorSpec_OverAggregate:
		out.Body = over(b.OverAggregate)
	case *jobv1.OperatorSpec_GroupAggregate:
		out.Body = d.group(field+".group_aggregate", b.GroupAggregate)
	case *jobv1.OperatorSpec_LocalGroupAggregate:
		out.Body = localGroup(b.LocalGroupAggregate)
	default:
		if out.Body = d.ranked(field, o); out.Body == nil {
			d.addf(field, "operator has no description that is known here")
		}
	}
	return out
}

func (d *decoder) calc(field string, c *jobv1.CalcSpec) *jobgraph.CalcSpec {
	out := &jobgraph.CalcSpec{}
	if f := c.GetFilter(); f != nil {
		out.Filter = d.expr(field+".filter", f, 1)
	}
	out.Columns = d.projections(field+".columns", c.GetColumns())
	return out
}

func (d *decoder) projections(field string, in []*jobv1.Projection) (out []jobgraph.Projection) {
	for i, p := range in {
		at := fmt.Sprintf("%s[%d].expr", field, i)
		out = append(out, jobgraph.Projection{Name: p.GetName(), Expr: d.expr(at, p.GetExpr(), 1)})
	}
	return out
}

func (d *decoder) window(field string, w *jobv1.WindowAggregateSpec) *jobgraph.WindowAggregateSpec {
	return &jobgraph.WindowAggregateSpec{
		Keys: ints(w.GetKeys()), Time: int(w.GetTime()),
		Window: d.windowSpec(field+".window", w.GetWindow()), Start: int(w.GetStart()),
		Partial: w.GetPartial(), Input: d.schema(field+".input", w.GetInput()), LateOutput: w.GetLateOutput(),
		Aggregates: calls(w.GetAggregates()),
	}
}

var partitionings = map[jobv1.PartitioningKind]jobgraph.PartitioningKind{
	jobv1.PartitioningKind_PARTITIONING_KIND_FORWARD:   jobgraph.Forward,
	jobv1.PartitioningKind_PARTITIONING_KIND_HASH:      jobgraph.Hash,
	jobv1.PartitioningKind_PARTITIONING_KIND_REBALANCE: jobgraph.Rebalance,
	jobv1.PartitioningKind_PARTITIONING_KIND_BROADCAST: jobgraph.Broadcast,
}

func (d *decoder) edge(field string, e *jobv1.Edge) jobgraph.Edge {
	kind, ok := partitionings[e.GetPartitioning()]
	switch {
	case e.GetPartitioning() == jobv1.PartitioningKind_PARTITIONING_KIND_UNSPECIFIED:
		d.addf(field+".partitioning", "is missing")
	case !ok:
		d.addf(field+".partitioning", "no partitioning has the number %d", e.GetPartitioning())
	}
	return jobgraph.Edge{
		From: types.VertexID(e.GetFrom()), Port: int(e.GetPort()), To: types.VertexID(e.GetTo()), Input: int(e.GetInput()),
		Partitioning: jobgraph.Partitioning{Kind: kind, Keys: ints(e.GetKeys())},
	}
}

func ints(in []int32) []int {
	if len(in) == 0 {
		return nil
	}
	out := make([]int, len(in))
	for i, v := range in {
		out[i] = int(v)
	}
	return out
}

// durationSecondsMax is the last whole second of a time.Duration.
const durationSecondsMax = int64(math.MaxInt64/time.Second) - 1

func (d *decoder) duration(field string, p *durationpb.Duration) time.Duration {
	if p == nil {
		return 0
	}
	if err := p.CheckValid(); err != nil {
		d.addf(field, "%d s and %d ns are no duration", p.Seconds, p.Nanos)
		return 0
	}
	if p.Seconds > durationSecondsMax || p.Seconds < -durationSecondsMax {
		d.addf(field, "a duration of %d s is longer than 292 years", p.Seconds)
		return 0
	}
	return p.AsDuration()
}
