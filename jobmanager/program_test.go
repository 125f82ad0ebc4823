package jobmanager

import (
	"strings"
	"testing"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/scheduler"
	"millrace/types"
)

// TestExclusiveTaskManagers: two jobs that were placed on the same free task manager at once do not both get it, if one has to have it
// for itself; and it is derived from what runs, as a leader that takes over is told it.
func TestExclusiveTaskManagers(t *testing.T) {
	c := newConnections(t)
	m := c.join(process("p", "")).member
	slot := func(i int32) []types.SlotID { return []types.SlotID{{TaskManager: "tm", Index: i}} }
	c.inventory(m, nil)
	native, plain := tenant{"native", true}, tenant{"plain", false}
	if !c.take(plain, slot(0)) || c.take(native, slot(1)) {
		t.Error("a job that has to be alone is beside another")
	}
	c.release("plain")
	if !c.take(native, slot(1)) || c.take(plain, slot(0)) {
		t.Error("a job is beside one that has to be alone")
	}
	if !c.take(native, append(slot(0), slot(1)...)) {
		t.Error("a job may not grow where it is alone")
	}
	c.release("native")
	c.inventory(m, map[types.SlotID]tenant{slot(1)[0]: native})
	if tm := c.cluster("plain").TaskManagers[0]; tm.Exclusive != "native" || tm.Shared != "" {
		t.Errorf("another job sees %+v", tm)
	}
	if tm := c.cluster("native").TaskManagers[0]; tm.Exclusive != "" || tm.Shared != "" {
		t.Errorf("the job itself sees %+v", tm)
	}
	if c.take(plain, slot(0)) {
		t.Error("a job is beside one that has to be alone, behind a takeover")
	}
	if d := c.describe(m); d.Exclusive != "native" {
		t.Errorf("described as %v", d)
	}
}

// TestRefusalOfAMissingBuild: a job whose program nobody carries is refused with what is there and what to do.
func TestRefusalOfAMissingBuild(t *testing.T) {
	c := newConnections(t)
	l := &leadership{registry: c.registry, jm: &JobManager{}}
	l.jm.Cluster, l.jm.Address, l.jm.Place = "prod", "jm:8081", "/blobs"
	build := strings.Repeat("ab", 32)
	g := &jobgraph.Graph{
		Program:  &jobgraph.ProgramSpec{Name: "words", Version: "1.2", Build: build},
		Vertices: []jobgraph.Vertex{{ID: "v", Operators: []jobgraph.OperatorSpec{{UID: "f", Body: &jobgraph.NativeSpec{}}}}},
	}
	refused := func(detail string) {
		t.Helper()
		err := l.canCarry(g)
		want := "no task manager carries build abababababab of program words 1.2 (" + detail + "); hint: start a task manager of " +
			"this very executable: words taskmanager --job-managers jm:8081 --cluster-id prod --checkpoints /blobs"
		if err == nil || err.Error() != want || failure.ClassOf(err) != (failure.Class{Domain: failure.DomainUser, Retry: failure.Never}) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	refused("there is no task manager")
	r := process("p", "")
	r.Builds = []string{strings.Repeat("cd", 32)}
	k := c.join(r)
	refused("tm carries build cdcdcdcdcdcd")
	c.leave(k.member, "the test")
	r.Builds = []string{build, strings.Repeat("cd", 32), build}
	k = c.join(r)
	if err := l.canCarry(g); err != nil {
		t.Error(err)
	}
	if got := scheduler.ShortBuilds(k.member.builds); got != "builds abababababab, cdcdcdcdcdcd" {
		t.Errorf("a set of builds is %s", got)
	}
	if err := l.canCarry(&jobgraph.Graph{}); err != nil {
		t.Errorf("a job without a program: %v", err)
	}
}
