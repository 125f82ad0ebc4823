package sdk

import (
	"cmp"
	"math"
	"slices"

	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
)

// wait sets a timer for the time when something becomes of a session.
func (s *sessions[K, T, Acc, Out]) wait(key *stream.Keys, x span) error {
	s.point[0], s.time[0] = x.end, s.turn(x)
	return s.timers.Register(key, s.point[:], s.time[:])
}

// turn returns the time at which a session gives its result, or is forgotten.
func (s *sessions[K, T, Acc, Out]) turn(x span) int64 {
	if x.fired {
		return x.end + s.lateness
	}
	return x.end
}

// Fire gives the sessions that event time ends, the earliest ends first, and forgets those that it is past by the allowed lateness.
func (s *sessions[K, T, Acc, Out]) Fire(w stream.Watermark) (done bool, err error) {
	defer s.recovered(&err)
	s.watermark = int64(w)
	upTo := s.watermark
	if upTo < math.MaxInt64 {
		upTo++ // the end, of which it is the last millisecond
	}
	for !s.rt.Enough() {
		s.due.Raw.Reset(s.reader.Layout())
		s.due.Times, s.due.Namespaces = s.due.Times[:0], s.due.Namespaces[:0]
		n, err := s.timers.Pop(upTo, rows.TileRows, &s.due)
		if err != nil || n == 0 {
			return true, err
		}
		horizon := upTo
		if n == rows.TileRows {
			horizon = s.due.Times[n-1]
		}
		if err := s.fire(n, upTo, horizon); err != nil {
			return true, s.failed(err)
		}
	}
	return false, nil
}

// fire looks at the sessions of n timers, which are all of those at or before upTo, or the first of them, up to the horizon.
func (s *sessions[K, T, Acc, Out]) fire(n int, upTo, horizon int64) error {
	for i := range s.vectors {
		s.vectors[i] = s.due.Keys.Finish(i)
		defer s.vectors[i].Release()
	}
	keys, err := s.keys.ReadColumns(s.vectors, 0, n)
	if err != nil {
		return err
	}
	s.dueOne.Set(&s.due.Raw)
	slots := s.slots[:n]
	s.last.Find(&s.due.Raw, slots)
	s.in, s.firing, s.over = s.last.Rows(), s.firing[:0], s.over[:0]
	for i, slot := range slots {
		if err := s.look(i, slot, upTo, horizon); err != nil {
			return err
		}
	}
	slices.SortStableFunc(s.firing, func(a, b firingSession) int { return cmp.Compare(a.end, b.end) })
	w := WindowOf[K]{}
	s.row = w.text
	for _, f := range s.firing {
		w.Key = keys[f.nth]
		if err := s.end(f, slots[f.nth], upTo, &w); err != nil {
			return err
		}
	}
	s.row = nil
	s.last.Delete(s.over)
	return s.out.settle()
}

// look finds the session that timer i is of. One that has grown is waited for anew; even if its time has come, where that is behind the horizon: others come before it.
func (s *sessions[K, T, Acc, Out]) look(i int, slot statebackend.Slot, upTo, horizon int64) error {
	key := s.dueOne.At(i)
	x, earlier, there := s.sessionAt(key, slot, s.due.Namespaces[i])
	switch last := earlier == statebackend.NoSlot; {
	case !there: // another timer was of it, too
	case s.turn(x) > upTo || !x.fired && x.end > horizon:
		return s.wait(key, x)
	case !x.fired:
		s.firing = append(s.firing, firingSession{nth: i, last: last, end: x.end})
	case last:
		s.dropLast(slot)
	default:
		s.earlier.removeOne(earlier)
	}
	return nil
}

// sessionAt returns the session of a key that has a point: the last one, whose row is given, or an earlier one, with its slot.
func (s *sessions[K, T, Acc, Out]) sessionAt(key *stream.Keys, slot statebackend.Slot, point int64) (x span, earlier statebackend.Slot, ok bool) {
	if slot != statebackend.NoSlot {
		if x = s.lastOf(slot); x.holds(point) {
			return x, statebackend.NoSlot, true
		}
	}
	if earlier = s.earlier.first(key, point); earlier == statebackend.NoSlot {
		return span{}, earlier, false
	}
	x = s.earlier.span(earlier)
	return x, earlier, x.holds(point)
}

// dropLast forgets the last session of a key. Its row goes when no timer of those that are due can be of it any more.
func (s *sessions[K, T, Acc, Out]) dropLast(slot statebackend.Slot) {
	s.setLast(slot, span{})
	s.over = append(s.over, slot)
}

// end gives the result of a session, unless another timer was of it, too; then it is kept as the allowed lateness says, or forgotten.
func (s *sessions[K, T, Acc, Out]) end(f firingSession, slot statebackend.Slot, upTo int64, w *WindowOf[K]) (err error) {
	key := s.dueOne.At(f.nth)
	if !f.last {
		slot = statebackend.NoSlot
	}
	x, earlier, there := s.sessionAt(key, slot, f.end)
	if !there || x.fired {
		return nil
	}
	if f.last {
		err = s.cells.Load(s.last, slot, pointer(&s.acc))
	} else {
		err = s.earlier.load(earlier, &s.acc)
	}
	if err != nil {
		return err
	}
	w.Start, w.End = timeOf(x.start), timeOf(x.end)
	if err := s.give(*w); err != nil {
		return err
	}
	x.fired = true
	if keeps := s.turn(x) > upTo; !keeps {
		if f.last {
			s.dropLast(slot)
		} else {
			s.earlier.removeOne(earlier)
		}
		return nil
	}
	if f.last {
		s.setLast(slot, x)
		s.kept[0] = slot
		s.last.Touch(s.kept[:])
	} else {
		s.earlier.fired(earlier)
	}
	return s.wait(key, x)
}
