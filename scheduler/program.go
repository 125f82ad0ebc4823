package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"millrace/jobgraph"
)

// alien says why no task of the job may run on the task manager, whatever is free there; "" where they may. What calls functions of a
// program runs where the program is, and there alone with its own: whatever the user's code does to the process, it does to no other job.
func (tm *TaskManager) alien(g *jobgraph.Graph) string {
	switch {
	case g.Natives() && !tm.carries(g):
		return "carries " + ShortBuilds(tm.Builds)
	case tm.Exclusive != "":
		return fmt.Sprintf("is job %s's alone", tm.Exclusive)
	case g.Natives() && tm.Shared != "":
		return fmt.Sprintf("runs job %s, and the job must have its task managers for itself", tm.Shared)
	default:
		return ""
	}
}

func (tm *TaskManager) carries(g *jobgraph.Graph) bool {
	return g.Program != nil && slices.Contains(tm.Builds, g.Program.Build)
}

// Carried tells whether any task manager has the functions that the job calls, whatever else runs there; true for a job that calls none.
func (c Cluster) Carried(g *jobgraph.Graph) bool {
	return !g.Natives() || slices.ContainsFunc(c.TaskManagers, func(tm TaskManager) bool { return tm.carries(g) })
}

// ProgramName is what people call a program and its build.
func ProgramName(p *jobgraph.ProgramSpec) string {
	if p == nil {
		return "of the job's program"
	}
	return strings.TrimSpace(fmt.Sprintf("build %s of program %s %s", ShortBuild(p.Build), p.Name, p.Version))
}

// ShortBuild is how a build is called where people read it.
func ShortBuild(build string) string { return build[:min(len(build), shortBuild)] }

// ShortBuilds calls what a task manager carries.
func ShortBuilds(builds []string) string {
	switch len(builds) {
	case 0:
		return "no program"
	case 1:
		return "build " + ShortBuild(builds[0])
	}
	short := make([]string, len(builds))
	for i, b := range builds {
		short[i] = ShortBuild(b)
	}
	return "builds " + names(short, ", ")
}
