package scheduler_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/scheduler"
	"millrace/types"
)

func drawCluster(t *rapid.T, label string) (c scheduler.Cluster) {
	for i := range rapid.IntRange(0, 5).Draw(t, label+" task managers") {
		tm := scheduler.TaskManager{
			ID: types.TaskManagerID(fmt.Sprintf("tm-%d", i)), Slots: rapid.IntRange(0, 3).Draw(t, "slots"),
			Taken: rapid.SliceOfN(rapid.Int32Range(0, 3), 0, 2).Draw(t, "taken"),
		}
		if rapid.Bool().Draw(t, "labelled") {
			tm.Labels = map[string]string{"zone": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "zone")}
		}
		c.TaskManagers = append(c.TaskManagers, tm)
	}
	return c
}

func drawGraph(t *rapid.T) *jobgraph.Graph {
	g := &jobgraph.Graph{
		MaxParallelism: rapid.IntRange(4, 9).Draw(t, "max"), Parallelism: rapid.IntRange(0, 4).Draw(t, "parallelism"),
	}
	if rapid.IntRange(0, 3).Draw(t, "wants") == 0 {
		g.TaskManagerLabels = map[string]string{"zone": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "wanted zone")}
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "vertices") {
		g.Vertices = append(g.Vertices, jobgraph.Vertex{
			ID: types.VertexID(fmt.Sprintf("v%d", i)), Parallelism: rapid.IntRange(0, 4).Draw(t, "p"),
			SlotSharingGroup: rapid.SampledFrom([]string{"", "", "default", "g", "h"}).Draw(t, "group"),
		})
	}
	return g
}

func drawPolicy(t *rapid.T) scheduler.Policy {
	p := scheduler.Policy{Adaptive: rapid.Bool().Draw(t, "adaptive"), AllowLower: rapid.Bool().Draw(t, "lower")}
	if rapid.IntRange(0, 3).Draw(t, "choosy") == 0 {
		p.Labels = map[string]string{"zone": "a"}
	}
	return p
}

// usable returns the slots that a job may have, computed the plain way.
func usable(c scheduler.Cluster, g *jobgraph.Graph, p scheduler.Policy) map[types.SlotID]bool {
	out := map[types.SlotID]bool{}
	for _, tm := range c.TaskManagers {
		if p.Labels != nil && tm.Labels["zone"] != p.Labels["zone"] {
			continue
		}
		if g.TaskManagerLabels != nil && tm.Labels["zone"] != g.TaskManagerLabels["zone"] {
			continue
		}
		for i := range int32(tm.Slots) {
			out[types.SlotID{TaskManager: tm.ID, Index: i}] = true
		}
		for _, i := range tm.Taken {
			delete(out, types.SlotID{TaskManager: tm.ID, Index: i})
		}
	}
	return out
}

// TestPlacementsAreSafe: never a slot that the job can't have, never two
// subtasks of a vertex or two groups in one slot, every subtask reported once, every key group
// of a whole assignment owned once, and nothing unplaced while a slot is left.
func TestPlacementsAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawGraph(t), drawPolicy(t)
		before, _ := scheduler.Schedule(drawCluster(t, "former"), g, scheduler.Assignment{}, p)
		c := drawCluster(t, "now")
		a, r := scheduler.Schedule(c, g, before, p)
		free := usable(c, g, p)
		holds := map[string]bool{}
		groups := map[types.SlotID]string{}
		for id, slot := range a.Tasks {
			group := g.Vertex(id.Vertex).SlotSharingGroupOrDefault()
			if other, taken := groups[slot]; taken && other != group {
				t.Fatalf("%s of group %s is in %s, which has tasks of group %s", id, group, slot, other)
			}
			groups[slot] = group
			if !free[slot] {
				t.Fatalf("%s is in %s, which the job can't have", id, slot)
			}
			if key := string(id.Vertex) + "@" + slot.String(); holds[key] {
				t.Fatalf("two subtasks of %s are in %s", id.Vertex, slot)
			} else {
				holds[key] = true
			}
		}
		if r.Unplaced() > 0 && len(a.Slots()) < len(free) {
			t.Fatalf("%d tasks have no slot, yet %d slots of %d are used", r.Unplaced(), len(a.Slots()), len(free))
		}
		if p.AllowLower && len(free) >= groupCount(g) && r.Unplaced() > 0 {
			t.Fatalf("parallelism may be lowered, yet tasks have no slot:\n%s", r)
		}
		if (r.Unplaced() == 0) != (r.Waiting() == "") {
			t.Fatalf("%d unplaced, waiting for %q", r.Unplaced(), r.Waiting())
		}
		checkTasks(t, g, a, r)
	})
}

