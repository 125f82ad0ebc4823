package lifecycle

import (
	"fmt"
	"strings"
)

// Edge is a move that a job may make: From a state To another when the event called On comes. What is not in the table
// does not happen.
type Edge struct {
	From State
	On   string // the first word of the event's String
	To   State
}

// active are the states in which something of an attempt is deployed.
var active = []State{Restoring, Deploying, Running, Finishing, Stopping, Recovering}

// Edges returns the table, in the order of states.
func Edges() []Edge {
	edges := []Edge{
		{Created, "start", WaitingForResources},
		{Created, "recovered", WaitingForResources},
		{Created, "recovered", Adopting},
		{Created, "recovered", Failing}, // nobody knows what could run
		{Created, "recovered", Cancelling},
		{Created, "recovered", Finished},
		{Created, "recovered", Canceled},
		{Created, "recovered", Failed},
		{Created, "recovered", Stopped},
		{Created, "cancel-requested", Cancelling},
		{WaitingForResources, "resources-available", Restoring},
		{WaitingForResources, "cancel-requested", Cancelling},
		{Restoring, "coordinators-ready", Deploying},
		{Deploying, "task-changed", Running},
		{Running, "task-changed", Finishing},
		{Running, "task-changed", Stopping}, // a stop that was asked for before the job ran
		{Running, "stop-requested", Stopping},
		{Running, "final-complete", Finishing},
		{Finishing, "terminal-stored", Finished},
		{Stopping, "terminal-stored", Stopped},
		{Failing, "attempt-gone", Restarting},
		{Failing, "terminal-stored", Failed},
		{Failing, "cancel-requested", Cancelling},
		{Restarting, "tick", WaitingForResources},
		{Restarting, "cancel-requested", Cancelling},
		{Cancelling, "terminal-stored", Canceled},
		{Running, "checkpoint-completed", Rescaling},
		{Running, "tick", Rescaling}, // no checkpoint came
		{Rescaling, "attempt-gone", WaitingForResources},
		{Rescaling, "cancel-requested", Cancelling},
		{Running, "task-changed", Recovering},
		{Running, "coordinator-failed", Recovering},
		{Running, "task-manager-lost", Recovering},
		{Adopting, "collected", Running},
		{Adopting, "collected", Recovering}, // some regions are not whole
		{Adopting, "collected", Failing},    // none is
		{Adopting, "cancel-requested", Cancelling},
		{Running, "collected", Finishing},
		{Running, "collected", Stopping},
		{Recovering, "task-changed", Running},
		{Recovering, "regions-gone", Failing},      // no restart is left
		{Recovering, "resources-missing", Failing}, // slots come only where all regions are placed anew
	}
	for _, s := range active {
		for _, on := range []string{"task-changed", "coordinator-failed", "task-manager-lost", "restore-failed", "checkpoint-failed-too-often"} {
			edges = append(edges, Edge{s, on, Failing})
		}
		edges = append(edges, Edge{s, "cancel-requested", Cancelling})
	}
	return edges
}

var edgeSet = func() map[Edge]bool {
	set := make(map[Edge]bool)
	for _, e := range Edges() {
		set[e] = true
	}
	return set
}()

// name returns the first word of an event's text, by which the table calls it.
func name(ev Event) string {
	word, _, _ := strings.Cut(ev.String(), " ")
	return word
}

// Diagram draws the table in Mermaid: one arrow for each pair of states, with all events that lead along it.
func Diagram() string {
	type pair struct{ from, to State }
	events := make(map[pair][]string)
	var order []pair
	for from := Created; from <= Adopting; from++ {
		for _, e := range Edges() {
			if e.From != from {
				continue
			}
			p := pair{e.From, e.To}
			if events[p] == nil {
				order = append(order, p)
			}
			events[p] = append(events[p], e.On)
		}
	}
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> Created\n")
	for _, p := range order {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", p.from, p.to, strings.Join(events[p], ", "))
	}
	for s := Created; s <= Adopting; s++ {
		if s.Terminal() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}
