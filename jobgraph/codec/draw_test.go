package codec_test

import (
	"time"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/types"
)

// The draw functions make any graph that a message can carry, sense or not.

func drawGraph(t *rapid.T) *jobgraph.Graph {
	g := &jobgraph.Graph{
		Name: rapid.String().Draw(t, "name"), MaxParallelism: int(rapid.Int32().Draw(t, "max")), Parallelism: int(rapid.Int32().Draw(t, "p")),
		BufferTimeout: drawDuration(t), WatermarkInterval: drawDuration(t), TaskManagerLabels: drawOptions(t), Zone: rapid.String().Draw(t, "zone"),
		Checkpoint: jobgraph.CheckpointSpec{
			Interval: drawDuration(t), MinPause: drawDuration(t), Timeout: drawDuration(t),
			Unaligned: rapid.Bool().Draw(t, "unaligned"), AlignedTimeout: drawDuration(t),
			TolerableFailures: int(rapid.Int32().Draw(t, "tolerable")), Retained: int(rapid.Int32().Draw(t, "retained")),
		},
		Restart: jobgraph.RestartSpec{
			Strategy: jobgraph.RestartStrategy(rapid.IntRange(0, 2).Draw(t, "strategy")), Attempts: int(rapid.Int32().Draw(t, "attempts")),
			Delay: drawDuration(t), MaxDelay: drawDuration(t), ResetThreshold: drawDuration(t), Poison: int(rapid.Int32().Draw(t, "poison")),
		},
	}
	if rapid.Bool().Draw(t, "program") {
		g.Program = drawProgram(t)
	}
	for range rapid.IntRange(0, 3).Draw(t, "vertices") {
		g.Vertices = append(g.Vertices, drawVertex(t))
	}
	for range rapid.IntRange(0, 3).Draw(t, "edges") {
		g.Edges = append(g.Edges, jobgraph.Edge{
			From: types.VertexID(rapid.String().Draw(t, "from")), To: types.VertexID(rapid.String().Draw(t, "to")),
			Port: rapid.IntRange(-1, 2).Draw(t, "port"), Input: rapid.IntRange(0, 2).Draw(t, "input"),
			Partitioning: jobgraph.Partitioning{
				Kind: jobgraph.PartitioningKind(rapid.IntRange(0, 3).Draw(t, "kind")), Keys: rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "keys"),
			},
		})
	}
	g.BindFunctions() // as whoever describes a job does
	return g
}

func drawDuration(t *rapid.T) time.Duration {
	return time.Duration(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "duration"))
}

func drawOptions(t *rapid.T) map[string]string {
	return rapid.MapOfN(rapid.String(), rapid.String(), 0, 2).Draw(t, "options")
}

