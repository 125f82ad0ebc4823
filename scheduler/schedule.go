package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/jobgraph"
	"millrace/types"
)

// Schedule places the tasks of a validated graph. prev is where they ran before,
// the zero Assignment for a new job. Where slots are too few and may not be made
// do with, the tasks of the last shares stay without one, and the report says
// what they lack.
func Schedule(c Cluster, g *jobgraph.Graph, prev Assignment, p Policy) (Assignment, Report) {
	s := newScheduling(c, g, p)
	groups := groupsOf(g)
	widths, report := s.widths(g, groups, p)
	shares := groups.number(widths)
	places := s.place(shares, former(g, groups, widths, prev))
	a := Assignment{Tasks: make(map[types.TaskID]types.SlotID), Parallelism: widths}
	for i := range g.Vertices {
		id := g.Vertices[i].ID
		for subtask := range widths[id] {
			t := s.explain(types.TaskID{Vertex: id, Subtask: int32(subtask)}, places[groups.share(i, subtask)], prev, report.SlotsNeeded)
			report.Tasks = append(report.Tasks, t)
			if t.Placed {
				a.Tasks[t.Task] = t.Slot
			}
		}
	}
	return a, report
}

// scheduling is one call of Schedule.
type scheduling struct {
	managers  []*manager // by id
	byID      map[types.TaskManagerID]*manager
	free      int      // slots before any placement
	homes     []string // task managers that had free slots before any placement
	refused   []string // task managers that don't count, and why
	haveText  string   // what have returned
	sparing   bool     // some of the managers are spared
	uncarried string   // the program that no task manager carries; "" if it needs none or there is one
}

// manager is a task manager that counts.
type manager struct {
	id     types.TaskManagerID
	free   []int32 // ascending
	spared bool    // it carries programs and the job has none: jobs of theirs can go nowhere else
	shares int     // of this job
}

// place is the slot of a share; why tells how it came to it.
type place struct {
	slot types.SlotID
	why  reason
}

type reason uint8

const (
	nowhere reason = iota
	stayed         // in the slot that held the share
	nearby         // on the task manager that held it
	spread         // where the job has fewest shares
)

func newScheduling(c Cluster, g *jobgraph.Graph, p Policy) *scheduling {
	s := &scheduling{byID: make(map[types.TaskManagerID]*manager)}
	if !c.Carried(g) {
		s.uncarried = ProgramName(g.Program)
	}
	for _, tm := range c.TaskManagers {
		if s.byID[tm.ID] != nil {
			continue
		}
		m := &manager{id: tm.ID, spared: len(tm.Builds) > 0 && !g.Natives()}
		s.byID[tm.ID] = m
		if tm.Leaving {
			s.refused = append(s.refused, fmt.Sprintf("%s is about to leave", tm.ID))
			continue
		}
		if lacks := lacking(tm.Labels, p.Labels, g.TaskManagerLabels); lacks != "" {
			s.refused = append(s.refused, fmt.Sprintf("%s lacks the label %s", tm.ID, lacks))
			continue
		}
		if alien := tm.alien(g); alien != "" {
			s.refused = append(s.refused, fmt.Sprintf("%s %s", tm.ID, alien))
			continue
		}
		taken := make(map[int32]bool, len(tm.Taken))
		for _, t := range tm.Taken {
			taken[t] = true
		}
		for i := range int32(tm.Slots) {
			if !taken[i] {
				m.free = append(m.free, i)
			}
		}
		s.free += len(m.free)
		s.managers, s.sparing = append(s.managers, m), s.sparing || m.spared
	}
	slices.SortFunc(s.managers, func(a, b *manager) int { return cmp.Compare(a.id, b.id) })
	slices.Sort(s.refused)
	for _, m := range s.managers {
		if len(m.free) > 0 {
			s.homes = append(s.homes, string(m.id))
		}
	}
	return s
}

// lacking returns the first label, by name, that anybody wants and that is not there.
func lacking(have map[string]string, wanted ...map[string]string) string {
	var missing []string
	for _, want := range wanted {
		for k, v := range want {
			if got, ok := have[k]; !ok || got != v {
				missing = append(missing, k+"="+v)
			}
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return slices.Min(missing)
}

// former counts for every share the tasks that each slot held before.
func former(g *jobgraph.Graph, groups *groups, widths map[types.VertexID]int, prev Assignment) []candidate {
	count := make(map[candidate]int)
	for i := range g.Vertices {
		id := g.Vertices[i].ID
		for subtask := range widths[id] {
			if slot, ok := prev.Tasks[types.TaskID{Vertex: id, Subtask: int32(subtask)}]; ok {
				count[candidate{share: groups.share(i, subtask), slot: slot}]++
			}
		}
	}
	out := make([]candidate, 0, len(count))
	for c, n := range count {
		c.tasks = n
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.tasks, a.tasks), cmp.Compare(a.share, b.share), compareSlots(a.slot, b.slot))
	})
	return out
}

// candidate is a slot that held tasks of a share.
type candidate struct {
	share int
	slot  types.SlotID
	tasks int
}

// place gives each share a slot: first those that can stay, in the order of how
// many tasks stay; then those whose task manager has room; then the rest.
func (s *scheduling) place(shares int, former []candidate) []place {
	places := make([]place, shares)
	for _, c := range former {
		if m := s.byID[c.slot.TaskManager]; m != nil && places[c.share].why == nowhere {
			if i, free := slices.BinarySearch(m.free, c.slot.Index); free {
				places[c.share] = place{m.take(i), stayed}
			}
		}
	}
	for _, c := range former {
		if m := s.byID[c.slot.TaskManager]; m != nil && places[c.share].why == nowhere && len(m.free) > 0 {
			places[c.share] = place{m.take(0), nearby}
		}
	}
	for i := range places {
		if places[i].why != nowhere {
			continue
		}
		m := s.emptiest()
		if m == nil {
			break
		}
		places[i] = place{m.take(0), spread}
	}
	return places
}

// emptiest returns the task manager with the fewest shares of the job that has
// room, nil if none has. One that is spared comes last.
func (s *scheduling) emptiest() *manager {
	var best *manager
	for _, m := range s.managers {
		if len(m.free) == 0 {
			continue
		}
		if best == nil || m.before(best) {
			best = m
		}
	}
	return best
}

// before tells whether the next share goes to m rather than to another with room.
func (m *manager) before(o *manager) bool {
	switch {
	case m.spared != o.spared:
		return o.spared
	case m.shares != o.shares:
		return m.shares < o.shares
	default:
		return len(m.free) > len(o.free)
	}
}

// take takes the i-th of the free slots.
func (m *manager) take(i int) types.SlotID {
	index := m.free[i]
	m.free = slices.Delete(m.free, i, i+1)
	m.shares++
	return types.SlotID{TaskManager: m.id, Index: index}
}
