package stream

import (
	"fmt"
	"math"

	"millrace/types"
)

// Watermark promises that no row with an event time at or before it follows,
// save late ones: milliseconds since 1970 in UTC.
type Watermark int64

// The ends of event time.
const (
	// NoWatermark is where event time stands before the first watermark.
	NoWatermark Watermark = math.MinInt64
	// MaxWatermark follows the last row of bounded input.
	MaxWatermark Watermark = math.MaxInt64
)

// BarrierKind tells what a checkpoint is for.
type BarrierKind uint8

// The barrier kinds.
const (
	// Periodic barriers take the checkpoints from which a failure restores.
	Periodic BarrierKind = iota
	// Savepoint barriers take a self-contained savepoint.
	Savepoint
	// Suspend barriers take a savepoint after which sources read no further.
	Suspend
	// Final barriers take the last checkpoint of bounded input, which commits sinks.
	Final
)

// Barrier separates the rows that belong to a checkpoint from those after it.
type Barrier struct {
	ID   types.CheckpointID
	Kind BarrierKind
	// Triggered is when its source was told, by that task manager's clock, in
	// nanoseconds since the epoch; 0 where nobody knows. It decides nothing.
	Triggered int64
}

// ElementKind tells what an element carries.
type ElementKind uint8

// The element kinds.
const (
	// RowsElement carries a batch.
	RowsElement ElementKind = iota + 1
	// WatermarkElement advances the channel's event time.
	WatermarkElement
	// StatusElement says that the channel is idle, or active again: an idle
	// channel does not hold the watermark back.
	StatusElement
	// BarrierElement separates checkpoints.
	BarrierElement
	// EndElement is a channel's last: no rows follow. Barriers may: a task that
	// has ended its input still passes barriers until the final checkpoint.
	EndElement
)

// Element is what travels through a channel. Kind says which field counts.
type Element struct {
	Kind      ElementKind
	Batch     *Batch // owned by the receiver
	Watermark Watermark
	Idle      bool
	Barrier   Barrier
}

// RowsOf wraps a batch.
func RowsOf(b *Batch) Element { return Element{Kind: RowsElement, Batch: b} }

// WatermarkOf wraps a watermark.
func WatermarkOf(w Watermark) Element { return Element{Kind: WatermarkElement, Watermark: w} }

// StatusOf wraps a channel status.
func StatusOf(idle bool) Element { return Element{Kind: StatusElement, Idle: idle} }

// BarrierOf wraps a barrier.
func BarrierOf(b Barrier) Element { return Element{Kind: BarrierElement, Barrier: b} }

// End is the end of a channel's rows.
func End() Element { return Element{Kind: EndElement} }

// String prints the element on one line.
func (e Element) String() string {
	switch e.Kind {
	case RowsElement:
		return fmt.Sprintf("rows(%d)", e.Batch.Rows())
	case WatermarkElement:
		return fmt.Sprintf("watermark(%d)", e.Watermark)
	case StatusElement:
		if e.Idle {
			return "idle"
		}
		return "active"
	case BarrierElement:
		return fmt.Sprintf("barrier(%d)", e.Barrier.ID)
	case EndElement:
		return "end"
	default:
		return "none"
	}
}
