package task

import (
	"sync"
	"time"

	"millrace/connectors"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/stream"
	"millrace/types"
)

// Command is something that others ask of a task. It is carried out in a step
// of the task.
type Command interface{ isCommand() }

// Trigger asks a source task to send a barrier.
type Trigger struct {
	Barrier stream.Barrier
	At      time.Time // when the task manager was asked
}

// barrier is the barrier to send.
func (t Trigger) barrier() stream.Barrier {
	b := t.Barrier
	b.Triggered = t.At.UnixNano()
	return b
}

// Completed says that a checkpoint is complete and, for a sink, committed.
type Completed struct{ ID types.CheckpointID }

// Aborted says that a checkpoint will never complete.
type Aborted struct{ ID types.CheckpointID }

// Rewrite makes the next snapshot a base: what stands behind the task in the blob store is damaged.
type Rewrite struct{}

// Assign gives a source task splits.
type Assign struct {
	Splits []connectors.SplitState
	NoMore bool
}

// Uploaded says that a snapshot's file is safe, or that its upload was given up.
type Uploaded struct {
	ID     types.CheckpointID
	Files  []*checkpointv1.StateFile // the whole chain, this file last
	Micros int64
	Bytes  int64
	Err    error
}

// Stored says that what a barrier overtook is safe, or that storing it was given up.
type Stored struct {
	ID     types.CheckpointID
	File   *checkpointv1.StateFile
	Micros int64
	Err    error
}

// Drain ends the input of a source task as if it were bounded here.
type Drain struct{}

// Finish ends the task: everything that it did is committed.
type Finish struct{}

func (Trigger) isCommand()   {}
func (Completed) isCommand() {}
func (Aborted) isCommand()   {}
func (Rewrite) isCommand()   {}
func (Assign) isCommand()    {}
func (Uploaded) isCommand()  {}
func (Stored) isCommand()    {}
func (Drain) isCommand()     {}
func (Finish) isCommand()    {}

// mailbox passes commands from any goroutine to the task's.
type mailbox struct {
	mu struct {
		sync.Mutex
		commands []Command
	}
	wake chan struct{} // one place: a wake-up is never lost and may be spurious
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// Wake makes the task look again. It implements exchange.Waker.
func (m *mailbox) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// post adds a command; false when the mailbox is full, which is a bug.
func (m *mailbox) post(c Command) bool {
	m.mu.Lock()
	full := len(m.mu.commands) >= commandsMax
	if !full {
		m.mu.commands = append(m.mu.commands, c)
	}
	m.mu.Unlock()
	m.Wake()
	return !full
}

// take empties the mailbox.
func (m *mailbox) take() []Command {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.mu.commands
	m.mu.commands = nil
	return c
}
