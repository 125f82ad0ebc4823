package remote

import (
	"fmt"

	"millrace/exchange"
	"millrace/types"
)

// Listener hears what broke. Its functions are called on the network's own
// goroutines, must be quick and must not wait for the network.
type Listener struct {
	// Broken: channels were lost, by nobody's wish. Consumers see it at their
	// gates too; a producer's side has no other sign of it.
	Broken func(BrokenInfo)
	// Unreachable: a peer could not be reached and is tried again. It is told once
	// for each run of failures.
	Unreachable func(UnreachableInfo)
}

// EnsureDefaults returns l with functions that do nothing in place of nil ones.
func (l Listener) EnsureDefaults() Listener {
	if l.Broken == nil {
		l.Broken = func(BrokenInfo) {}
	}
	if l.Unreachable == nil {
		l.Unreachable = func(UnreachableInfo) {}
	}
	return l
}

// BrokenInfo says which channels of a job to or from a peer broke for one cause.
type BrokenInfo struct {
	Job      types.JobID
	Peer     types.TaskManagerID
	Channels []exchange.ChannelID
	Cause    error
}

// String prints the event on one line.
func (i BrokenInfo) String() string {
	if len(i.Channels) == 1 {
		return fmt.Sprintf("job %s: %s", i.Job, brokenError(i.Channels[0], i.Peer, i.Cause))
	}
	return fmt.Sprintf("job %s: %d channels with task manager %s are broken: %s", i.Job, len(i.Channels), i.Peer, i.Cause)
}

// UnreachableInfo says that a peer does not answer.
type UnreachableInfo struct {
	Job   types.JobID
	Peer  types.TaskManagerID
	Cause error
}

// String prints the event on one line.
func (i UnreachableInfo) String() string {
	return fmt.Sprintf("job %s: task manager %s is tried again: %s", i.Job, i.Peer, i.Cause)
}

// brokenError names channel and peer.
func brokenError(id exchange.ChannelID, peer types.TaskManagerID, cause error) error {
	return fmt.Errorf("channel of edge %d from %d to %d in attempt %d with task manager %s: %w", id.Edge, id.From, id.To, id.Attempt, peer, cause)
}
