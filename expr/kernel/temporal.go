package kernel

import (
	"errors"
	"fmt"
	"math"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

const (
	secondsPerDay = 86_400
	millisPerDay  = secondsPerDay * 1_000
)

var errTimeRange = errors.New("time out of range")

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// bindTimeShift binds a time plus or minus an interval.
func bindTimeShift(e *expr.Call, args []node) (node, error) {
	t, interval := 0, 1
	if !isTime(e.Args[0]) {
		t, interval = 1, 0
	}
	by := e.Args[interval].Type()
	factor := int64(1)
	if e.Func == "-" {
		factor = -1
	}
	args = []node{args[t], args[interval]}
	switch {
	case by.Kind == types.IntervalYearMonth:
		return careful(e, args, monthShift(e.T, int32(factor))), nil
	case e.T.Kind == types.Date:
		return careful(e, args, dayShift(factor)), nil
	case e.T.Kind == types.Time:
		return strict(e, args, clockShift(factor)), nil
	default:
		return careful(e, args, timestampShift(factor*int64(e.T.Unit()/types.Millis))), nil
	}
}

// timestampShift adds an interval in milliseconds, each of which has as many
// ticks as factor says.
func timestampShift(factor int64) loop {
	return func(k *call, out *stream.Vector) error {
		a, b, o := operandOf[int64](&k.args[0]), operandOf[int64](&k.args[1]), stream.Values[int64](out)
		for i := range o {
			x, d := a.at(i), b.at(i)
			shift, over := mulOverflow(d, factor)
			sum := x + shift
			if (over || (x^sum)&(shift^sum) < 0) && k.alive(i) {
				return k.fail(i, errTimeRange)
			}
			o[i] = sum
		}
		return nil
	}
}

// dayShift moves a DATE by the whole days of an interval.
func dayShift(factor int64) loop {
	return func(k *call, out *stream.Vector) error {
		a, b, o := operandOf[int32](&k.args[0]), operandOf[int64](&k.args[1]), stream.Values[int32](out)
		for i := range o {
			sum := int64(a.at(i)) + factor*(b.at(i)/millisPerDay)
			if sum != int64(int32(sum)) && k.alive(i) {
				return k.fail(i, errTimeRange)
			}
			o[i] = int32(sum)
		}
		return nil
	}
}

// clockShift moves a TIME around the clock.
func clockShift(factor int64) loop {
	return func(k *call, out *stream.Vector) error {
		a, b, o := operandOf[int32](&k.args[0]), operandOf[int64](&k.args[1]), stream.Values[int32](out)
		for i := range o {
			o[i] = int32(floorMod(int64(a.at(i))+factor*(b.at(i)%millisPerDay), millisPerDay))
		}
		return nil
	}
}

// monthShift moves a DATE or TIMESTAMP by months; a day that the month lacks
// is its last one.
func monthShift(t types.Type, factor int32) loop {
	if t.Kind == types.Date {
		return func(k *call, out *stream.Vector) error {
			a, b, o := operandOf[int32](&k.args[0]), operandOf[int32](&k.args[1]), stream.Values[int32](out)
			for i := range o {
				if k.alive(i) {
					o[i] = addMonths(a.at(i), factor*b.at(i))
				}
			}
			return nil
		}
	}
	day := secondsPerDay * int64(t.Unit())
	return func(k *call, out *stream.Vector) error {
		a, b, o := operandOf[int64](&k.args[0]), operandOf[int32](&k.args[1]), stream.Values[int64](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			x := a.at(i)
			days := addMonths(int32(floorDiv(x, day)), factor*b.at(i))
			moved, over := mulOverflow(int64(days), day)
			rest := floorMod(x, day)
			if over || moved > math.MaxInt64-rest {
				return k.fail(i, errTimeRange)
			}
			o[i] = moved + rest
		}
		return nil
	}
}

func addMonths(days, months int32) int32 {
	y, m, d := dateOf(int64(days))
	total := int64(y)*12 + int64(m) - 1 + int64(months)
	y, m = int(floorDiv(total, 12)), int(floorMod(total, 12)+1)
	return daysOfDate(y, m, min(d, daysOf(y, m)))
}

// timeCast casts between times; no cast between TIMESTAMP_LTZ and another one
// comes here.
func timeCast(from, to types.Type) (conversion, error) {
	switch {
	case from.Kind == types.Time && to.Kind == types.Time:
		return cheap(mapLoop(func(x int32) int32 { return truncateTime(x, to) })), nil
	case from.Kind == types.Date && isTimestamp(to):
		return timeOverflow(func(k *call) func(int) (int64, bool) {
			a := stream.Values[int32](&k.args[0])
			day := secondsPerDay * int64(to.Unit())
			return func(i int) (int64, bool) { return mulOverflow(int64(a[i]), day) }
		}), nil
	case from.Kind == types.Time && isTimestamp(to):
		ticks := int64(to.Unit() / types.Millis)
		return cheap(mapLoop(func(x int32) int64 { return truncateTimestamp(int64(x)*ticks, to) })), nil
	case isTimestamp(from) && to.Kind == types.Date:
		day := secondsPerDay * int64(from.Unit())
		return cheap(mapLoop(func(x int64) int32 { return int32(floorDiv(x, day)) })), nil
	case isTimestamp(from) && to.Kind == types.Time:
		unit := int64(from.Unit())
		return cheap(mapLoop(func(x int64) int32 {
			return truncateTime(int32(floorMod(x, secondsPerDay*unit)/(unit/1000)), to)
		})), nil
	case isTimestamp(from) && isTimestamp(to):
		return timestampCast(from, to), nil
	default:
		return conversion{}, fmt.Errorf("no cast from %s to %s", from, to)
	}
}

// timestampCast changes a precision: finer units multiply and may leave their
// range, coarser ones truncate.
func timestampCast(from, to types.Type) conversion {
	if from.Unit() >= to.Unit() {
		ratio := int64(from.Unit() / to.Unit())
		return cheap(mapLoop(func(x int64) int64 { return truncateTimestamp(floorDiv(x, ratio), to) }))
	}
	ratio := int64(to.Unit() / from.Unit())
	return timeOverflow(func(k *call) func(int) (int64, bool) {
		a := stream.Values[int64](&k.args[0])
		return func(i int) (int64, bool) { return mulOverflow(a[i], ratio) }
	})
}

// truncateTimestamp drops digits beyond the precision: of milliseconds towards
// 1970, of finer units towards the past, as Flink does.
func truncateTimestamp(x int64, t types.Type) int64 {
	tick := tickOf(t)
	if t.Unit() == types.Millis {
		return x / tick * tick
	}
	return floorDiv(x, tick) * tick
}

func truncateTime(x int32, t types.Type) int32 {
	tick := int32(1)
	for range 3 - min(t.Precision, 3) {
		tick *= 10
	}
	return x / tick * tick
}

func mapLoop[F, T stream.Fixed](f func(F) T) loop {
	return func(k *call, out *stream.Vector) error {
		a, o := stream.Values[F](&k.args[0]), stream.Values[T](out)
		for i := range o {
			o[i] = f(a[i])
		}
		return nil
	}
}

// timeOverflow makes a conversion whose result may leave 64 bits.
func timeOverflow(reader func(k *call) func(int) (int64, bool)) conversion {
	return conversion{dear: true, loop: func(try bool) loop {
		return func(k *call, out *stream.Vector) error {
			at, o := reader(k), stream.Values[int64](out)
			for i := range o {
				x, over := at(i)
				o[i] = x
				if !over || !k.alive(i) {
					continue
				}
				if !try {
					return k.fail(i, errTimeRange)
				}
				k.null(out, i)
			}
			return nil
		}
	}}
}
