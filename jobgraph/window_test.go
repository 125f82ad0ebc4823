package jobgraph_test

import (
	"testing"
	"time"

	"millrace/jobgraph"
)

// windowed changes the windows of both phases of the main job.
func windowed(change func(w *jobgraph.WindowAggregateSpec)) func(g *jobgraph.Graph) {
	return func(g *jobgraph.Graph) {
		for _, w := range windows(g) {
			change(w)
		}
	}
}

var windowProblems = []problemCase{
	{"slides that don't fit", windowed(func(w *jobgraph.WindowAggregateSpec) {
		w.Window = jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: 10 * time.Second, Slide: 3 * time.Second}
	})},
	{"an offset beyond the slide", windowed(func(w *jobgraph.WindowAggregateSpec) {
		w.Window = jobgraph.WindowSpec{Kind: jobgraph.Cumulating, Size: 10 * time.Second, Slide: time.Second, Offset: 2 * time.Second}
	})},
	{"too many panes", windowed(func(w *jobgraph.WindowAggregateSpec) {
		w.Window = jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: time.Hour, Slide: time.Millisecond}
	})},
	{"windows that need one phase", windowed(func(w *jobgraph.WindowAggregateSpec) {
		w.Window = jobgraph.WindowSpec{Kind: jobgraph.Session, Size: time.Hour, Slide: time.Hour}
		w.Aggregates[0].Arg, w.Aggregates[0].Distinct = 2, true
	})},
	{"processing time in two phases", windowed(func(w *jobgraph.WindowAggregateSpec) { w.Window.Processing, w.Time = true, 99 })},
	{"attached windows without columns", windowed(func(w *jobgraph.WindowAggregateSpec) {
		w.Window, w.Start = jobgraph.WindowSpec{Kind: jobgraph.Attached, Size: time.Second}, 1
	})},
	{"a zone for what has none", windowed(func(w *jobgraph.WindowAggregateSpec) { w.Window.Zone = "Europe/Berlin" })},
	{"no such windows", windowed(func(w *jobgraph.WindowAggregateSpec) { w.Window.Kind = 17 })},
	{"assigned sessions", func(g *jobgraph.Graph) {
		g.Vertices[0].Operators = append(g.Vertices[0].Operators[:0], jobgraph.OperatorSpec{UID: "w", Body: &jobgraph.WindowAssignSpec{
			Time: 1, Window: jobgraph.WindowSpec{Kind: jobgraph.Session, Size: time.Second},
		}})
	}},
}

func TestWindowProblems(t *testing.T) { checkProblems(t, "problems-windows.txt", windowProblems) }

func TestWindowGraphs(t *testing.T) {
	for name, change := range map[string]func(w *jobgraph.WindowAggregateSpec){
		"hopping": func(w *jobgraph.WindowAggregateSpec) {
			w.Window.Kind, w.Window.Slide = jobgraph.Hopping, w.Window.Size/5
		},
		"cumulating": func(w *jobgraph.WindowAggregateSpec) {
			w.Window.Kind, w.Window.Slide = jobgraph.Cumulating, w.Window.Size/2
		},
	} {
		g := mainJob(t)
		windowed(change)(g)
		if err := jobgraph.Validate(g, cluster{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := mainJob(t)
	g.Vertices[0].Operators = []jobgraph.OperatorSpec{{UID: "assign", Body: &jobgraph.WindowAssignSpec{
		Time: 5, Window: jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: 10 * time.Second, Slide: 2 * time.Second},
	}}}
	in := g.Vertices[0].Source.Schema.Len()
	w := g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
	w.Partial, w.Input, w.Start, w.Time, w.Window = false, nil, in, in+1, jobgraph.WindowSpec{Kind: jobgraph.Attached}
	g.Edges[0].Keys = []int{0, in}
	if err := jobgraph.Validate(g, cluster{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "attached.explain", jobgraph.Explain(g))
}