func groupCount(g *jobgraph.Graph) int {
	groups := map[string]bool{}
	for i := range g.Vertices {
		groups[g.Vertices[i].SlotSharingGroupOrDefault()] = true
	}
	return len(groups)
}

// TestWidthsAreAsLargeAsSlotsAllow compares with a plain search over every number
// to which a job could be lowered, and has vertices that want the same stay equal.
func TestWidthsAreAsLargeAsSlotsAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawGraph(t), drawPolicy(t)
		p.AllowLower = true
		c := drawCluster(t, "now")
		a, r := scheduler.Schedule(c, g, scheduler.Assignment{}, p)
		slots := len(usable(c, g, p))
		if r.Unplaced() > 0 {
			return
		}
		level, wanted := 0, map[types.VertexID]int{}
		for _, v := range r.Vertices {
			wanted[v.Vertex] = v.Wanted
		}
		for n := 1; n <= slots && slotsAt(g, wanted, n) <= slots; n++ {
			level = n
		}
		for _, v := range r.Vertices {
			if want := min(v.Wanted, level); a.Parallelism[v.Vertex] != want {
				t.Fatalf("%s has %d subtasks, want %d:\n%s", v.Vertex, a.Parallelism[v.Vertex], want, r)
			}
		}
	})
}

// slotsAt returns how many slots a job takes where no vertex has more than n subtasks.
func slotsAt(g *jobgraph.Graph, wanted map[types.VertexID]int, n int) (slots int) {
	widest := map[string]int{}
	for i := range g.Vertices {
		v := &g.Vertices[i]
		group := v.SlotSharingGroupOrDefault()
		widest[group] = max(widest[group], min(wanted[v.ID], n))
	}
	for _, w := range widest {
		slots += w
	}
	return slots
}

func checkTasks(t *rapid.T, g *jobgraph.Graph, a scheduler.Assignment, r scheduler.Report) {
	reported := map[types.TaskID]bool{}
	for _, task := range r.Tasks {
		slot, placed := a.Tasks[task.Task]
		if reported[task.Task] || placed != task.Placed || slot != task.Slot || task.Reason == "" {
			t.Fatalf("report %+v, assignment %v %v", task, slot, placed)
		}
		reported[task.Task] = true
	}
	if len(a.Tasks)+r.Unplaced() != len(reported) {
		t.Fatalf("%d tasks placed, %d not, %d reported", len(a.Tasks), r.Unplaced(), len(reported))
	}
	for _, v := range g.Vertices {
		owners := make([]int, g.KeyGroups())
		for subtask := range a.Parallelism[v.ID] {
			if !reported[types.TaskID{Vertex: v.ID, Subtask: int32(subtask)}] {
				t.Fatalf("%s/%d is not reported", v.ID, subtask)
			}
			groups := types.KeyGroupRangeOf(subtask, a.Parallelism[v.ID], g.KeyGroups())
			for k := groups.First; k <= groups.Last; k++ {
				owners[k]++
			}
		}
		for k, n := range owners {
			if n != 1 {
				t.Fatalf("key group %d of %s has %d owners", k, v.ID, n)
			}
		}
	}
}

