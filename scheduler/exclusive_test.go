package scheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/scheduler"
	"millrace/types"
)

// tenants are jobs of one cluster, with or without functions of programs.
type tenants struct {
	managers map[types.TaskManagerID]scheduler.TaskManager
	graphs   map[types.JobID]*jobgraph.Graph
	runs     map[types.JobID]scheduler.Assignment
}

// seenBy derives what a job sees of the cluster from what runs now.
func (s *tenants) seenBy(job types.JobID) (c scheduler.Cluster) {
	for _, id := range slices.Sorted(maps.Keys(s.managers)) {
		tm := s.managers[id]
		for _, other := range slices.Sorted(maps.Keys(s.runs)) {
			for _, slot := range s.runs[other].Slots() {
				if other == job || slot.TaskManager != id {
					continue
				}
				tm.Taken = append(tm.Taken, slot.Index)
				if s.graphs[other].Natives() {
					tm.Exclusive = other
				} else if tm.Shared == "" {
					tm.Shared = other
				}
			}
		}
		c.TaskManagers = append(c.TaskManagers, tm)
	}
	return c
}

// place schedules a job anew; what has no place runs nowhere.
func (s *tenants) place(job types.JobID, p scheduler.Policy) {
	a, r := scheduler.Schedule(s.seenBy(job), s.graphs[job], s.runs[job], p)
	if r.Unplaced() > 0 {
		a = scheduler.Assignment{}
	}
	s.runs[job] = a
}

// lose takes a task manager away, and every job that ran there is placed anew without it.
func (s *tenants) lose(id types.TaskManagerID, p scheduler.Policy) {
	delete(s.managers, id)
	for _, job := range slices.Sorted(maps.Keys(s.runs)) {
		for _, slot := range s.runs[job].Slots() {
			if slot.TaskManager == id {
				s.place(job, p)
				break
			}
		}
	}
}

// check tells what must never be.
func (s *tenants) check(t *rapid.T) {
	on := map[types.TaskManagerID][]types.JobID{}
	for _, job := range slices.Sorted(maps.Keys(s.runs)) {
		g := s.graphs[job]
		for _, slot := range s.runs[job].Slots() {
			if !slices.Contains(on[slot.TaskManager], job) {
				on[slot.TaskManager] = append(on[slot.TaskManager], job)
			}
			if g.Natives() && !slices.Contains(s.managers[slot.TaskManager].Builds, g.Program.Build) {
				t.Fatalf("%s of build %s is on %s, which carries %v", job, g.Program.Build, slot.TaskManager, s.managers[slot.TaskManager].Builds)
			}
		}
	}
	for id, jobs := range on {
		for _, job := range jobs {
			if len(jobs) > 1 && s.graphs[job].Natives() {
				t.Fatalf("%s has to be alone on %s, where %v run", job, id, jobs)
			}
		}
	}
}

var someBuilds = []string{"aaaa", "bbbb"}

func drawManager(t *rapid.T, id types.TaskManagerID) scheduler.TaskManager {
	return scheduler.TaskManager{
		ID: id, Slots: rapid.IntRange(1, 3).Draw(t, "slots"), Builds: rapid.SliceOfNDistinct(rapid.SampledFrom(someBuilds), 0, 2, rapid.ID).Draw(t, "builds"),
	}
}

// TestProgramsAreAlone: whatever comes, goes and is placed anew in whatever order, never does a task run where its program is not, and never
// does one of another job share its task manager; and a job goes nowhere else only where nothing may take it.
func TestProgramsAreAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &tenants{managers: map[types.TaskManagerID]scheduler.TaskManager{}, graphs: map[types.JobID]*jobgraph.Graph{}, runs: map[types.JobID]scheduler.Assignment{}}
		p := scheduler.Policy{Adaptive: rapid.Bool().Draw(t, "adaptive"), AllowLower: rapid.Bool().Draw(t, "lower")}
		job := rapid.Custom(func(t *rapid.T) types.JobID {
			return types.JobID(fmt.Sprintf("job-%d", rapid.IntRange(1, 4).Draw(t, "job")))
		})
		manager := rapid.Custom(func(t *rapid.T) types.TaskManagerID {
			return types.TaskManagerID(fmt.Sprintf("tm-%d", rapid.IntRange(1, 4).Draw(t, "task manager")))
		})
		t.Repeat(map[string]func(*rapid.T){
			"submit": func(t *rapid.T) {
				j := job.Draw(t, "job")
				if s.graphs[j] == nil {
					s.graphs[j] = drawGraph(t)
					s.graphs[j].TaskManagerLabels = nil
					if rapid.Bool().Draw(t, "native") {
						callProgram(s.graphs[j], rapid.SampledFrom(someBuilds).Draw(t, "build"))
					}
				}
				s.place(j, p)
			},
			"end": func(t *rapid.T) {
				j := job.Draw(t, "job")
				delete(s.graphs, j)
				delete(s.runs, j)
			},
			"come": func(t *rapid.T) {
				id := manager.Draw(t, "task manager")
				s.lose(id, p) // one that was there is another process now
				s.managers[id] = drawManager(t, id)
			},
			"go": func(t *rapid.T) { s.lose(manager.Draw(t, "task manager"), p) },
			"":   s.check,
		})
	})
}
