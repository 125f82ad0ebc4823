package kernel

import (
	"errors"
	"time"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var errPrecision = errors.New("the precision must be 0 or 3")

// zoneCast expresses a cast from or to TIMESTAMP_LTZ by one between it and the
// TIMESTAMP of its precision, which alone goes by the session's zone; nil
// leaves the cast as it is.
func zoneCast(e *expr.Cast) expr.Expr {
	from, to := e.X.Type(), e.To
	middle := func(t types.Type) types.Type {
		t.Kind = types.Timestamp
		t.Nullable = from.Nullable || e.Try
		return t
	}
	switch {
	case !zoned(e) || from.Kind == types.Null:
		return nil
	case from.Kind == types.TimestampLTZ && (to.Kind != types.Timestamp || to.Precision != from.Precision):
		return &expr.Cast{X: &expr.Cast{X: e.X, To: middle(from), Try: e.Try}, To: to, Try: e.Try}
	case to.Kind == types.TimestampLTZ && (from.Kind != types.Timestamp || to.Precision != from.Precision):
		return &expr.Cast{X: &expr.Cast{X: e.X, To: middle(to), Try: e.Try}, To: to, Try: e.Try}
	default:
		return nil
	}
}

// moved is the cast between TIMESTAMP and TIMESTAMP_LTZ of one precision.
func (c *compiler) moved(e *expr.Cast, x node) node {
	s, unit := c.session, int64(e.To.Unit())
	if s.zone == time.UTC {
		return &retyped{x: x, typ: e.To}
	}
	move := s.utc
	if e.To.Kind == types.Timestamp {
		move = s.local
	}
	return strict(e, []node{x}, mapLoop(func(ticks int64) int64 { return move(ticks, unit) }))
}

// bindToTimestampLTZ binds TO_TIMESTAMP_LTZ(number[, precision]).
func bindToTimestampLTZ(e *expr.Call, args []node) (node, error) {
	return careful(e, args, func(k *call, out *stream.Vector) error {
		n, o := operandOf[int64](&k.args[0]), stream.Values[int64](out)
		precision := operand[int32]{values: []int32{3}}
		if len(k.args) == 2 {
			precision = operandOf[int32](&k.args[1])
		}
		for i := range o {
			if !k.alive(i) {
				continue
			}
			switch precision.at(i) {
			case 3:
				o[i] = n.at(i)
			case 0:
				millis, over := mulOverflow(n.at(i), 1000)
				if over {
					k.null(out, i)
				}
				o[i] = millis
			default:
				return k.fail(i, errPrecision)
			}
		}
		return nil
	}), nil
}

// toTimestampLTZ brings the number to BIGINT.
func toTimestampLTZ(_ *expr.Registry, e *expr.Call) (expr.Expr, error) {
	if e.Args[0].Type().Kind == types.BigInt {
		return nil, nil
	}
	n, err := expr.NewCast(e.Args[0], types.Of(types.BigInt), false)
	if err != nil {
		return nil, err
	}
	return &expr.Call{Func: e.Func, Args: append([]expr.Expr{n}, e.Args[1:]...), T: e.T}, nil
}

// bindConvertTZ binds CONVERT_TZ(text, from, to): NULL for a text that is no time.
func bindConvertTZ(e *expr.Call, args []node) (node, error) {
	d, err := compileDatePattern([]byte(defaultPattern))
	if err != nil {
		return nil, err
	}
	zones := [2]zoneOf{}
	for i := range zones {
		if name, ok := constantText(e, i+1); ok {
			if _, err := zones[i].of(name); err != nil {
				return nil, err
			}
		}
	}
	from, to := newSession(Session{}), newSession(Session{})
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		text := bytesOperand(&k.args[0])
		return k.eachText(func(i int) error {
			for z, s := range [2]*session{from, to} {
				zone, err := zones[z].of(k.args[z+1].Bytes(i))
				if err != nil {
					return k.fail(i, err)
				}
				s.move(zone)
			}
			c, ok := d.parse(text.at(i))
			if !ok {
				k.builder.AppendNull()
				return nil
			}
			seconds, _ := c.ticks(1)
			c = civilOf(to.local(from.utc(seconds, 1), 1), 1)
			k.text = d.append(k.text[:0], &c)
			k.builder.AppendBytes(k.text)
			return nil
		})
	}), nil
}

// move makes another zone the session's.
func (s *session) move(zone *time.Location) {
	if s.zone != zone {
		s.zone, s.since, s.until = zone, 0, 0
	}
}

var zoneBinders = map[string]binder{"TO_TIMESTAMP_LTZ": bindToTimestampLTZ, "CONVERT_TZ": bindConvertTZ}