// TestOrderAndStrangersDoNotMatter: the order of task managers changes nothing,
// nor does the loss of one on which nothing of the job runs.
func TestOrderAndStrangersDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawGraph(t), drawPolicy(t)
		before, _ := scheduler.Schedule(drawCluster(t, "former"), g, scheduler.Assignment{}, p)
		c := drawCluster(t, "now")
		a, r := scheduler.Schedule(c, g, before, p)
		shuffled := scheduler.Cluster{TaskManagers: append([]scheduler.TaskManager(nil), c.TaskManagers...)}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(shuffled.TaskManagers), func(i, k int) {
			l := shuffled.TaskManagers
			l[i], l[k] = l[k], l[i]
		})
		b, s := scheduler.Schedule(shuffled, g, before, p)
		if diff := cmp.Diff(a, b) + cmp.Diff(r, s); diff != "" {
			t.Fatalf("the order of task managers matters:\n%s", diff)
		}
		if r.Unplaced() > 0 {
			return
		}
		b, _ = scheduler.Schedule(withoutStrangers(c, a), g, before, p)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("task managers without tasks of the job matter:\n%s", diff)
		}
	})
}

func withoutStrangers(c scheduler.Cluster, a scheduler.Assignment) (out scheduler.Cluster) {
	used := map[types.TaskManagerID]bool{}
	for _, s := range a.Slots() {
		used[s.TaskManager] = true
	}
	for _, tm := range c.TaskManagers {
		if used[tm.ID] {
			out.TaskManagers = append(out.TaskManagers, tm)
		}
	}
	return out
}

// TestMovementIsMinimal compares with a brute-force twin that tries every way of
// giving shares slots: no assignment of whole shares keeps more tasks.
func TestMovementIsMinimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		before, was := scheduler.Schedule(drawCluster(t, "former"), g, scheduler.Assignment{}, scheduler.Policy{})
		c := drawCluster(t, "now")
		a, r := scheduler.Schedule(c, g, before, scheduler.Policy{})
		if was.Unplaced() > 0 || r.Unplaced() > 0 {
			t.Skip("not whole")
		}
		var slots []types.SlotID
		for s := range usable(c, g, scheduler.Policy{}) {
			slots = append(slots, s)
		}
		kept := 0
		for id, slot := range a.Tasks {
			if before.Tasks[id] == slot {
				kept++
			}
		}
		if most := mostKept(before, sharesOf(g, a.Parallelism), slots); kept != most {
			t.Fatalf("%d tasks stay where they were, %d could:\n%s", kept, most, r)
		}
	})
}

// sharesOf returns the tasks that belong into one slot, share by share.
func sharesOf(g *jobgraph.Graph, widths map[types.VertexID]int) (shares [][]types.TaskID) {
	type share struct {
		group   string
		subtask int
	}
	at := map[share]int{}
	for i := range g.Vertices {
		v := &g.Vertices[i]
		for subtask := range widths[v.ID] {
			s := share{v.SlotSharingGroupOrDefault(), subtask}
			if _, known := at[s]; !known {
				at[s] = len(shares)
				shares = append(shares, nil)
			}
			shares[at[s]] = append(shares[at[s]], types.TaskID{Vertex: v.ID, Subtask: int32(subtask)})
		}
	}
	return shares
}

func mostKept(before scheduler.Assignment, shares [][]types.TaskID, slots []types.SlotID) int {
	if len(shares) == 0 {
		return 0
	}
	best := 0
	for i, slot := range slots {
		kept := 0
		for _, id := range shares[0] {
			if at, ok := before.Tasks[id]; ok && at == slot {
				kept++
			}
		}
		rest := append(append([]types.SlotID(nil), slots[:i]...), slots[i+1:]...)
		best = max(best, kept+mostKept(before, shares[1:], rest))
	}
	return best
}
