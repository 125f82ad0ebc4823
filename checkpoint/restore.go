package checkpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/failure"
	"millrace/internal/mutant"
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
	// Watermarks has for each operator the least event time of all former tasks of the vertex, ordered by uid.
	Watermarks []*checkpointv1.OperatorWatermark
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
		plan.Vertices[id] = restoreVertex(former[id], int(p), spec.MaxParallelism, spec.Lists[id])
	}
	return plan, nil
}

func restoreVertex(v *checkpointv1.VertexState, parallelism, maxParallelism int, lists bool) *VertexPlan {
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
		p.Tasks[i] = TaskPlan{Chains: chains(v.GetTasks(), i, parallelism, maxParallelism, lists), Watermarks: watermarks}
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

// leastWatermarks combines event time over all former tasks, not only those whose key groups a task takes over: a row
// may come over any channel. An operator that one of them does not know has none.
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
		if n == len(former) {
			out = append(out, &checkpointv1.OperatorWatermark{Uid: uid, Watermark: least[uid]})
		}
	}
	slices.SortFunc(out, func(a, b *checkpointv1.OperatorWatermark) int { return cmp.Compare(a.Uid, b.Uid) })
	return out
}

// String prints what each task reads, for scripts and logs.
func (p *VertexPlan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "largest=%d splits=%d committables=%s", p.LargestParallelism, len(p.Splits), quoted(p.Committables))
	for i, t := range p.Tasks {
		fmt.Fprintf(&b, " %d(chains=%d)", i, len(t.Chains))
	}
	return b.String()
}
