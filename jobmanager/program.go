package jobmanager

import (
	"fmt"
	"slices"
	"strings"

	"millrace/failure"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
)

// canCarry refuses a job that calls functions of a program which no task manager carries that is connected: it would only wait. That a job
// waits for the last one to come back is another matter.
func (l *leadership) canCarry(g *jobgraph.Graph) error {
	if !g.Natives() {
		return nil
	}
	var there []string
	for _, m := range l.registry.members() {
		if slices.Contains(m.builds, g.Program.Build) {
			return nil
		}
		if len(there) < buildsShown {
			there = append(there, fmt.Sprintf("%s carries %s", m.id, scheduler.ShortBuilds(m.builds)))
		}
	}
	detail := "there is no task manager"
	if len(there) > 0 {
		detail = strings.Join(there, "; ")
	}
	return failure.Message{
		Primary: "no task manager carries " + scheduler.ProgramName(g.Program), Detail: detail,
		Hint: l.jm.startProgram(g.Program),
	}
}

// describeProgram shows where a job's functions are; nil for a job without.
func describeProgram(g *jobgraph.Graph) *apiv1.ProgramDescription {
	if !g.Natives() {
		return nil
	}
	return &apiv1.ProgramDescription{Name: g.Program.Name, Version: g.Program.Version, Build: g.Program.Build, Args: g.Program.Args}
}

// startProgram says how a task manager of a program is started.
func (j *JobManager) startProgram(p *jobgraph.ProgramSpec) string {
	return fmt.Sprintf("start a task manager of this very executable: %s taskmanager --job-managers %s --cluster-id %s --checkpoints %s",
		p.Name, j.Address, j.Cluster, j.Place)
}

// buildsShown bounds how many task managers a refusal names.
const buildsShown = 20
