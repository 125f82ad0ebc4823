package window

import (
	"fmt"
	"time"

	"millrace/jobgraph"
)

// shape is how windows lie in time: it knows windows by their ends. A pane is the
// piece of time between two ends, and is known by its own; a tumbling window is a
// pane.
type shape struct {
	kind         jobgraph.WindowKind
	size         int64 // of a window; of sessions, the gap
	pane, offset int64
}

func shapeOf(w *jobgraph.WindowSpec) shape {
	s := shape{kind: w.Kind, size: w.Size.Milliseconds(), pane: w.Size.Milliseconds(), offset: w.Offset.Milliseconds()}
	if w.Kind == jobgraph.Hopping || w.Kind == jobgraph.Cumulating {
		s.pane = w.Slide.Milliseconds()
	}
	return s
}

// end returns the end of the pane that a time falls into.
func (s *shape) end(t int64) int64 { return s.next(t, s.pane) }

func (s *shape) next(t, size int64) int64 {
	r := (t - s.offset) % size
	if r < 0 {
		r += size
	}
	return t - r + size
}

// last returns the end of the last window that has a pane. The first ends with it.
func (s *shape) last(pane int64) int64 {
	switch s.kind {
	case jobgraph.Hopping:
		return pane + s.size - s.pane
	case jobgraph.Cumulating:
		return s.next(pane-1, s.size)
	default:
		return pane
	}
}

// start returns the start of the window that ends at end.
func (s *shape) start(end int64) int64 {
	if s.kind == jobgraph.Cumulating {
		return s.next(end-1, s.size) - s.size
	}
	return end - s.size
}

// parts returns in how many windows a pane is at most.
func (s *shape) parts() int64 {
	if s.kind == jobgraph.Attached {
		return 1
	}
	return s.size / s.pane
}

// checkWindow reports windows that can't be.
func checkWindow(w *jobgraph.WindowSpec) error {
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
