package checkpoint

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"millrace/failure"
	"millrace/internal/mutant"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Fate is what becomes of a piece of state when a job starts from a checkpoint or savepoint. The numbers are those of
// apiv1.Fate.
type Fate uint8

// The fates.
const (
	FateKept     Fate = 1
	FateMigrated Fate = 2 // kept, in another form
	FateDropped  Fate = 3 // the graph has no place for it
	FateNew      Fate = 4 // the graph has it, the checkpoint has not: it begins empty
)

// String returns the fate's lower-case word.
func (f Fate) String() string {
	switch f {
	case FateKept:
		return "kept"
	case FateMigrated:
		return "migrated"
	case FateDropped:
		return "dropped"
	case FateNew:
		return "new"
	default:
		return fmt.Sprintf("fate(%d)", uint8(f))
	}
}

// What a piece of state is, beside a table.
const (
	positions    = "positions"
	committables = "committables"
	table        = "table"
)

// StateFate says what becomes of a piece of state.
type StateFate struct {
	Vertex   types.VertexID
	Operator types.OperatorUID // of a table; empty otherwise
	Table    string
	What     string // table, positions or committables
	Fate     Fate
	Detail   string // for people
}

// String prints it on one line.
func (s StateFate) String() string {
	text := fmt.Sprintf("%s vertex %s", s.Fate, s.Vertex)
	if s.Table != "" {
		text += fmt.Sprintf(" operator %s", s.Operator)
	}
	text += " " + s.What
	if s.Table != "" {
		text += " " + s.Table
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	return text
}

// TableFate is what becomes of a table of a vertex, which only its operators know.
type TableFate struct {
	Operator types.OperatorUID
	Table    string
	Fate     Fate
	Detail   string
}

// AdaptSpec says for which job a manifest is laid out.
type AdaptSpec struct {
	Job            types.JobID
	Term           types.Term
	MaxParallelism int
	// Vertices are those of the graph.
	Vertices map[types.VertexID]AdaptVertex
	// Tables has the fates of tables, of vertices that the graph or the manifest has.
	Tables map[types.VertexID][]TableFate
}

// AdaptVertex says what a vertex of the graph has a place for.
type AdaptVertex struct {
	Source    bool
	Committer bool
}

// Adapt lays a valid manifest out as the first one of another job, whose graph may be another: what has no place in it is
// left behind, and told. The new manifest shares memory with the old one and names the same files. Its checkpoint has the
// same id, so the job's own begin behind it.
//
// Event time and ledgers belong to the old job where they would mislead: the maximum watermark, which makes every later row late,
// is not taken over, nor is any ledger. An error is the user's: the graph has other key groups, or the checkpoint has rows that
// were in flight between tasks of the old graph, which no savepoint has.
func Adapt(m *checkpointv1.Manifest, spec AdaptSpec) (*checkpointv1.Manifest, []StateFate, error) {
	if err := Validate(m); err != nil {
		return nil, nil, err
	}
	out := &checkpointv1.Manifest{
		FormatVersion: FormatVersion, JobId: string(spec.Job), CheckpointId: m.CheckpointId, Term: uint64(spec.Term),
		Kind: Savepoint.Proto(), TriggeredUnixMillis: m.TriggeredUnixMillis,
	}
	had := make(map[types.VertexID]*checkpointv1.VertexState)
	for _, v := range m.Vertices {
		had[types.VertexID(v.VertexId)] = v
		if err := checkAligned(m, v); err != nil {
			return nil, nil, err
		}
	}
	ids := slices.Sorted(maps.Keys(had))
	for id := range spec.Vertices {
		if had[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var fates []StateFate
	for _, id := range ids {
		in, ok := spec.Vertices[id]
		if v := had[id]; v != nil && ok && int(v.MaxParallelism) != spec.MaxParallelism {
			return nil, nil, failure.User(failure.Message{
				Vertex:  string(id),
				Primary: fmt.Sprintf("its state is in %d key groups, the job graph has %d: max parallelism can't change", v.MaxParallelism, spec.MaxParallelism),
				Hint:    fmt.Sprintf("set the graph's max parallelism to %d", v.MaxParallelism),
			})
		}
		of := fatesOf(id, had[id], in, spec.Tables[id])
		fates = append(fates, of...)
		if ok && had[id] != nil {
			out.Vertices = append(out.Vertices, adaptVertex(had[id], in, of))
		}
	}
	if len(out.Vertices) == 0 {
		return nil, fates, failure.Userf("checkpoint %d of job %s has nothing of any vertex that the job graph has: vertices are found by their ids", m.CheckpointId, m.JobId)
	}
	return out, fates, nil
}

// checkAligned refuses rows that were on their way when the barrier overtook them: they are those of channels, of which the
// graph says nothing that would outlive a change of it.
func checkAligned(m *checkpointv1.Manifest, v *checkpointv1.VertexState) error {
	for _, t := range v.Tasks {
		if t.InFlight != nil {
			return failure.User(failure.Message{
				Vertex:  v.VertexId,
				Primary: fmt.Sprintf("checkpoint %d of job %s has rows that were in flight: its barrier overtook them, and another job can't take them over", m.CheckpointId, m.JobId),
				Hint:    "start from a savepoint, or from the last checkpoint of a job that was stopped: their barriers overtake nothing",
			})
		}
	}
	return nil
}

// fatesOf tells what becomes of the state of one vertex. The zero AdaptVertex has a place for nothing.
func fatesOf(id types.VertexID, had *checkpointv1.VertexState, in AdaptVertex, tables []TableFate) (out []StateFate) {
	for _, t := range tables {
		out = append(out, StateFate{Vertex: id, Operator: t.Operator, Table: t.Table, What: table, Fate: t.Fate, Detail: t.Detail})
	}
	slices.SortStableFunc(out, func(a, b StateFate) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Table, b.Table))
	})
	splits, commits := len(had.GetUnassigned()), len(committablesOf(had))
	for _, t := range had.GetTasks() {
		splits += len(t.Splits)
	}
	switch positioned := splits > 0 || len(had.GetEnumerator()) > 0; {
	case positioned && in.Source:
		out = append(out, StateFate{Vertex: id, What: positions, Fate: FateKept, Detail: fmt.Sprintf("of %d splits", splits)})
	case positioned:
		out = append(out, StateFate{Vertex: id, What: positions, Fate: FateDropped, Detail: fmt.Sprintf("of %d splits", splits)})
	case in.Source:
		out = append(out, StateFate{Vertex: id, What: positions, Fate: FateNew, Detail: "it starts where its options say"})
	}
	switch {
	case commits > 0 && in.Committer:
		out = append(out, StateFate{Vertex: id, What: committables, Fate: FateKept, Detail: fmt.Sprintf("%d, committed before the job starts", commits)})
	case commits > 0:
		out = append(out, StateFate{Vertex: id, What: committables, Fate: FateDropped, Detail: fmt.Sprintf("%d, whose rows are lost", commits)})
	}
	return out
}

