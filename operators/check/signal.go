package check

import (
	"slices"

	"millrace/operators"
	"millrace/stream"
)

// Hold is false where the operator holds nothing. It checks what it is asked.
func (o *Operator) Hold(e stream.Element) bool {
	h, ok := o.inner.(operators.Holder)
	if !ok || !h.Hold(e) {
		return false
	}
	o.held = append(o.held, e)
	return true
}

// Full is false where the operator has no bound.
func (o *Operator) Full() bool {
	b, ok := o.inner.(operators.Bounded)
	return ok && b.Full()
}

// Keep checks the order of calls. Who keeps nothing may be frozen in the middle of a drain.
func (o *Operator) Keep() error {
	k, ok := o.inner.(operators.Keeper)
	if !ok {
		return nil
	}
	if err := o.ready("Keep"); err != nil {
		return err
	}
	return k.Keep()
}

// signal checks one that the operator gives: it was held, and those of its kind that were held before it have left or have no more to say.
func (o *Operator) signal(out operators.Output) error {
	e := out.Signal
	if out.Batch != nil {
		return o.failed("a batch and a signal in one output")
	}
	if e.Kind == stream.WatermarkElement && o.again && e.Watermark <= o.ctx.Watermark {
		o.again = false
		return nil
	}
	at := slices.IndexFunc(o.held, func(h stream.Element) bool {
		return h.Kind == e.Kind && h.Watermark == e.Watermark && h.Idle == e.Idle
	})
	if at < 0 {
		return o.failed("it gives %s, which it does not hold", e)
	}
	o.again = o.again && e.Kind == stream.StatusElement
	if e.Kind == stream.EndElement {
		o.ended, o.held = true, nil
		return nil
	}
	n := 0
	for i, h := range o.held {
		if i > at || h.Kind != e.Kind {
			o.held[n] = h
			n++
		}
	}
	o.held = o.held[:n]
	return nil
}
