package sdk

import (
	"millrace/jobgraph"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
)

// The tables of sessions.
//
// A key's last session is its row in a Value table, so that a batch finds the sessions of its rows as windows are found, and a row that goes on with its session costs what one of a window
// does. The others of the key, if there are any, are in an OrderedMap by their ends: a row that comes behind all of the last session makes that one go there, and only a row in front of
// the last session looks there.
//
// Timers say when to look at a session. They do not move as it grows: a timer is of a point in the session, its namespace, and whoever finds that the session's time has not come sets the next. Each
// session has a timer at the latest for the time when something becomes of it.
const (
	lastTable    = "sessions"
	earlierTable = "earlier"
	timersTable  = "ends"
)

// startColumn and endColumn are of a session. No field can have the names.
const (
	startColumn = "?start"
	endColumn   = "?end"
)

func sessionTables(acc *rows.Mapping) []jobgraph.NativeTable {
	start, fired := jobgraph.NativeColumn{Name: startColumn, Type: timeType}, jobgraph.NativeColumn{Name: firedColumn, Type: flagType}
	return []jobgraph.NativeTable{
		{
			Name: lastTable, Shape: jobgraph.NativeValue,
			Columns: append(acc.Cells().Columns, start, jobgraph.NativeColumn{Name: endColumn, Type: timeType}, fired),
		},
		{
			Name: earlierTable, Shape: jobgraph.NativeOrderedMap,
			Columns: append([]jobgraph.NativeColumn{{Name: jobgraph.NativeKey, Type: timeType}, start, fired}, prefixed("value", columnsOfState(acc))...),
		},
		{Name: timersTable, Shape: jobgraph.NativeTimers},
	}
}

// span is when a session is, and whether it has given the result of all that it has.
type span struct {
	start, end int64
	fired      bool
}

// holds tells whether a session has a point, which is behind its start.
func (x span) holds(point int64) bool { return x.start < point && point <= x.end }

// sessions implements native.Function and native.Firer.
type sessions[K, T, Acc, Out any] struct {
	aggregating[K, T, Acc, Out]
	gap     int64
	mapping *rows.Mapping // of Acc
	other   Acc

	last    statebackend.Part
	earlier earlierSessions[Acc]
	timers  statebackend.TimerTable
	some    stream.Keys
	in      statebackend.Rows   // of last, in the call under way
	none    []statebackend.Slot // rows of last that were made for rows that are late
	indices []int32
	point   [1]int64 // arguments of a call
	time    [1]int64

	due     statebackend.Due
	dueOne  native.Keys
	vectors []stream.Vector
	firing  []firingSession
	over    []statebackend.Slot  // rows of last whose sessions are over
	kept    [1]statebackend.Slot // arguments of a call
}

// firingSession is a session that is to give its result.
type firingSession struct {
	nth  int // of those that are due
	last bool
	end  int64
}

// Open implements native.Function.
func (s *sessions[K, T, Acc, Out]) Open(rt *native.Runtime) (err error) {
	s.last, s.timers = rt.Tables.Values[lastTable].Part(0, true), rt.Tables.Timers[timersTable]
	types := rt.Spec.KeyTypes()
	s.due.Keys = stream.NewKeyBuilder(rt.Pool, types, rows.TileRows)
	s.vectors = make([]stream.Vector, len(types))
	for i := range rows.TileRows {
		s.indices = append(s.indices, int32(i))
	}
	if err := s.earlier.open(rt, s.mapping); err != nil {
		return err
	}
	return s.begin(rt)
}

// Rows brings rows into their sessions, one after the other: whether a row is late depends on those before it, and not on which came with it.
func (s *sessions[K, T, Acc, Out]) Rows(_ int, b *stream.Batch, from int) (to int, err error) {
	return s.take(b, from, s.add)
}