// adaptVertex takes over what has a place.
func adaptVertex(v *checkpointv1.VertexState, in AdaptVertex, fates []StateFate) *checkpointv1.VertexState {
	out := &checkpointv1.VertexState{VertexId: v.VertexId, MaxParallelism: v.MaxParallelism, LargestParallelism: v.LargestParallelism}
	if in.Source {
		out.Enumerator, out.Unassigned = v.Enumerator, started(v.Unassigned)
	}
	files := slices.ContainsFunc(fates, func(f StateFate) bool { return f.What == table && (f.Fate == FateKept || f.Fate == FateMigrated) })
	for _, t := range v.Tasks {
		n := &checkpointv1.TaskState{}
		if files {
			n.Files = t.Files
		}
		if in.Source {
			n.Splits = started(t.Splits)
		}
		if in.Committer {
			n.Committables = t.Committables
		}
		for _, w := range t.Watermarks {
			if w.Watermark != math.MaxInt64 || mutant.On(mutant.DrainEndRestored) {
				n.Watermarks = append(n.Watermarks, w)
			}
		}
		out.Tasks = append(out.Tasks, n)
	}
	return out
}

// started returns splits as they are, but not at the end of event time.
func started(splits []*checkpointv1.SplitState) (out []*checkpointv1.SplitState) {
	for _, s := range splits {
		if s.HasWatermark && s.Watermark == math.MaxInt64 {
			s = &checkpointv1.SplitState{Id: s.Id, State: s.State}
		}
		out = append(out, s)
	}
	return out
}

// CheckDropped refuses to leave state behind, in the words of the user: every vertex and table is named, with the remedy.
func CheckDropped(fates []StateFate) error {
	var p failure.Problems
	for _, f := range fates {
		if f.Fate == FateDropped {
			what := f.What
			if f.Table != "" {
				what = fmt.Sprintf("table %s of operator %s", f.Table, f.Operator)
			}
			p.Add(failure.Message{
				Vertex: string(f.Vertex), Field: "state", Primary: strings.TrimSuffix("the graph has no place for its "+what+": "+f.Detail, ": "),
				Hint: "give the vertex and the operator the ids that they had, or leave the state behind with --allow-non-restored-state",
			})
		}
	}
	return p.Err()
}
