package codec

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

// Difference says in what a job that a program describes differs from one that it described before and that was completed and submitted
// since: the first vertex, or else what comes behind them. It is for people: what completing has filled in counts for nothing.
func Difference(described, submitted *jobgraph.Graph) string {
	now, err := ToProto(described)
	if err != nil {
		return "it can't be written: " + err.Error()
	}
	before, err := ToProto(submitted)
	if err != nil {
		return "what was submitted can't be written: " + err.Error()
	}
	for i := range max(len(now.Vertices), len(before.Vertices)) {
		switch {
		case i >= len(now.Vertices):
			return fmt.Sprintf("vertex %s is missing", before.Vertices[i].Id)
		case i >= len(before.Vertices):
			return fmt.Sprintf("vertex %s is new", now.Vertices[i].Id)
		}
		if text := vertexDifference(now.Vertices[i], before.Vertices[i]); text != "" {
			return text
		}
	}
	for i, e := range now.Edges {
		if i >= len(before.Edges) || !proto.Equal(e, before.Edges[i]) {
			return fmt.Sprintf("the edge from %s to %s differs", e.From, e.To)
		}
	}
	if len(now.Edges) != len(before.Edges) {
		return "there are fewer edges"
	}
	return outsideVertices(now, before)
}

func vertexDifference(now, before *jobv1.Vertex) string {
	if now.Id != before.Id {
		return fmt.Sprintf("vertex %s is here in place of %s", now.Id, before.Id)
	}
	uncompleted(now.GetSource().GetOptions(), before.GetSource().GetOptions())
	uncompleted(now.GetSink().GetOptions(), before.GetSink().GetOptions())
	if proto.Equal(now, before) {
		return ""
	}
	for i, op := range now.Operators {
		if i < len(before.Operators) && !proto.Equal(op, before.Operators[i]) {
			return fmt.Sprintf("operator %s of vertex %s differs", op.Uid, now.Id)
		}
	}
	switch {
	case !proto.Equal(now.Source, before.Source):
		return fmt.Sprintf("the source of vertex %s differs", now.Id)
	case !proto.Equal(now.Sink, before.Sink):
		return fmt.Sprintf("the sink of vertex %s differs", now.Id)
	default:
		return fmt.Sprintf("vertex %s differs", now.Id)
	}
}

// uncompleted takes options away that only the completed job has.
func uncompleted(now, before map[string]string) {
	for key := range before {
		if _, ok := now[key]; !ok {
			delete(before, key)
		}
	}
}

func outsideVertices(now, before *jobv1.JobGraph) string {
	switch n, b := now.Program, before.Program; {
	case n.GetName() != b.GetName() || n.GetVersion() != b.GetVersion():
		return "its name or version differs"
	case !proto.Equal(&jobv1.ProgramSpec{Functions: n.GetFunctions()}, &jobv1.ProgramSpec{Functions: b.GetFunctions()}):
		return "the functions for SQL differ"
	case !proto.Equal(&jobv1.ProgramSpec{Sources: n.GetSources(), Sinks: n.GetSinks()}, &jobv1.ProgramSpec{Sources: b.GetSources(), Sinks: b.GetSinks()}):
		return "it has other sources and sinks of the program's own"
	case !proto.Equal(&jobv1.ProgramSpec{Env: n.GetEnv()}, &jobv1.ProgramSpec{Env: b.GetEnv()}):
		return "it asks for other environment variables"
	default:
		return "what the whole job says of itself differs: its name, parallelism, checkpoints, restarts or labels"
	}
}
