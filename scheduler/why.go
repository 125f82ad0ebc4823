package scheduler

import (
	"fmt"
	"strings"

	"millrace/types"
)

// explain says why a task is where it is.
func (s *scheduling) explain(id types.TaskID, p place, prev Assignment, needed int) TaskReport {
	t := TaskReport{Task: id, Placed: p.why != nowhere, Slot: p.slot}
	before, ran := prev.Tasks[id]
	t.Moved = t.Placed && ran && before != p.slot
	switch {
	case !t.Placed && s.uncarried != "":
		t.Reason = fmt.Sprintf("no task manager carries %s%s", s.uncarried, s.refusals())
	case !t.Placed:
		t.Reason = fmt.Sprintf("the job needs %s, %s", slotsOf(needed), s.have())
	case ran && !t.Moved:
		t.Reason = "stays in its slot"
	case p.why == stayed && !ran:
		t.Reason = "joins the tasks of its share in their slot"
	case p.why == stayed:
		t.Reason = fmt.Sprintf("moves from %s to most of its share", before)
	case p.why == nearby:
		t.Reason = "its slot is gone, its task manager has another"
	case ran:
		t.Reason = fmt.Sprintf("%s is gone, %s", before, s.chosen(p.slot.TaskManager))
	default:
		t.Reason = s.chosen(p.slot.TaskManager)
	}
	return t
}

// chosen says why a share went to a task manager.
func (s *scheduling) chosen(id types.TaskManagerID) string {
	text := fmt.Sprintf("%s had the fewest tasks of the job", id)
	if s.sparing && !s.byID[id].spared {
		text += " of those without a program"
	}
	return text
}

func slotsOf(n int) string {
	if n == 1 {
		return "a slot"
	}
	return fmt.Sprintf("%d slots", n)
}

// have says which slots the job can have, and which task managers don't count.
func (s *scheduling) have() string {
	if s.haveText != "" {
		return s.haveText
	}
	var sb strings.Builder
	switch len(s.homes) {
	case 0:
		sb.WriteString("none is free")
	default:
		verb := "are"
		if s.free == 1 {
			verb = "is"
		}
		fmt.Fprintf(&sb, "%d %s free on %s", s.free, verb, names(s.homes, ", "))
	}
	sb.WriteString(s.refusals())
	s.haveText = sb.String()
	return s.haveText
}

// refusals says which task managers don't count, and why, in brackets.
func (s *scheduling) refusals() string {
	if len(s.refused) == 0 {
		return ""
	}
	return " (" + names(s.refused, "; ") + ")"
}

// names joins the first of many names.
func names(all []string, separator string) string {
	if len(all) <= namesShown {
		return strings.Join(all, separator)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:namesShown], separator), len(all)-namesShown)
}
