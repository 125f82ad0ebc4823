// Package exchange is the contract of what lies between tasks: channels that
// carry elements from one producer task to one consumer task with credits in
// bytes, and the partitioners that deal rows out to them. Sub-folder local has
// the rings of one process; align is the pure logic of gates.
//
// A task runs only while its outlets have credit, so emitting never blocks and
// tasks can't deadlock: credit is asked for before the next batch is pulled
// from the chain, and that batch may overdraw a channel by its own size. Rows
// need credit; watermarks, barriers, statuses and ends don't, so that control
// passes a slow channel's row limit.
//
// For the sake of a barrier that has waited too long, a task may go on without credit
// (Overdraw), so that the barrier gets out; what it overtakes in the channels is stored
// with the checkpoint by the consumer (docs/design/0009-unaligned-checkpoints.md).
//
// # Credit and memory
//
// A batch costs a channel all its bytes, selected or not: that is what the
// channel keeps alive. Its credit comes back when the consumer polls it, its
// memory when the consumer releases it. So an edge may hold its credit, the
// batches that overdrew it (at most two a channel: what an outlet held back and
// one share) and what the consumer's chain works on.
//
// # Waking
//
// Whoever finds nothing to do (Poll without an element, Credit that is not
// positive) is woken when that changes. A barrier wakes its consumer in any case:
// it may have to overtake what the consumer has not come to. A wake-up is never lost
// and may be spurious. A producer out of credit is woken when at most half of the bytes
// are still queued, so that it does not run a batch at a time.
package exchange

import (
	"errors"

	"millrace/stream"
	"millrace/types"
)

// ChannelID names a channel: what an edge is between two subtasks, in one attempt
// of its region. The attempt fences: a channel of another attempt is another channel.
type ChannelID struct {
	Region  types.RegionID
	Attempt types.Attempt
	Edge    int32 // position among the graph's edges
	From    int32 // producing subtask
	To      int32 // consuming subtask
}

// Sender is the producing end of a channel, owned by the producer's goroutine.
type Sender interface {
	// Credit returns how many bytes of rows the channel takes now; it is not
	// positive while the consumer is behind.
	Credit() int
	// Send hands an element over, and with it its batch. It never blocks and
	// never refuses: rows beyond the credit overdraw it, which the caller
	// avoids by asking first.
	Send(e stream.Element)
	// Close ends the producer's side. Without an End element sent before, the
	// task failed or was cancelled: what was sent is released and the channel is
	// broken. After an End it only says that no barrier follows, and what was
	// sent still arrives. It may be called again.
	Close()
}

// Receiver is the consuming end of a channel, owned by the consumer's goroutine.
type Receiver interface {
	// Poll takes the next element; ok is false while there is none. Taking rows
	// gives their credit back.
	Poll() (e stream.Element, ok bool)
	// Barrier returns the newest barrier that is queued, whatever stands before it.
	Barrier() (stream.Barrier, bool)
	// AppendBefore appends the elements that are queued before the barrier of a
	// checkpoint, each batch with a reference for the caller: they stay queued, and
	// keep their credit. It appends nothing and is false where that barrier is not
	// queued.
	AppendBefore(to []stream.Element, id types.CheckpointID) ([]stream.Element, bool)
	// Broken tells that the producer closed the channel without an End, or that
	// the network lost it. Nothing comes from a broken channel any more.
	Broken() bool
	// Close releases what is queued and makes further sends release at once; the
	// producer then has credit without end. It may be called again.
	Close()
}

// Waker is called by the other end of a channel when a task may have something
// to do: an element came, or credit. It is safe to call from any goroutine,
// cheap when the task is awake already, and never blocks.
type Waker interface {
	Wake()
}

// WakerFunc makes a function a Waker.
type WakerFunc func()

// Wake calls f.
func (f WakerFunc) Wake() { f() }

