package jobgraph

import (
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/types"
)

// vertex checks a vertex whose producers have been checked.
func (v *validator) vertex(i int) {
	x := &v.g.Vertices[i]
	v.ends(i, x)
	at := v.inputSchemas(i, x)
	if x.Source != nil {
		at = []*types.Schema{v.source(x)}
	}
	if len(at) == 0 {
		at = []*types.Schema{nil}
	}
	var side *types.Schema
	for k := range x.Operators {
		side = at[0]
		at = []*types.Schema{v.operator(i, k, at)}
	}
	v.outputs[port{i, 0}] = at[0]
	v.outputs[port{i, DeadLetterPort}] = DeadLetterSchema
	if x.lateOutput() {
		v.outputs[port{i, 1}] = side
	}
	for k, s := range x.nativeSides() {
		if at[0] != nil {
			v.outputs[port{i, k + 1}] = s
		}
	}
	if x.Sink != nil {
		v.sink(x, at[0])
	}
}

// ends checks that rows come in at one end of the vertex and leave at the other.
func (v *validator) ends(i int, x *Vertex) {
	switch {
	case x.Source == nil && len(v.inputs[i]) == 0:
		v.add(x.ID, "source", "the vertex has neither a source nor an input")
	case x.Source != nil && len(v.inputs[i]) > 0:
		v.add(x.ID, "source", "the vertex has a source and inputs too, from %s", v.inputs[i][0].From)
	}
	var ports []int
	for _, e := range v.g.Edges {
		if e.From == x.ID {
			ports = append(ports, e.Port)
		}
	}
	switch out := slices.Contains(ports, 0); {
	case x.Sink == nil && !out:
		v.add(x.ID, "sink", "the vertex has neither a sink nor an edge from port 0: its rows would go nowhere")
	case x.Sink != nil && out:
		v.add(x.ID, "sink", "the vertex has a sink and an edge from port 0 too")
	}
	if x.lateOutput() && !slices.Contains(ports, 1) {
		v.add(x.ID, fmt.Sprintf("operators[%d].window_aggregate.late_output", len(x.Operators)-1), "needs an edge from port 1, or late rows would go nowhere")
	}
	if x.Source != nil && x.Source.Options[OnErrorOption] == OnErrorDeadLetter && !slices.Contains(ports, DeadLetterPort) {
		v.add(x.ID, "source.options."+OnErrorOption, "%s needs an edge from port %d", OnErrorDeadLetter, DeadLetterPort)
	}
}

// inputSchemas returns the schemas of a vertex's inputs, nil where one is not known.
func (v *validator) inputSchemas(i int, x *Vertex) []*types.Schema {
	var in []*types.Schema
	for k := range v.inputs[i] {
		e := &v.inputs[i][k]
		s := v.outputs[port{v.vertices[e.From], e.Port}]
		v.hashKeys(e, v.places[i][k], s)
		in = append(in, s)
	}
	if len(in) < 2 {
		return in
	}
	if len(x.Operators) > 0 && x.Operators[0].Kind() != KindUnion {
		return in // the operator tells its inputs apart
	}
	first := slices.IndexFunc(in, func(s *types.Schema) bool { return s != nil })
	for k := first + 1; first >= 0 && k < len(in); k++ {
		if in[k] != nil && !in[k].Equal(in[first]) {
			v.add(x.ID, fmt.Sprintf("edges[%d]", v.places[i][k]), "input %d is %s, but input %d is %s", k, in[k], first, in[first])
		}
	}
	if first > 0 {
		in[0] = in[first]
	}
	return in
}

// source checks a source and returns its schema, nil where that can't stand.
func (v *validator) source(x *Vertex) *types.Schema {
	s := x.Source
	found := contains(v.known.Sources(), s.Connector)
	if !found && !v.g.Program.HasSource(s.Connector) { // the program has checked the options of its own
		v.unknown(x.ID, "source.connector", "source connector", s.Connector, v.known.Sources())
	}
	if !v.schema(x.ID, "source.schema", s.Schema) {
		return nil
	}
	v.tableColumns(x.ID, "source", s.PrimaryKey, s.Metadata, s.Schema)
	out := s.Schema
	if len(s.Computed) > 0 {
		out = v.projections(x.ID, "source.computed", s.Computed, s.Schema)
	}
	if w := s.Watermark; w != nil && out != nil {
		if v.column(x.ID, "source.watermark.column", w.Column, out) {
			f := out.Fields[w.Column]
			if k := f.Type.Kind; (k != types.Timestamp && k != types.TimestampLTZ) || f.Type.Unit() != types.Millis {
				v.add(x.ID, "source.watermark.column", "column %s must be a TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3, not %s", f.Name, f.Type)
			}
		}
		v.vertexInterval(x.ID, "source.watermark.delay", int64(w.Delay))
		v.vertexInterval(x.ID, "source.watermark.idle_timeout", int64(w.IdleTimeout))
	}
	if found {
		v.foreign(x.ID, "source", v.known.CheckSource(s))
	}
	return out
}

func (v *validator) vertexInterval(vertex types.VertexID, field string, d int64) {
	if d < 0 || d > int64(IntervalMax) {
		v.add(vertex, field, "is not between 0 and %s", IntervalMax)
	}
}

func (v *validator) sink(x *Vertex, in *types.Schema) {
	found := contains(v.known.Sinks(), x.Sink.Connector)
	if !found && !v.g.Program.HasSink(x.Sink.Connector) {
		v.unknown(x.ID, "sink.connector", "sink connector", x.Sink.Connector, v.known.Sinks())
		return
	}
	if in != nil {
		v.tableColumns(x.ID, "sink", x.Sink.PrimaryKey, x.Sink.Metadata, in)
	}
	if in != nil && found {
		v.foreign(x.ID, "sink", v.known.CheckSink(x.Sink, in))
	}
}

// tableColumns checks what a source or sink knows of its table's columns.
func (v *validator) tableColumns(vertex types.VertexID, field string, key []int, metadata []MetadataColumn, s *types.Schema) {
	v.keys(vertex, field+".primary_key", key, s)
	if !v.atMost(vertex, field+".metadata", len(metadata), ColumnsMax) {
		return
	}
	for i, m := range metadata {
		at := fmt.Sprintf("%s.metadata[%d]", field, i)
		v.column(vertex, at+".column", m.Column, s)
		if m.Key == "" {
			v.add(vertex, at+".key", "is empty")
		}
	}
}

// foreign takes the problems that a connector found in its options.
func (v *validator) foreign(vertex types.VertexID, field string, err error) {
	var p failure.Problems
	p.AddError(err)
	for _, m := range p.All() {
		m.Vertex = string(vertex)
		if m.Field != "" {
			m.Field = field + ".options." + m.Field
		} else {
			m.Field = field
		}
		v.problems.Add(m)
	}
}

// schema checks a schema that stands in the graph.
func (v *validator) schema(vertex types.VertexID, field string, s *types.Schema) bool {
	if s == nil {
		v.add(vertex, field, "is missing")
		return false
	}
	if !v.atMost(vertex, field, s.Len(), ColumnsMax) {
		return false
	}
	if err := s.Validate(); err != nil {
		v.add(vertex, field, "%s", err)
		return false
	}
	return true
}

func contains(names []string, name string) bool { return slices.Contains(names, name) }