func drawVertex(t *rapid.T) jobgraph.Vertex {
	v := jobgraph.Vertex{
		ID: types.VertexID(rapid.String().Draw(t, "id")), Name: rapid.String().Draw(t, "name"), Parallelism: int(rapid.Int32().Draw(t, "p")),
		SlotSharingGroup: rapid.String().Draw(t, "slot sharing group"),
	}
	if rapid.Bool().Draw(t, "source") {
		v.Source = &jobgraph.SourceSpec{UID: "s", Connector: rapid.String().Draw(t, "connector"), Options: drawOptions(t), Schema: drawSchema(t)}
		v.Source.PrimaryKey, v.Source.Metadata = drawKey(t), drawMetadata(t)
		if rapid.Bool().Draw(t, "computed") {
			v.Source.Computed = []jobgraph.Projection{{Name: rapid.String().Draw(t, "column"), Expr: drawExpr(t, 2)}}
		}
		if rapid.Bool().Draw(t, "watermark") {
			v.Source.Watermark = &jobgraph.WatermarkSpec{Column: int(rapid.Int32().Draw(t, "column")), Delay: drawDuration(t), IdleTimeout: drawDuration(t)}
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "operators") {
		v.Operators = append(v.Operators, drawOperator(t))
	}
	if rapid.Bool().Draw(t, "sink") {
		v.Sink = &jobgraph.SinkSpec{
			UID: "t", Connector: rapid.String().Draw(t, "connector"), Options: drawOptions(t),
			PrimaryKey: drawKey(t), Metadata: drawMetadata(t), Overwrite: rapid.Bool().Draw(t, "overwrite"),
		}
	}
	return v
}

func drawKey(t *rapid.T) (key []int) {
	for range rapid.IntRange(0, 2).Draw(t, "key columns") {
		key = append(key, rapid.IntRange(0, 9).Draw(t, "key column"))
	}
	return key
}

func drawMetadata(t *rapid.T) (out []jobgraph.MetadataColumn) {
	for range rapid.IntRange(0, 2).Draw(t, "metadata columns") {
		out = append(out, jobgraph.MetadataColumn{Column: rapid.IntRange(0, 9).Draw(t, "metadata column"), Key: rapid.String().Draw(t, "metadata key")})
	}
	return out
}

func drawOperator(t *rapid.T) jobgraph.OperatorSpec {
	o := jobgraph.OperatorSpec{UID: "o", Name: rapid.String().Draw(t, "name")}
	if rapid.IntRange(0, 4).Draw(t, "ranked") == 0 {
		o.Body = drawRanked(t)
		return o
	}
	switch rapid.IntRange(0, 16).Draw(t, "operator") {
	case 0:
		o.Body = &jobgraph.UnionSpec{}
	case 1:
		o.Body = (*jobgraph.LocalAggregateSpec)(drawWindow(t))
	case 2:
		o.Body = drawWindow(t)
	case 3:
		o.Body = drawGroup(t)
	case 6:
		o.Body = drawOver(t)
	case 7:
		nulls := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "nulls")
		o.Body = &jobgraph.ExpandSpec{ID: rapid.String().Draw(t, "id"), Sets: []jobgraph.GroupingSet{{Nulls: nulls, ID: rapid.Int64().Draw(t, "set")}}}
	case 5:
		o.Body = &jobgraph.WindowAssignSpec{Time: int(rapid.Int32().Draw(t, "time")), Window: drawWindowSpec(t)}
	case 4:
		o.Body = drawGroup(t).Local()
	case 9:
		o.Body = drawJoin(t)
	case 10:
		o.Body = drawIntervalJoin(t)
	case 11:
		o.Body = drawWindowJoin(t)
	case 12:
		o.Body = drawTemporalJoin(t)
	case 13:
		o.Body = &jobgraph.LookupJoinSpec{
			Type: drawJoinType(t), Keys: drawJoinKeys(t), Condition: drawCondition(t),
			Table: jobgraph.LookupTable{Connector: rapid.String().Draw(t, "connector"), Options: drawOptions(t), Schema: drawSchema(t)},
		}
	case 15:
		o.Body = drawNative(t)
	case 14:
		o.Body = &jobgraph.CorrelateSpec{
			Type: drawJoinType(t), Func: rapid.String().Draw(t, "func"), Args: []expr.Expr{drawExpr(t, 2)},
			Ordinality: rapid.Bool().Draw(t, "ordinality"), Columns: drawSchema(t).Fields,
		}
	default:
		c := &jobgraph.CalcSpec{Columns: []jobgraph.Projection{{Name: rapid.String().Draw(t, "column"), Expr: drawExpr(t, 3)}}}
		if rapid.Bool().Draw(t, "filter") {
			c.Filter = drawExpr(t, 3)
		}
		o.Body = c
	}
	return o
}

func drawWindow(t *rapid.T) *jobgraph.WindowAggregateSpec {
	w := &jobgraph.WindowAggregateSpec{
		Keys: rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "keys"), Time: int(rapid.Int32().Draw(t, "time")),
		Window: drawWindowSpec(t), Start: int(rapid.Int32().Draw(t, "start")),
		Partial: rapid.Bool().Draw(t, "partial"), LateOutput: rapid.Bool().Draw(t, "late"),
		Aggregates: drawCalls(t),
	}
	if w.Partial {
		w.Input = drawSchema(t)
	}
	return w
}

