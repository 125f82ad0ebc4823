package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// drawManifest is a checkpoint of some of the vertices v0 to v4, each with tables, positions or committables, or without.
func drawManifest(t *rapid.T, groups int) *checkpointv1.Manifest {
	m := &checkpointv1.Manifest{FormatVersion: FormatVersion, JobId: "old", CheckpointId: 7, Kind: Savepoint.Proto()}
	for v := range 5 {
		if !rapid.Bool().Draw(t, "there") && (v < 4 || len(m.Vertices) > 0) {
			continue
		}
		id := fmt.Sprintf("v%d", v)
		n := rapid.IntRange(1, groups).Draw(t, "parallelism")
		s := &checkpointv1.VertexState{VertexId: id, MaxParallelism: int32(groups), LargestParallelism: int32(n)}
		filed, split, commits := rapid.Bool().Draw(t, "files"), rapid.Bool().Draw(t, "splits"), rapid.Bool().Draw(t, "committables")
		for i := range n {
			task := &checkpointv1.TaskState{Watermarks: []*checkpointv1.OperatorWatermark{
				{Uid: "at the end", Watermark: math.MaxInt64}, {Uid: "under way", Watermark: 5},
			}, Ledger: &checkpointv1.Ledger{}}
			if filed {
				task.Files = []*checkpointv1.StateFile{testFile(fileBase, fmt.Sprintf("%s/%d", id, i), types.KeyGroupRangeOf(i, n, groups))}
			}
			if split {
				task.Splits = []*checkpointv1.SplitState{{Id: fmt.Sprintf("%s/%d", id, i), State: []byte("at"), Watermark: math.MaxInt64, HasWatermark: true}}
			}
			if commits {
				task.Committables = [][]byte{[]byte(id), fmt.Appendf(nil, "%s/%d", id, i)}
			}
			s.Tasks = append(s.Tasks, task)
		}
		m.Vertices = append(m.Vertices, s)
	}
	return m
}

// drawGraph is what some graph has a place for, at any parallelism.
func drawGraph(t *rapid.T, m *checkpointv1.Manifest, groups int) (AdaptSpec, RestoreSpec) {
	spec := AdaptSpec{Job: "new", Term: 3, MaxParallelism: groups, Vertices: make(map[types.VertexID]AdaptVertex), Tables: make(map[types.VertexID][]TableFate)}
	restore := RestoreSpec{MaxParallelism: groups, Parallelism: make(map[types.VertexID]int32)}
	for v := range 6 {
		id := types.VertexID(fmt.Sprintf("v%d", v))
		if rapid.Bool().Draw(t, "in the graph") || v == 5 {
			spec.Vertices[id] = AdaptVertex{Source: rapid.Bool().Draw(t, "source"), Committer: rapid.Bool().Draw(t, "committer")}
			restore.Parallelism[id] = int32(rapid.IntRange(1, groups).Draw(t, "new parallelism"))
		}
		i := slices.IndexFunc(m.Vertices, func(s *checkpointv1.VertexState) bool { return s.VertexId == string(id) })
		if i >= 0 && len(m.Vertices[i].Tasks[0].Files) > 0 {
			fate := FateDropped
			if _, ok := spec.Vertices[id]; ok {
				fate = rapid.SampledFrom([]Fate{FateKept, FateMigrated, FateDropped}).Draw(t, "fate")
			}
			spec.Tables[id] = []TableFate{{Operator: "op", Table: "t", Fate: fate}}
		}
	}
	return spec, restore
}

// Whatever the graph: what it has a place for is restored whole, at any parallelism, each key group once and each split
// once; whatever is not is named as dropped.
func TestAdaptKeepsOrNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const groups = 8
		m := drawManifest(t, groups)
		spec, restore := drawGraph(t, m, groups)
		adapted, fates, err := Adapt(m, spec)
		if err != nil {
			for _, v := range m.Vertices {
				if _, ok := spec.Vertices[types.VertexID(v.VertexId)]; ok {
					t.Fatal(err)
				}
			}
			return
		}
		if err := Validate(adapted); err != nil || adapted.JobId != "new" || adapted.CheckpointId != 7 {
			t.Fatalf("job %s, checkpoint %d: %v", adapted.JobId, adapted.CheckpointId, err)
		}
		plan, err := Restore(adapted, restore)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range m.Vertices {
			id := types.VertexID(v.VertexId)
			_, there := spec.Vertices[id]
			for _, what := range []string{table, positions, committables} {
				had := has(v, what)
				fate := fateOf(fates, id, what)
				restored := there && restores(t, plan.Vertices[id], v, what)
				if had != (fate == FateKept || fate == FateMigrated || fate == FateDropped) || restored != (fate == FateKept || fate == FateMigrated) {
					t.Fatalf("vertex %s, %s: had %v, restored %v, told %s", id, what, had, restored, fate)
				}
			}
		}
		dropped := slices.ContainsFunc(fates, func(f StateFate) bool { return f.Fate == FateDropped })
		if err := CheckDropped(fates); (err != nil) != dropped {
			t.Fatalf("dropped %v: %v", dropped, err)
		}
	})
}

