package checkpoint

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"millrace/failure"
	"millrace/internal/mutant"
	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// RestoreSpec says for which tasks a manifest is dealt out.
type RestoreSpec struct {
	// Parallelism of every vertex of the graph.
	Parallelism    map[types.VertexID]int32
	MaxParallelism int
	// Lists names the vertices with operator lists: after a rescale each of their tasks is given the files of every former
	// task, whatever its key groups.
	Lists map[types.VertexID]bool
	// BehindLists names the operators to which rows of such lists go (BehindLists).
	BehindLists map[types.OperatorUID]bool
	// Hears names the vertices each of whose tasks hears every task before it (Hears).
	Hears map[types.VertexID]bool
}

// Hears tells of which vertices each task hears every task before it: no source, and no edge that forwards.
func Hears(g *jobgraph.Graph) map[types.VertexID]bool {
	out := make(map[types.VertexID]bool)
	for i := range g.Vertices {
		out[g.Vertices[i].ID] = g.Vertices[i].Source == nil
	}
	for _, e := range g.Edges {
		out[e.To] = out[e.To] && e.Kind != jobgraph.Forward
	}
	return out
}

// Plan is what a manifest means for the tasks and coordinator tasks of an attempt. It shares memory with the manifest.
type Plan struct {
	Checkpoint types.CheckpointID             // 0: a new job
	Vertices   map[types.VertexID]*VertexPlan // every vertex of the spec
}

// VertexPlan is the part of one vertex.
type VertexPlan struct {
	// Enumerator and Splits (of every reader, and of none, ordered by id) are for the source's enumerator, which assigns them anew.
	Enumerator []byte
	Splits     []*checkpointv1.SplitState
	// Committables are for the sink's committer, which recovers before any task starts.
	Committables [][]byte
	// LargestParallelism is the largest at which the vertex ever ran, this attempt included.
	LargestParallelism int32
	// Tasks has an entry a subtask, in order.
	Tasks []TaskPlan
}

// TaskPlan is the part of one task.
type TaskPlan struct {
	// Chains has the files of every former task that held key groups of this one, in the order of former subtasks.
	Chains [][]*checkpointv1.StateFile
	// Ledger is what the task's ledger goes on from: with the first task that of all former ones.
	Ledger *checkpointv1.Ledger
	// Watermarks has for each operator the least event time of all former tasks of the vertex, ordered by uid; where the
	// tasks of the vertex hear every task before them, of those of which this one takes something over.
	Watermarks []*checkpointv1.OperatorWatermark
	// InFlight has what was in flight to every former task that had rows of this one, perhaps, in the order of former
	// subtasks. Of its rows those are the task's that exchange.Reroute says.
	InFlight []InFlight
}

// InFlight is what was in flight to a former task.
type InFlight struct {
	File        *checkpointv1.StateFile
	Subtask     int32
	Parallelism int32
}

// Restore deals a valid manifest out to the tasks of spec. A nil manifest is a new job: nothing is restored. A
// manifest that does not pass Validate is an internal error; one that does not fit the graph (other key groups, state
// of a vertex that the graph lacks) is the user's.
func Restore(m *checkpointv1.Manifest, spec RestoreSpec) (*Plan, error) {
	if m != nil {
		if err := Validate(m); err != nil {
			return nil, err
		}
	}
	former := make(map[types.VertexID]*checkpointv1.VertexState)
	for _, v := range m.GetVertices() {
		id := types.VertexID(v.VertexId)
		if _, ok := spec.Parallelism[id]; !ok {
			return nil, failure.Userf("checkpoint %d has state of vertex %s, which the job graph lacks", m.CheckpointId, id)
		}
		if int(v.MaxParallelism) != spec.MaxParallelism {
			return nil, failure.Userf("checkpoint %d was taken with %d key groups, the job graph has %d", m.CheckpointId, v.MaxParallelism, spec.MaxParallelism)
		}
		former[id] = v
	}
	plan := &Plan{Checkpoint: types.CheckpointID(m.GetCheckpointId()), Vertices: make(map[types.VertexID]*VertexPlan)}
	for id, p := range spec.Parallelism {
		if p < 1 || int(p) > spec.MaxParallelism {
			return nil, failure.Userf("vertex %s has parallelism %d, want 1 to %d", id, p, spec.MaxParallelism)
		}
		plan.Vertices[id] = restoreVertex(former[id], int(p), id, spec)
	}
	return plan, nil
}

