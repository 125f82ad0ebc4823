package window

import (
	"fmt"
	"time"

	"millrace/jobgraph"
)

// Shape is how windows lie in time: it knows windows by their ends. A pane is the
// piece of time between two ends, and is known by its own; a tumbling window is a
// pane.
type Shape struct {
	kind         jobgraph.WindowKind
	size         int64 // of a window; of sessions, the gap
	pane, offset int64
}

// ShapeOf returns how the windows of a description lie. Check has found nothing wrong with it.
func ShapeOf(w *jobgraph.WindowSpec) Shape {
	s := Shape{kind: w.Kind, size: w.Size.Milliseconds(), pane: w.Size.Milliseconds(), offset: w.Offset.Milliseconds()}
	if w.Kind == jobgraph.Hopping || w.Kind == jobgraph.Cumulating {
		s.pane = w.Slide.Milliseconds()
	}
	return s
}

// End returns the end of the pane that a time falls into.
func (s *Shape) End(t int64) int64 { return s.next(t, s.pane) }

// Pane returns how long a pane is.
func (s *Shape) Pane() int64 { return s.pane }

func (s *Shape) next(t, size int64) int64 {
	r := (t - s.offset) % size
	if r < 0 {
		r += size
	}
	return t - r + size
}

// Last returns the end of the last window that has a pane. The first ends with it.
func (s *Shape) Last(pane int64) int64 {
	switch s.kind {
	case jobgraph.Hopping:
		return pane + s.size - s.pane
	case jobgraph.Cumulating:
		return s.next(pane-1, s.size)
	default:
		return pane
	}
}

// Start returns the start of the window that ends at end.
func (s *Shape) Start(end int64) int64 {
	if s.kind == jobgraph.Cumulating {
		return s.next(end-1, s.size) - s.size
	}
	return end - s.size
}

// Parts returns in how many windows a pane is at most.
func (s *Shape) Parts() int64 {
	if s.kind == jobgraph.Attached {
		return 1
	}
	return s.size / s.pane
}

// Covers tells whether a time is one that windows cover: with those, no arithmetic of them overflows.
func Covers(t int64) bool { return t >= -timeMax && t <= timeMax }

// Check reports windows that can't be.
func Check(w *jobgraph.WindowSpec) error {
	slides := w.Kind == jobgraph.Hopping || w.Kind == jobgraph.Cumulating
	span := w.Size
	if slides {
		span = w.Slide
	}
	switch {
	case w.Kind == jobgraph.Attached:
		return nil
	case w.Size < time.Millisecond || w.Size%time.Millisecond != 0:
		return fmt.Errorf("window size %s must be whole milliseconds, at least 1", w.Size)
	case slides && (w.Slide < time.Millisecond || w.Slide%time.Millisecond != 0 || w.Size%w.Slide != 0):
		return fmt.Errorf("window slide %s must be whole milliseconds, and the size %s a multiple of it", w.Slide, w.Size)
	case w.Offset%time.Millisecond != 0 || w.Offset >= span || -w.Offset >= span:
		return fmt.Errorf("window offset %s must be whole milliseconds and smaller than the size %s", w.Offset, span)
	default:
		return nil
	}
}