func has(v *checkpointv1.VertexState, what string) bool {
	of := v.Tasks[0]
	return map[string]bool{table: len(of.Files) > 0, positions: len(of.Splits) > 0, committables: len(of.Committables) > 0}[what]
}

func fateOf(fates []StateFate, id types.VertexID, what string) Fate {
	for _, f := range fates {
		if f.Vertex == id && f.What == what {
			return f.Fate
		}
	}
	return 0
}

// restores tells whether a plan has a vertex' former state of a kind, and fails if it has some of it only.
func restores(t *rapid.T, p *VertexPlan, v *checkpointv1.VertexState, what string) bool {
	n := len(v.Tasks)
	switch what {
	case positions:
		for _, s := range p.Splits {
			if s.HasWatermark {
				t.Fatalf("split %s is at the end of event time", s.Id)
			}
		}
		if got := len(p.Splits); got != 0 && got != n {
			t.Fatalf("%d of %d splits are restored", got, n)
		}
		return len(p.Splits) > 0
	case committables:
		if got := len(p.Committables); got != 0 && got != n+1 {
			t.Fatalf("%d of %d committables are restored", got, n+1)
		}
		return len(p.Committables) > 0
	}
	covered := make(map[string]bool)
	for _, task := range p.Tasks {
		if len(task.Watermarks) != 1 || task.Watermarks[0].Uid != "under way" || task.Ledger != nil && len(task.Ledger.Inputs) > 0 {
			t.Fatalf("watermarks %v, ledger %v", task.Watermarks, task.Ledger)
		}
		for _, c := range task.Chains {
			covered[c[0].GetObject()] = true
		}
	}
	if len(covered) != 0 && len(covered) != n {
		t.Fatalf("the files of %d of %d tasks are read", len(covered), n)
	}
	return len(covered) > 0
}

func TestAdaptRefuses(t *testing.T) {
	vertex := func(id string, groups int32) *checkpointv1.VertexState {
		return &checkpointv1.VertexState{VertexId: id, MaxParallelism: groups, LargestParallelism: 1, Tasks: []*checkpointv1.TaskState{{
			Committables: [][]byte{[]byte("t")},
		}}}
	}
	m := &checkpointv1.Manifest{
		FormatVersion: FormatVersion, JobId: "old", CheckpointId: 7, Kind: Final.Proto(), Vertices: []*checkpointv1.VertexState{vertex("a", 128)},
	}
	spec := AdaptSpec{Job: "new", MaxParallelism: 256, Vertices: map[types.VertexID]AdaptVertex{"a": {}}}
	_, _, err := Adapt(m, spec)
	if err == nil || !strings.Contains(err.Error(), "vertex a: ") || !strings.Contains(err.Error(), "128 key groups") || failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("other key groups: %v", err)
	}
	inFlight := &checkpointv1.Manifest{FormatVersion: FormatVersion, JobId: "old", CheckpointId: 7, Kind: Periodic.Proto(), Vertices: []*checkpointv1.VertexState{vertex("a", 128)}}
	inFlight.Vertices[0].Tasks[0].InFlight = testFile(fileInFlight, "flight", types.KeyGroupRange{})
	inFlight.Vertices[0].Tasks[0].InFlightRows = []int64{3}
	_, _, err = Adapt(inFlight, AdaptSpec{Job: "new", MaxParallelism: 128, Vertices: map[types.VertexID]AdaptVertex{"a": {}}})
	if err == nil || !strings.Contains(err.Error(), "vertex a: ") || !strings.Contains(err.Error(), "start from a savepoint") {
		t.Errorf("rows in flight: %v", err)
	}
	spec.Vertices = map[types.VertexID]AdaptVertex{"b": {}}
	if _, _, err := Adapt(m, spec); err == nil || !strings.Contains(err.Error(), "nothing of any vertex") {
		t.Errorf("another graph altogether: %v", err)
	}
	spec.MaxParallelism, spec.Vertices = 128, map[types.VertexID]AdaptVertex{"a": {}}
	_, fates, err := Adapt(m, spec)
	if err != nil {
		t.Fatal(err)
	}
	err = CheckDropped(fates)
	if err == nil || !strings.Contains(err.Error(), "vertex a") || !strings.Contains(err.Error(), "--allow-non-restored-state") {
		t.Errorf("dropped committables: %v", err)
	}
}
