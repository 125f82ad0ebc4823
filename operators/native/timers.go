package native

import (
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// dueMax is how many timers of one time are taken out of the table at once.
const dueMax = 256

// Timers are a function's timers, by key and time, of one of the two times. A timer that is due is taken out of the table, and is the
// function's to act on, one by one: Next until it returns false. Those of one time are taken together, so a timer that
// a function sets meanwhile has its turn by its time.
type Timers struct {
	table statebackend.TimerTable
	due   statebackend.Due
	raw   Keys
	keys  []stream.Vector // of those that are due
	gone  []bool          // deleted while it was due
	at, n int
	width int
	one   [1]int64
	none  [1]int64
}

// NewTimers returns the timers of a table whose keys are of these types.
func NewTimers(pool *stream.Pool, table statebackend.TimerTable, keys []types.Type) (*Timers, error) {
	layout, err := stream.KeyLayoutOf(keys)
	if err != nil {
		return nil, err
	}
	t := &Timers{table: table, width: len(keys), gone: make([]bool, dueMax)}
	t.due.Keys = stream.NewKeyBuilder(pool, keys, dueMax)
	t.due.Raw.Reset(layout)
	return t, nil
}

// Set sets a timer of a key. One that is set twice is due once.
func (t *Timers) Set(key *stream.Keys, at int64) error {
	t.one[0] = at
	return t.table.Register(key, t.none[:], t.one[:])
}

// Delete deletes a timer of a key, if there is one that was not acted on.
func (t *Timers) Delete(key *stream.Keys, at int64) {
	t.one[0] = at
	t.table.Unregister(key, t.none[:], t.one[:])
	for i := t.at; i < t.n; i++ {
		if t.due.Times[i] == at && equal(t.raw.At(i), key) {
			t.gone[i] = true
		}
	}
}

// First returns the earliest time for which there is a timer.
func (t *Timers) First() (at int64, ok bool) {
	if t.at < t.n {
		return t.due.Times[t.at], true
	}
	return t.table.Next()
}

// Due is a timer that is due.
type Due struct {
	Key  *stream.Keys // valid until the next call
	At   int64
	Nth  int             // which of Keys is the key
	Keys []stream.Vector // the columns of the keys, valid until a Nth of 0
}

// Next returns the next timer at or before a time.
func (t *Timers) Next(upTo int64) (d Due, ok bool, err error) {
	for {
		if t.at == t.n {
			if ok, err := t.take(upTo); !ok || err != nil {
				return d, false, err
			}
		}
		i := t.at
		t.at++
		if !t.gone[i] {
			return Due{Key: t.raw.At(i), At: t.due.Times[i], Nth: i, Keys: t.keys}, true, nil
		}
	}
}

// take takes timers of the earliest time out of the table.
func (t *Timers) take(upTo int64) (bool, error) {
	at, ok := t.table.Next()
	if !ok || at > upTo {
		return false, nil
	}
	t.Close()
	t.due.Raw.Reset(t.due.Raw.Layout)
	t.due.Times, t.due.Namespaces = t.due.Times[:0], t.due.Namespaces[:0]
	n, err := t.table.Pop(at, dueMax, &t.due)
	if err != nil {
		return false, err
	}
	for i := range t.width {
		t.keys = append(t.keys, t.due.Keys.Finish(i))
	}
	clear(t.gone)
	t.raw.Set(&t.due.Raw)
	t.at, t.n = 0, n
	return n > 0, nil
}

// Close gives back what the timers hold.
func (t *Timers) Close() {
	for i := range t.keys {
		t.keys[i].Release()
	}
	t.keys, t.at, t.n = t.keys[:0], 0, 0
}
