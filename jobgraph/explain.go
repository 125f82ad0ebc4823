package jobgraph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/options"
	"millrace/types"
)

// Explain describes a validated graph to people: its vertices, producers first,
// each with its chain, the schemas along it and the edges out of it. Equal graphs
// give equal text. Options that look like secrets are masked.
func Explain(g *Graph) string {
	e := &explainer{g: g}
	flows, err := Derive(g)
	if err != nil {
		return fmt.Sprintf("job %s: %s\n", g.Name, err)
	}
	e.job()
	order, _ := g.order()
	for _, i := range order {
		e.vertex(&g.Vertices[i], flows[g.Vertices[i].ID])
	}
	return e.String()
}

type explainer struct {
	strings.Builder
	g *Graph
}

func (e *explainer) line(depth int, format string, args ...any) {
	e.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(e, format, args...)
	e.WriteByte('\n')
}

func (e *explainer) job() {
	g := e.g
	e.line(0, "job %s: parallelism %s, max parallelism %d", g.Name, shown(g.Parallelism), g.KeyGroups())
	if c := g.Checkpoint; c.Interval > 0 {
		e.line(0, "checkpoint every %s, at most %s each", c.Interval, c.TimeoutOrDefault())
	} else {
		e.line(0, "no periodic checkpoints")
	}
	if c := g.Checkpoint; c.Interval > 0 && c.Unaligned {
		e.line(0, "a barrier that waits for %s overtakes rows", c.AlignedTimeout)
	}
	if g.Zone != "" {
		e.line(0, "local times are those of %s", g.Zone)
	}
	if len(g.TaskManagerLabels) > 0 {
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(g.TaskManagerLabels)) {
			labels = append(labels, name+"="+g.TaskManagerLabels[name])
		}
		e.line(0, "on task managers with the labels %s", strings.Join(labels, ", "))
	}
	switch g.Restart.Strategy {
	case RestartFixedDelay:
		e.line(0, "restart at most %d times after %s", max(1, g.Restart.Attempts), g.Restart.Delay)
	case RestartNone:
		e.line(0, "no restart")
	default:
		e.line(0, "restart after an exponential delay")
	}
}

func (e *explainer) vertex(v *Vertex, f *Flow) {
	title := string(v.ID)
	if v.Name != "" {
		title += " (" + v.Name + ")"
	}
	parallelism := v.Parallelism
	if parallelism == 0 {
		parallelism = e.g.Parallelism
	}
	group := ""
	if g := v.SlotSharingGroupOrDefault(); g != DefaultSlotSharingGroup {
		group = ", slot sharing group " + g
	}
	e.line(0, "\nvertex %s: parallelism %s%s", title, shown(parallelism), group)
	at := f.Inputs
	if s := v.Source; s != nil {
		e.source(s)
		at = []*types.Schema{s.Output()}
	}
	for i := range v.Operators {
		e.operator(&v.Operators[i], at)
		at = f.Operators[i : i+1]
		e.line(2, "gives %s", at[0])
	}
	if s := v.Sink; s != nil {
		e.line(1, "sink %s: %s", s.UID, s.Connector)
		e.options(s.Options)
		e.ends(s.PrimaryKey, s.Metadata, at[0])
		if s.Overwrite {
			e.line(2, "overwrites")
		}
	}
	for _, edge := range e.g.Outputs(v.ID) {
		e.edge(&edge, f.Output(v.Source, edge.Port))
	}
}

// ends shows what sources and sinks know of columns.
func (e *explainer) ends(key []int, metadata []MetadataColumn, s *types.Schema) {
	if len(key) > 0 {
		e.line(2, "primary key (%s)", columnNames(s, key))
	}
	for _, m := range metadata {
		e.line(2, "%s is metadata %s", s.Fields[m.Column].Name, m.Key)
	}
}

func (e *explainer) source(s *SourceSpec) {
	e.line(1, "source %s: %s", s.UID, s.Connector)
	e.options(s.Options)
	e.ends(s.PrimaryKey, s.Metadata, s.Schema)
	if w := s.Watermark; w != nil {
		idle := ""
		if w.IdleTimeout > 0 {
			idle = fmt.Sprintf(", idle after %s", w.IdleTimeout)
		}
		e.line(2, "watermark %s - %s%s", s.Output().Fields[w.Column].Name, w.Delay, idle)
	}
	if len(s.Computed) > 0 {
		e.line(2, "reads %s", s.Schema)
		for _, p := range s.Computed {
			e.line(2, "%s = %s", p.Name, p.Expr)
		}
	}
	e.line(2, "gives %s", s.Output())
}

func (e *explainer) options(given map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(given)) {
		value := given[k]
		if options.LooksSecret(k) {
			value = options.Mask
		}
		e.line(2, "%s = %s", k, value)
	}
}

func (e *explainer) operator(o *OperatorSpec, in []*types.Schema) {
	title := fmt.Sprintf("%s %s", o.Kind(), o.UID)
	if o.Name != "" {
		title += " (" + o.Name + ")"
	}
	e.line(1, "%s", title)
	o.Body.explain(e, in)
}

func (e *explainer) edge(edge *Edge, s *types.Schema) {
	port := ""
	switch {
	case edge.Port == DeadLetterPort:
		port = "dead letters "
	case edge.Port > 0 && len(e.g.Vertex(edge.From).nativeSides()) > 0:
		port = fmt.Sprintf("port %d ", edge.Port)
	case edge.Port > 0:
		port = "late rows "
	}
	how := edge.Kind.String()
	if edge.Kind == Hash {
		how += " (" + columnNames(s, edge.Keys) + ")"
	}
	e.line(1, "%sto %s, input %d: %s", port, edge.To, edge.Input, how)
}

func columnNames(s *types.Schema, columns []int) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = s.Fields[c].Name
	}
	return strings.Join(names, ", ")
}