func restoreVertex(v *checkpointv1.VertexState, parallelism int, id types.VertexID, spec RestoreSpec) *VertexPlan {
	maxParallelism, lists := spec.MaxParallelism, spec.Lists[id]
	p := &VertexPlan{
		Enumerator: v.GetEnumerator(), Committables: committablesOf(v),
		LargestParallelism: max(v.GetLargestParallelism(), int32(parallelism)), Tasks: make([]TaskPlan, parallelism),
	}
	p.Splits = append(p.Splits, v.GetUnassigned()...)
	for _, t := range v.GetTasks() {
		p.Splits = append(p.Splits, t.Splits...)
	}
	slices.SortFunc(p.Splits, func(a, b *checkpointv1.SplitState) int { return cmp.Compare(a.Id, b.Id) })
	watermarks := leastWatermarks(v.GetTasks())
	if mutant.On(mutant.WatermarkNotRestored) {
		watermarks = nil
	}
	for i := range p.Tasks {
		p.Tasks[i] = TaskPlan{
			Chains: chains(v.GetTasks(), i, parallelism, maxParallelism, lists), Watermarks: watermarks,
			InFlight: inFlight(v.GetTasks(), i, parallelism, maxParallelism),
		}
		if spec.Hears[id] && watermarks != nil {
			own := leastWatermarks(predecessors(v.GetTasks(), i, parallelism, maxParallelism))
			if lists && len(v.GetTasks()) != parallelism {
				own = withLeast(own, watermarks, spec.BehindLists)
			}
			p.Tasks[i].Watermarks = own
		}
	}
	if v != nil {
		p.Tasks[0].Ledger = sumLedgers(v.Tasks)
	}
	return p
}

// chains returns the files that the new subtask reads.
func chains(former []*checkpointv1.TaskState, subtask, parallelism, maxParallelism int, lists bool) (out [][]*checkpointv1.StateFile) {
	own := types.KeyGroupRangeOf(subtask, parallelism, maxParallelism)
	everyone := lists && len(former) != parallelism
	for i, t := range former {
		if len(t.Files) > 0 && (everyone || types.KeyGroupRangeOf(i, len(former), maxParallelism).Overlaps(own)) {
			files := t.Files
			if mutant.On(mutant.DeltaSkipped) {
				files = files[:max(len(files)-1, 1)]
			}
			out = append(out, files)
		}
	}
	return out
}

// inherits tells whether a new subtask takes something over from a former one: key groups, or what was in flight to it and
// may go to any task, which then goes to one.
func inherits(former, of, subtask, parallelism, maxParallelism int) bool {
	own := types.KeyGroupRangeOf(subtask, parallelism, maxParallelism)
	return types.KeyGroupRangeOf(former, of, maxParallelism).Overlaps(own) || former%parallelism == subtask
}

// predecessors returns the former tasks from which the new subtask takes something over. Barriers that overtake let tasks
// of a vertex stand at different event times in one checkpoint, all of them behind what the tasks before have promised: a
// task that went back to the least of all would take rows in that were late for the state that it has.
func predecessors(former []*checkpointv1.TaskState, subtask, parallelism, maxParallelism int) (out []*checkpointv1.TaskState) {
	for i, t := range former {
		if inherits(i, len(former), subtask, parallelism, maxParallelism) {
			out = append(out, t)
		}
	}
	return out
}

func inFlight(former []*checkpointv1.TaskState, subtask, parallelism, maxParallelism int) (out []InFlight) {
	for i, t := range former {
		if t.InFlight != nil && inherits(i, len(former), subtask, parallelism, maxParallelism) {
			out = append(out, InFlight{File: t.InFlight, Subtask: int32(i), Parallelism: int32(len(former))})
		}
	}
	return out
}

// leastWatermarks combines event time over all former tasks, not only those whose key groups a task takes over: a row
// may come over any channel. An operator that one of them does not know has none. Nor has one whose event time was at its
// end: where the input was, too, sources say so again, and so do those of a job that is drained. One that begins where another
// was drained reads on, and what it reads must not be late.
func leastWatermarks(former []*checkpointv1.TaskState) (out []*checkpointv1.OperatorWatermark) {
	least, seen := make(map[string]int64), make(map[string]int)
	for i, t := range former {
		for _, w := range t.Watermarks {
			if seen[w.Uid] == 0 || w.Watermark < least[w.Uid] {
				least[w.Uid] = w.Watermark
			}
			if seen[w.Uid] == i { // known to every task before this one, and not counted for this one yet
				seen[w.Uid] = i + 1
			}
		}
	}
	for uid, n := range seen {
		if n == len(former) && (least[uid] != math.MaxInt64 || mutant.On(mutant.DrainEndRestored)) {
			out = append(out, &checkpointv1.OperatorWatermark{Uid: uid, Watermark: least[uid]})
		}
	}
	slices.SortFunc(out, byUID)
	return out
}

func byUID(a, b *checkpointv1.OperatorWatermark) int { return cmp.Compare(a.Uid, b.Uid) }

// String prints what each task reads, for scripts and logs.
func (p *VertexPlan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "largest=%d splits=%d committables=%s", p.LargestParallelism, len(p.Splits), quoted(p.Committables))
	for i, t := range p.Tasks {
		fmt.Fprintf(&b, " %d(chains=%d", i, len(t.Chains))
		for _, f := range t.InFlight {
			fmt.Fprintf(&b, " inflight=%d/%d", f.Subtask, f.Parallelism)
		}
		b.WriteString(")")
	}
	return b.String()
}