func drawSchema(t *rapid.T) *types.Schema {
	s := &types.Schema{}
	for range rapid.IntRange(0, 3).Draw(t, "fields") {
		s.Fields = append(s.Fields, types.Field{Name: rapid.String().Draw(t, "name"), Type: drawType(t, 2)})
	}
	return s
}

func drawType(t *rapid.T, depth int) types.Type {
	out := drawNullable(t, depth)
	out.Nullable = rapid.Bool().Draw(t, "nullable")
	return out
}

func drawNullable(t *rapid.T, depth int) types.Type {
	kind := types.Kind(rapid.IntRange(int(types.Boolean), int(types.Null)).Draw(t, "kind"))
	if depth == 0 && kind >= types.Array {
		kind = types.Null
	}
	switch kind {
	case types.Decimal:
		p := rapid.IntRange(1, types.MaxDecimalPrecision).Draw(t, "precision")
		return types.DecimalOf(p, rapid.IntRange(0, p).Draw(t, "scale"))
	case types.Char, types.VarChar, types.Binary, types.VarBinary:
		return types.Type{Kind: kind, Length: rapid.IntRange(1, types.MaxLength).Draw(t, "length")}
	case types.Time, types.Timestamp, types.TimestampLTZ:
		return types.Type{Kind: kind, Precision: rapid.IntRange(0, types.MaxTimestampPrecision).Draw(t, "precision")}
	case types.Array:
		return types.ArrayOf(drawType(t, depth-1))
	case types.Map:
		return types.MapOf(drawType(t, depth-1), drawType(t, depth-1))
	case types.Row:
		return types.RowOf(types.Field{Name: "a", Type: drawType(t, depth-1)}, types.Field{Name: "b", Type: drawType(t, depth-1)})
	default:
		return types.Of(kind)
	}
}

func drawExpr(t *rapid.T, depth int) expr.Expr {
	typ := drawType(t, 1)
	choice := rapid.IntRange(0, 4).Draw(t, "node")
	if depth == 0 {
		choice %= 2
	}
	switch choice {
	case 0:
		return &expr.Column{Index: int(rapid.Int32().Draw(t, "index")), Name: rapid.String().Draw(t, "name"), T: typ}
	case 1:
		return &expr.Literal{T: typ, Value: drawValue(t, typ)}
	case 2:
		return &expr.Call{Func: rapid.String().Draw(t, "func"), Args: []expr.Expr{drawExpr(t, depth-1), drawExpr(t, depth-1)}, T: typ}
	case 3:
		return &expr.Cast{X: drawExpr(t, depth-1), To: typ, Try: rapid.Bool().Draw(t, "try")}
	default:
		c := &expr.Case{T: typ, Whens: []expr.When{{If: drawExpr(t, depth-1), Then: drawExpr(t, depth-1)}}}
		if rapid.Bool().Draw(t, "else") {
			c.Else = drawExpr(t, depth-1)
		}
		return c
	}
}

// drawValue draws a value of the layout, or NULL, which nested types have alone.
func drawValue(t *rapid.T, typ types.Type) any {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil
	}
	switch l := typ.Layout(); {
	case l == types.LayoutBit:
		return rapid.Bool().Draw(t, "bool")
	case l >= types.LayoutInt8 && l <= types.LayoutInt64:
		return rapid.Int64().Draw(t, "int")
	case l == types.LayoutFloat32 || l == types.LayoutFloat64:
		return rapid.Float64().Draw(t, "float")
	case l == types.LayoutInt128:
		return types.Int128{Lo: rapid.Uint64().Draw(t, "lo"), Hi: rapid.Int64().Draw(t, "hi")}
	case typ.Kind == types.Char || typ.Kind == types.VarChar:
		return rapid.String().Draw(t, "string")
	case l == types.LayoutBytes:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	default:
		return nil
	}
}
