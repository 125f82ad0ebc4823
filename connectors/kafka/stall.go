package kafka

import (
	"context"
	"fmt"
)

// watch says what is the matter while something waits to be acknowledged and
// nothing is: the client tries again by itself, and tells nobody.
func (w *writer) watch(ctx context.Context) {
	defer w.ctx.Trouble.Say("")
	said := ""
	for before := w.steps.Load(); ; {
		t := w.ctx.Clock.NewTimer(stallAfter)
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return
		}
		now := w.steps.Load()
		text := ""
		if now == before && (w.buffered.Load() > 0 || w.sealing.Load() > 0) {
			text = w.stall()
		} else {
			w.setback.Store(nil)
		}
		if text != said {
			w.ctx.Trouble.Say(text)
		}
		before, said = now, text
	}
}

// stall words what stands still, and why as far as that is known.
func (w *writer) stall() string {
	text := fmt.Sprintf("topic %s at %s: to write %d bytes and what was prepared is tried again, nothing was acknowledged for %s",
		w.opts.topic, w.opts.brokerNames(), w.buffered.Load(), stallAfter)
	if s := w.setback.Load(); s != nil {
		text += ": " + *s
	}
	return text
}

// warn notes what is tried again. It is safe for concurrent use.
func (w *writer) warn(what string, cause error) {
	text := fmt.Sprintf("%s: %v", what, cause)
	w.setback.Store(&text)
}