func (s *sessions[K, T, Acc, Out]) add(tile []T) (int, error) {
	for i := range tile {
		s.indices[i] = int32(s.from + i)
	}
	s.some.Reset(s.all.Layout)
	s.some.AppendRows(s.all, s.indices[:len(tile)])
	slots := s.slots[:len(tile)]
	if _, err := s.last.Upsert(&s.some, slots); err != nil {
		return 0, err
	}
	s.in, s.none = s.last.Rows(), s.none[:0]
	at := 0
	s.row = func() any { return tile[at] }
	late := 0
	for at = range tile {
		t, err := s.at(at, tile)
		if err != nil {
			return 0, err
		}
		taken, err := s.addRow(at, slots[at], t, &tile[at])
		if err != nil {
			return 0, err
		}
		if !taken {
			s.isLate(at)
			late++
		}
	}
	s.row = nil
	s.rt.Counts.Folded += int64(len(tile) - late)
	s.sweep()
	return len(tile), nil
}

// sweep deletes the rows of keys that got one for a row that was late.
func (s *sessions[K, T, Acc, Out]) sweep() {
	n := 0
	for _, slot := range s.none {
		if s.lastOf(slot) == (span{}) {
			s.none[n] = slot
			n++
		}
	}
	s.last.Delete(s.none[:n])
}

// lastOf returns the last session of a key; the zero span: it has none.
func (s *sessions[K, T, Acc, Out]) lastOf(slot statebackend.Slot) span {
	words := s.in.At(slot)[s.cells.Words:]
	return span{int64(words[0]), int64(words[1]), words[2] != 0}
}

func (s *sessions[K, T, Acc, Out]) setLast(slot statebackend.Slot, x span) {
	words := s.in.At(slot)[s.cells.Words:]
	words[0], words[1], words[2] = uint64(x.start), uint64(x.end), wordOf(x.fired)
}

func wordOf(flag bool) uint64 {
	if flag {
		return 1
	}
	return 0
}

// addRow brings row i of a tile, whose time is t, into its session; false: it is late. The row mostly goes on with the key's last session.
func (s *sessions[K, T, Acc, Out]) addRow(i int, slot statebackend.Slot, t int64, row *T) (taken bool, err error) {
	x := s.lastOf(slot)
	if t < x.start || t > x.end || x.start == x.end {
		return s.addElsewhere(i, slot, t, row)
	}
	was := x
	x.end = max(x.end, t+s.gap)
	if s.gone(x.end) {
		return false, nil
	}
	x.fired = s.closed(x.end)
	s.setLast(slot, x)
	if err := s.cells.Load(s.last, slot, pointer(&s.acc)); err != nil {
		return false, err
	}
	if err := s.of.Add(&s.acc, row); err != nil {
		return false, err
	}
	if err := s.cells.Store(s.last, slot, pointer(&s.acc)); err != nil || !was.fired && !x.fired {
		return true, err
	}
	return true, s.grown(i, x, true, !was.fired)
}

// addElsewhere brings a row in that does not go on with the key's last session, or not with it alone.
func (s *sessions[K, T, Acc, Out]) addElsewhere(i int, slot statebackend.Slot, t int64, row *T) (taken bool, err error) {
	key, x := s.one.At(s.from+i), s.lastOf(slot)
	if x.start == x.end {
		last := s.earlier.last(key) // there may be one where a job of before kept sessions for longer
		if last == statebackend.NoSlot {
			return s.beginLast(i, slot, t, row)
		}
		if err := s.moveBack(slot, last); err != nil {
			return false, err
		}
		return s.addRow(i, slot, t, row)
	}
	if t < x.start {
		return s.addBefore(i, slot, t, row)
	}
	if s.gone(t + s.gap) {
		return false, nil
	}
	if err := s.cells.Load(s.last, slot, pointer(&s.acc)); err != nil {
		return false, err
	}
	if err := s.earlier.put(key, x, &s.acc); err != nil {
		return false, err
	}
	return s.beginLast(i, slot, t, row)
}

