package kernel

import (
	"bytes"
	"time"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var dateFormatBinders = map[string]sessionBinder{
	"DATE_FORMAT": bindDateFormat, "TO_TIMESTAMP": bindToTimestamp, "TO_DATE": bindToDate,
	"FROM_UNIXTIME": bindFromUnixtime,
}

// patternOf gives the pattern of a row: a constant one is compiled with the
// program, of others the last one is kept.
type patternOf struct {
	pattern []byte
	d       *datePattern
}

// newPatternOf looks at argument i, and without one at the pattern otherwise.
func newPatternOf(e *expr.Call, i int, otherwise string) (*patternOf, error) {
	p := &patternOf{}
	if i >= len(e.Args) {
		_, err := p.of([]byte(otherwise))
		return p, err
	}
	if text, ok := constantText(e, i); ok {
		_, err := p.of(text)
		return p, err
	}
	return p, nil
}

func (p *patternOf) of(pattern []byte) (*datePattern, error) {
	if p.d != nil && bytes.Equal(p.pattern, pattern) {
		return p.d, nil
	}
	d, err := compileDatePattern(pattern)
	if err != nil {
		return nil, err
	}
	p.d, p.pattern = d, append(p.pattern[:0], pattern...)
	return d, nil
}

// at returns the pattern of row i, where there may be no argument.
func (p *patternOf) at(k *call, arg, i int) (*datePattern, error) {
	if arg >= len(k.args) {
		return p.d, nil
	}
	return p.of(k.args[arg].Bytes(i))
}

// defaultPattern is that of functions to which none is given.
const defaultPattern = "yyyy-MM-dd HH:mm:ss"

// bindDateFormat binds DATE_FORMAT of a TIMESTAMP.
func bindDateFormat(s *session, e *expr.Call, args []node) (node, error) {
	p, err := newPatternOf(e, 1, "")
	if err != nil {
		return nil, err
	}
	t := e.Args[0].Type()
	unit := int64(t.Unit())
	zoned := t.Kind == types.TimestampLTZ
	return careful(e, args, printTimes(p, func(k *call) func(i int) (int64, error) {
		a := operandOf[int64](&k.args[0])
		return func(i int) (int64, error) {
			if zoned {
				return s.local(a.at(i), unit), nil
			}
			return a.at(i), nil
		}
	}, unit)), nil
}

// printTimes prints what reader gives, in ticks of a unit, with the pattern in
// argument 1. Rows are often of the same day, hour or minute as the one
// before: what was printed is kept as long as the pattern shows no difference.
func printTimes(p *patternOf, reader func(k *call) func(i int) (int64, error), unit int64) loop {
	var last int64
	var kept *datePattern
	return func(k *call, _ *stream.Vector) error {
		at := reader(k)
		kept = nil
		return k.eachText(func(i int) error {
			d, err := p.at(k, 1, i)
			if err != nil {
				return k.fail(i, err)
			}
			ticks, err := at(i)
			if err != nil {
				return k.fail(i, err)
			}
			step := d.step / (int64(time.Second) / unit)
			if step > 1 {
				ticks = floorDiv(ticks, step)
			}
			if d != kept || ticks != last {
				last, kept = ticks, d
				c := civilOf(ticks*max(step, 1), unit)
				k.text = d.append(k.text[:0], &c)
			}
			k.builder.AppendBytes(k.text)
			return nil
		})
	}
}

// bindFromUnixtime binds FROM_UNIXTIME: seconds printed in the session's zone.
func bindFromUnixtime(s *session, e *expr.Call, args []node) (node, error) {
	p, err := newPatternOf(e, 1, defaultPattern)
	if err != nil {
		return nil, err
	}
	return careful(e, args, printTimes(p, func(k *call) func(i int) (int64, error) {
		a := operandOf[int64](&k.args[0])
		return func(i int) (int64, error) {
			seconds := a.at(i)
			if seconds > secondsMax || seconds < -secondsMax {
				return 0, errTimeRange
			}
			return s.local(seconds*1000, 1000), nil
		}
	}, int64(types.Millis))), nil
}

// secondsMax keeps years within what a date can be computed of.
const secondsMax = 1 << 50

// bindToTimestamp binds TO_TIMESTAMP of a text and a pattern: NULL where it
// does not fit.
func bindToTimestamp(_ *session, e *expr.Call, args []node) (node, error) {
	p, err := newPatternOf(e, 1, defaultPattern)
	if err != nil {
		return nil, err
	}
	unit := int64(e.T.Unit())
	return careful(e, args, func(k *call, out *stream.Vector) error {
		text, o := bytesOperand(&k.args[0]), stream.Values[int64](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			d, err := p.at(k, 1, i)
			if err != nil {
				return k.fail(i, err)
			}
			c, ok := d.parse(text.at(i))
			if o[i], ok = ticksOf(&c, unit, ok); !ok {
				k.null(out, i)
			}
		}
		return nil
	}), nil
}

func ticksOf(c *civil, unit int64, ok bool) (int64, bool) {
	if !ok {
		return 0, false
	}
	return c.ticks(unit)
}

// bindToDate binds TO_DATE of a text and a pattern.
func bindToDate(_ *session, e *expr.Call, args []node) (node, error) {
	p, err := newPatternOf(e, 1, "yyyy-MM-dd")
	if err != nil {
		return nil, err
	}
	return careful(e, args, func(k *call, out *stream.Vector) error {
		text, o := bytesOperand(&k.args[0]), stream.Values[int32](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			d, err := p.at(k, 1, i)
			if err != nil {
				return k.fail(i, err)
			}
			c, ok := d.parse(text.at(i))
			if !ok || c.days != int64(int32(c.days)) {
				k.null(out, i)
			}
			o[i] = int32(c.days)
		}
		return nil
	}), nil
}