// Network opens the ends of channels for tasks of one process, wherever the
// other end is. Either end may be opened first, each once. It is safe for
// concurrent use.
//
// The consumer's creditBytes are the channel's; the producer's count until the
// consumer has opened its end. Not positive means DefaultCreditBytes.
//
// The first channel of a newer attempt of a region fences the older ones: they can't
// be opened any more (ErrFenced), and those of which one end only is open break.
type Network interface {
	// Sender opens the producing end; consumer tells where the other end runs.
	Sender(id ChannelID, consumer types.TaskManagerID, creditBytes int, w Waker) (Sender, error)
	// Receiver opens the consuming end.
	Receiver(id ChannelID, producer types.TaskManagerID, creditBytes int, w Waker) (Receiver, error)
	// Forget breaks every channel that is left of the region's attempts up to this
	// one, releases what is queued in them, and refuses to open more of them. It
	// is for the end of an attempt as a whole, not of one task manager's part.
	Forget(region types.RegionID, attempt types.Attempt)
}

// ErrFenced is why a channel of an attempt that is over can't be opened.
var ErrFenced = errors.New("the attempt is over")

// ErrBroken is why a task fails whose channel lost its other end: a consequence of
// what happened there.
var ErrBroken = errors.New("broke")

// Outlet is one output edge of a task: a partitioner and its channels. It is
// owned by the task's goroutine.
type Outlet interface {
	// Ready tells whether every channel has credit for another batch.
	Ready() bool
	// Overdraw tells whether every channel would take a batch beyond its credit, for
	// the sake of a barrier that can't wait: as much again as its credit, no more.
	Overdraw() bool
	// Rows takes a batch over, also where it fails, and deals its selected rows
	// out. Small shares are held back until they are worth sending, Flush or
	// control comes. What leaves has no Split.
	Rows(b *stream.Batch) error
	// Control sends an element that is not rows to every channel, behind all
	// rows dealt out so far.
	Control(e stream.Element)
	// Flush sends what is held back.
	Flush()
	// Held returns the rows that are held back.
	Held() int
	// Close closes every channel and releases what is held back. A task that has
	// ended sends its End first.
	Close()
}

// Gate is all input channels of a task, with barriers aligned and watermarks
// combined. It is owned by the task's goroutine.
type Gate interface {
	// Poll takes the next element that the task must act on: rows of an input,
	// a watermark over all channels, a status, a barrier that has come on every
	// channel, or the end of every channel, which comes once. ok is false while
	// there is nothing to do. input counts for rows only; control is of all.
	Poll() (input int, e stream.Element, ok bool)
	// Aligning returns the barrier that has come on some channels only, as far as
	// Poll has seen.
	Aligning() (stream.Barrier, bool)
	// Watch makes the gate look for barriers behind rows that are queued.
	Watch()
	// Coming returns the newest barrier that is on its way: that has come on some
	// channels only or, with Watch, that is queued anywhere. Nothing is coming during
	// a replay.
	Coming() (stream.Barrier, bool)
	// Overtake lets the barrier that is coming overtake all rows that are queued: Poll
	// gives what is due already, then the barrier, before any rows. It is false where
	// that may not be yet, since the barrier has not come on a channel that is kept in
	// order. What it overtakes is recorded from here on.
	Overtake(id types.CheckpointID) bool
	// Pieces makes Poll give at most so many rows at a time; 0: whole batches. What is
	// left of a batch still stands in its channel.
	Pieces(rows int)
	// Recorded returns what the barrier of a checkpoint has overtaken, once, when all
	// of it is known: nil until then. An error says that it will never be.
	Recorded(id types.CheckpointID) (*InFlight, error)
	// Forget gives up what is recorded for a checkpoint.
	Forget(id types.CheckpointID)
	// Replay makes the gate begin with what a checkpoint stored of its channels, and
	// takes it over. It is called at most once, behind Restore and before the first Poll.
	Replay(r *Replay)
	// Restore sets the watermark at which every channel starts. It is called
	// before the first Poll; that watermark itself does not come out of Poll.
	Restore(w stream.Watermark)
	// Watermark returns the combined watermark of one input.
	Watermark(input int) stream.Watermark
	// Broken names a channel whose producer went away without an End, as far as
	// Poll has seen.
	Broken() (ChannelID, bool)
	// Close closes every channel.
	Close()
}