// beginLast begins the last session of a key with a row.
func (s *sessions[K, T, Acc, Out]) beginLast(i int, slot statebackend.Slot, t int64, row *T) (taken bool, err error) {
	x := span{t, t + s.gap, s.closed(t + s.gap)}
	if s.gone(x.end) {
		s.none = append(s.none, slot)
		return false, nil
	}
	s.setLast(slot, x)
	var zero Acc
	s.acc = zero
	if err := s.of.Add(&s.acc, row); err != nil {
		return false, err
	}
	if err := s.cells.Store(s.last, slot, pointer(&s.acc)); err != nil {
		return false, err
	}
	return true, s.grown(i, x, false, false)
}

// moveBack makes an earlier session of a key, the only one or the last of them, its last.
func (s *sessions[K, T, Acc, Out]) moveBack(slot, earlier statebackend.Slot) error {
	x := s.earlier.span(earlier)
	if err := s.earlier.load(earlier, &s.acc); err != nil {
		return err
	}
	s.earlier.removeOne(earlier)
	s.setLast(slot, x)
	return s.cells.Store(s.last, slot, pointer(&s.acc))
}

// addBefore brings in a row that is before the key's last session: into earlier ones, or that one, or both, or one of its own.
func (s *sessions[K, T, Acc, Out]) addBefore(i int, slot statebackend.Slot, t int64, row *T) (taken bool, err error) {
	key, last := s.one.At(s.from+i), s.lastOf(slot)
	x := span{start: t, end: t + s.gap}
	parts := s.earlier.touching(key, x)
	open := false // some part has not given its result
	for _, p := range parts {
		is := s.earlier.span(p)
		x.start, x.end, open = min(x.start, is.start), max(x.end, is.end), open || !is.fired
	}
	joins := last.start <= x.end
	if joins {
		x.end, open = max(x.end, last.end), open || !last.fired
	}
	if s.gone(x.end) {
		return false, nil
	}
	x.fired = s.closed(x.end)
	if err := s.merge(parts, slot, joins); err != nil {
		return false, err
	}
	if err := s.of.Add(&s.acc, row); err != nil {
		return false, err
	}
	known := joins || len(parts) > 0
	s.earlier.remove(parts)
	if joins {
		s.setLast(slot, x)
		err = s.cells.Store(s.last, slot, pointer(&s.acc))
	} else {
		err = s.earlier.put(key, x, &s.acc)
	}
	if err != nil {
		return true, err
	}
	return true, s.grown(i, x, known, open)
}

// merge makes acc that of the parts of a session, the last one of the key among them where it joins in.
func (s *sessions[K, T, Acc, Out]) merge(parts []statebackend.Slot, slot statebackend.Slot, joins bool) error {
	if len(parts) == 0 {
		if joins {
			return s.cells.Load(s.last, slot, pointer(&s.acc))
		}
		var zero Acc
		s.acc = zero
		return nil
	}
	if err := s.earlier.load(parts[0], &s.acc); err != nil {
		return err
	}
	for _, p := range parts[1:] {
		if err := s.earlier.load(p, &s.other); err != nil {
			return err
		}
		if err := s.of.Merge(&s.acc, &s.other); err != nil {
			return err
		}
	}
	if !joins {
		return nil
	}
	if err := s.cells.Load(s.last, slot, pointer(&s.other)); err != nil {
		return err
	}
	return s.of.Merge(&s.acc, &s.other)
}

// grown sees to a session, whose accumulator is acc, that has taken row i in. known tells whether it was there, and open whether some of what it was made of had not given its result: a timer
// waits for that.
func (s *sessions[K, T, Acc, Out]) grown(i int, x span, known, open bool) error {
	key := s.one.At(s.from + i)
	if !x.fired {
		if open {
			return nil
		}
		return s.wait(key, x)
	}
	if !known {
		if err := s.wait(key, x); err != nil {
			return err
		}
	}
	return s.giveAgain(i, x.start, x.end)
}

// Close implements native.Function.
func (s *sessions[K, T, Acc, Out]) Close() error {
	s.due.Keys.Close()
	s.earlier.close()
	return nil
}
