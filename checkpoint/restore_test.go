package checkpoint

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Every key group of a vertex is read by its one new owner, from the chain of its one former owner, at whatever
// parallelisms; no file is read that has none of the task's groups; and event time is the least of all former tasks.
func TestEveryKeyGroupIsRestoredOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, 300).Draw(t, "groups")
		from := rapid.IntRange(1, groups).Draw(t, "from")
		to := rapid.IntRange(1, groups).Draw(t, "to")
		m := vertexManifest(t, groups, from)
		plan, err := Restore(m, RestoreSpec{Parallelism: map[types.VertexID]int32{"v": int32(to)}, MaxParallelism: groups})
		if err != nil {
			t.Fatal(err)
		}
		v := plan.Vertices["v"]
		if len(v.Tasks) != to || v.LargestParallelism != int32(max(from, to)) {
			t.Fatalf("%d tasks, largest %d", len(v.Tasks), v.LargestParallelism)
		}
		times := make([]int, groups)
		for i, task := range v.Tasks {
			own := types.KeyGroupRangeOf(i, to, groups)
			for _, chain := range task.Chains {
				read := types.KeyGroupRange{First: types.KeyGroup(chain[0].FirstKeyGroup), Last: types.KeyGroup(chain[0].LastKeyGroup)}
				if !read.Overlaps(own) {
					t.Fatalf("task %d of %s reads a chain of %s", i, own, read)
				}
				for g := max(read.First, own.First); g <= min(read.Last, own.Last); g++ {
					times[g]++
				}
			}
		}
		for g, n := range times {
			if n != 1 {
				t.Fatalf("group %d is restored %d times", g, n)
			}
		}
		checkLeast(t, m.Vertices[0].Tasks, v.Tasks)
	})
}

func vertexManifest(t *rapid.T, groups, parallelism int) *checkpointv1.Manifest {
	v := &checkpointv1.VertexState{VertexId: "v", MaxParallelism: int32(groups), LargestParallelism: int32(parallelism)}
	for i := range parallelism {
		task := &checkpointv1.TaskState{Files: []*checkpointv1.StateFile{
			testFile(fileBase, fmt.Sprintf("v.%d", i), types.KeyGroupRangeOf(i, parallelism, groups)),
		}}
		for _, uid := range []string{"a", "b", "v"} {
			if uid != "b" || rapid.IntRange(0, 20).Draw(t, "knows b") > 0 {
				w := rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Just(int64(math.MaxInt64))).Draw(t, "watermark")
				task.Watermarks = append(task.Watermarks, &checkpointv1.OperatorWatermark{Uid: uid, Watermark: w})
			}
		}
		v.Tasks = append(v.Tasks, task)
	}
	return &checkpointv1.Manifest{
		FormatVersion: FormatVersion, JobId: "j", CheckpointId: 1, Kind: Final.Proto(), Vertices: []*checkpointv1.VertexState{v},
	}
}

// checkLeast compares with the obvious way to combine event time, one operator at a time.
func checkLeast(t *rapid.T, former []*checkpointv1.TaskState, restored []TaskPlan) {
	var want []*checkpointv1.OperatorWatermark
	for _, uid := range []string{"a", "b", "v"} {
		var all []int64
		for _, task := range former {
			for _, w := range task.Watermarks {
				if w.Uid == uid {
					all = append(all, w.Watermark)
				}
			}
		}
		if len(all) != len(former) {
			continue
		}
		least := all[0]
		for _, w := range all {
			least = min(least, w)
		}
		if least != math.MaxInt64 {
			want = append(want, &checkpointv1.OperatorWatermark{Uid: uid, Watermark: least})
		}
	}
	for i, task := range restored {
		if diff := cmp.Diff(want, task.Watermarks, protocmp.Transform()); diff != "" {
			t.Fatalf("task %d: %s", i, diff)
		}
	}
}

func TestRestore(t *testing.T) {
	m := testManifest(7, 3)
	m.Vertices[0].Tasks[2].Committables = [][]byte{[]byte("old"), []byte("new")}
	m.Vertices[0].Tasks[1].Committables = [][]byte{[]byte("z"), []byte("old")}
	m.Vertices[1].Enumerator = []byte("known")
	m.Vertices[1].Unassigned = []*checkpointv1.SplitState{{Id: "split-2"}}
	plan, err := Restore(m, RestoreSpec{Parallelism: map[types.VertexID]int32{"agg": 2, "src": 1, "new": 2}, MaxParallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%d\nagg %s\nsrc %s %s\nnew %s", plan.Checkpoint, plan.Vertices["agg"], plan.Vertices["src"], plan.Vertices["src"].Enumerator, plan.Vertices["new"])
	want := `7
agg largest=3 splits=0 committables=["z" "old" "new"] 0(chains=2) 1(chains=2)
src largest=2 splits=3 committables=[] 0(chains=2) known
new largest=2 splits=0 committables=[] 0(chains=0) 1(chains=0)`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s := plan.Vertices["src"].Splits; s[0].Id != "split-0" || s[1].Id != "split-1" || s[2].Id != "split-2" {
		t.Errorf("splits out of order: %v", s)
	}
}

func TestListsAreReadByEveryoneAfterARescale(t *testing.T) {
	for _, c := range []struct {
		p    int32
		want string
	}{{3, "0(chains=1) 1(chains=1) 2(chains=1)"}, {2, "0(chains=3) 1(chains=3)"}} {
		spec := RestoreSpec{Parallelism: map[types.VertexID]int32{"agg": c.p, "src": 2}, MaxParallelism: 16, Lists: map[types.VertexID]bool{"agg": true}}
		plan, err := Restore(testManifest(7, 3), spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Vertices["agg"].String(); !strings.HasSuffix(got, c.want) {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	invalidManifest := testManifest(7, 3)
	invalidManifest.FormatVersion = 9
	two := map[types.VertexID]int32{"agg": 2, "src": 2}
	for name, c := range map[string]struct {
		m    *checkpointv1.Manifest
		spec RestoreSpec
		want string
		user bool
	}{
		"invalid":          {invalidManifest, RestoreSpec{Parallelism: two, MaxParallelism: 16}, "format_version", false},
		"other key groups": {testManifest(7, 3), RestoreSpec{Parallelism: two, MaxParallelism: 32}, "16 key groups, the job graph has 32", true},
		"state left over":  {testManifest(7, 3), RestoreSpec{Parallelism: map[types.VertexID]int32{"src": 2}, MaxParallelism: 16}, "vertex agg", true},
		"parallelism 0":    {nil, RestoreSpec{Parallelism: map[types.VertexID]int32{"src": 0}, MaxParallelism: 16}, "parallelism 0", true},
		"more than groups": {nil, RestoreSpec{Parallelism: map[types.VertexID]int32{"src": 17}, MaxParallelism: 16}, "parallelism 17", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Restore(c.m, c.spec)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if user := failure.ClassOf(err).Domain == failure.DomainUser; user != c.user {
				t.Errorf("class %v", failure.ClassOf(err))
			}
		})
	}
	if plan, err := Restore(nil, RestoreSpec{Parallelism: two, MaxParallelism: 16}); err != nil || plan.Checkpoint != 0 || len(plan.Vertices["agg"].Tasks) != 2 {
		t.Errorf("a new job: %v, %v", plan, err)
	}
}
