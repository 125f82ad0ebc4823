package scheduler_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/jobgraph"
	"millrace/scheduler"
	"millrace/types"
)

// script is what the commands of a file work on.
type script struct {
	cluster scheduler.Cluster
	graph   *jobgraph.Graph
	prev    scheduler.Assignment
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			// cluster lists task managers: a line each, "tm-1 slots=2 taken=0,1 label=zone:a builds=b1,b2 shared=job-2"; exclusive=
			// and shared= are other jobs there.
			case "cluster":
				s.cluster = parseCluster(t, d.Input)
			// graph lists vertices: a line each, "window p=2 group=g"; without p the graph's (parallelism=). label= is wanted. With build=
			// it calls functions of the program of that build.
			case "graph":
				s.graph = parseGraph(t, d)
			// forget begins a new job.
			case "forget":
				s.prev = scheduler.Assignment{}
			// schedule prints the report and keeps the assignment for the next; dry keeps the former one.
			case "schedule", "dry":
				a, r := scheduler.Schedule(s.cluster, s.graph, s.prev, parsePolicy(t, d))
				if d.Cmd == "schedule" {
					s.prev = a
				}
				return r.String()
			default:
				t.Fatalf("no command %s", d.Cmd)
			}
			return ""
		})
	})
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parseCluster(t *testing.T, text string) (c scheduler.Cluster) {
	t.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		tm := scheduler.TaskManager{ID: types.TaskManagerID(words[0]), Labels: map[string]string{}}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "slots":
				tm.Slots = number(t, value)
			case "taken":
				for i := range strings.SplitSeq(value, ",") {
					tm.Taken = append(tm.Taken, int32(number(t, i)))
				}
			case "label":
				k, v, _ := strings.Cut(value, ":")
				tm.Labels[k] = v
			case "builds":
				tm.Builds = strings.Split(value, ",")
			case "exclusive":
				tm.Exclusive = types.JobID(value)
			case "shared":
				tm.Shared = types.JobID(value)
			default:
				t.Fatalf("no key %s", key)
			}
		}
		c.TaskManagers = append(c.TaskManagers, tm)
	}
	return c
}

func parseGraph(t *testing.T, d *datadriven.TestData) *jobgraph.Graph {
	t.Helper()
	g := &jobgraph.Graph{Name: "job"}
	d.MaybeScanArgs(t, "parallelism", &g.Parallelism)
	d.MaybeScanArgs(t, "max-parallelism", &g.MaxParallelism)
	g.TaskManagerLabels = parseLabel(t, d)
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		v := jobgraph.Vertex{ID: types.VertexID(words[0])}
		for _, w := range words[1:] {
			switch key, value, _ := strings.Cut(w, "="); key {
			case "p":
				v.Parallelism = number(t, value)
			case "group":
				v.SlotSharingGroup = value
			default:
				t.Fatalf("no key %s", key)
			}
		}
		g.Vertices = append(g.Vertices, v)
	}
	var build string
	if d.MaybeScanArgs(t, "build", &build) {
		callProgram(g, build)
	}
	return g
}

// callProgram has a graph call a function of a program.
func callProgram(g *jobgraph.Graph, build string) {
	g.Program = &jobgraph.ProgramSpec{Name: "words", Version: "1.2", Build: build}
	g.Vertices[0].Operators = []jobgraph.OperatorSpec{{UID: "function", Body: &jobgraph.NativeSpec{}}}
}

func parsePolicy(t *testing.T, d *datadriven.TestData) scheduler.Policy {
	t.Helper()
	p := scheduler.Policy{Adaptive: d.HasArg("adaptive"), AllowLower: d.HasArg("allow-lower")}
	d.MaybeScanArgs(t, "default", &p.DefaultParallelism)
	p.Labels = parseLabel(t, d)
	return p
}

func parseLabel(t *testing.T, d *datadriven.TestData) map[string]string {
	t.Helper()
	var label string
	if !d.MaybeScanArgs(t, "label", &label) {
		return nil
	}
	k, v, _ := strings.Cut(label, ":")
	return map[string]string{k: v}
}

func TestCoordinatorsStandWithSubtaskZero(t *testing.T) {
	g := &jobgraph.Graph{Vertices: []jobgraph.Vertex{{ID: "v", Parallelism: 2}, {ID: "w", Parallelism: 1}}}
	c := scheduler.Cluster{TaskManagers: []scheduler.TaskManager{{ID: "a", Slots: 1}, {ID: "b", Slots: 1}}}
	a, _ := scheduler.Schedule(c, g, scheduler.Assignment{}, scheduler.Policy{})
	for _, v := range []types.VertexID{"v", "w"} {
		if s, ok := a.Coordinator(v); !ok || s != a.Tasks[types.TaskID{Vertex: v}] {
			t.Errorf("coordinator of %s at %v, %v", v, s, ok)
		}
	}
	if s, ok := a.Coordinator("x"); ok {
		t.Errorf("a vertex that is not there has its coordinator at %v", s)
	}
	if got, want := fmt.Sprint(a.TaskIDs(), a.Slots()), "[v/0 v/1 w/0] [a#0 b#0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
