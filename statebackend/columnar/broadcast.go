package columnar

import (
	"bytes"
	"encoding/binary"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// broadcastTable is statebackend.BroadcastTable: a Value table whose key and
// whose one column are bytes. In files its rows stand under the first key group.
type broadcastTable struct {
	rows  *valueTable
	keys  stream.Keys
	slots [1]Slot
	order []Slot // scratch of Each
}

// broadcastSpec is the declaration of the Value table inside.
func broadcastSpec(id statebackend.TableID) statebackend.ValueSpec {
	return statebackend.ValueSpec{
		ID: id, Keys: []types.Type{types.BytesType().NotNull()},
		Columns: []statebackend.ColumnSpec{{Name: "value", Type: types.BytesType().NotNull()}},
	}
}

func newBroadcastTable(s *store, id statebackend.TableID) (*broadcastTable, error) {
	v, err := newValueTable(s, broadcastSpec(id))
	if err != nil {
		return nil, err
	}
	t := &broadcastTable{rows: v}
	t.keys = stream.Keys{Layout: v.layout, Hashes: make([]uint64, 1), Offsets: make([]int32, 2)}
	return t, nil
}

// key returns a key in canonical form, valid until the next call.
func (t *broadcastTable) key(p []byte) *stream.Keys {
	k := &t.keys
	k.Data = binary.AppendUvarint(append(k.Data[:0], 1), uint64(len(p)))
	k.Data = append(k.Data, p...)
	k.Hashes[0], k.Offsets[1] = stream.HashBytes(p), int32(len(k.Data))
	return k
}

// plain returns what key made of a key.
func plain(canonical []byte) []byte {
	_, n := binary.Uvarint(canonical[1:])
	return canonical[1+n:]
}

// Len implements statebackend.BroadcastTable.
func (t *broadcastTable) Len() int { return t.rows.Len() }

func (t *broadcastTable) find(key []byte) (*part, Slot) {
	p := t.rows.part(0, false)
	if p == nil {
		return nil, noSlot
	}
	p.Find(t.key(key), t.slots[:])
	return p, t.slots[0]
}

// Get implements statebackend.BroadcastTable.
func (t *broadcastTable) Get(key []byte) ([]byte, bool) {
	p, s := t.find(key)
	if s == noSlot {
		return nil, false
	}
	return p.Bytes(0, s), true
}

// Put implements statebackend.BroadcastTable.
func (t *broadcastTable) Put(key, value []byte) error {
	p := t.rows.part(0, true)
	if _, err := p.Upsert(t.key(key), t.slots[:]); err != nil {
		return err
	}
	return p.SetBytes(0, t.slots[0], value)
}

// Delete implements statebackend.BroadcastTable.
func (t *broadcastTable) Delete(key []byte) {
	if p, s := t.find(key); s != noSlot {
		p.Delete(t.slots[:])
	}
}

// Each implements statebackend.BroadcastTable.
func (t *broadcastTable) Each(visit func(key, value []byte) bool) {
	p := t.rows.part(0, false)
	if p == nil {
		return
	}
	key := func(s Slot) []byte { return plain(p.bytes.get(p.row(s)[1])) }
	t.order = t.order[:0]
	var slots [64]Slot
	for n, from := p.scan(0, slots[:]); n > 0; n, from = p.scan(from, slots[:]) {
		t.order = append(t.order, slots[:n]...)
	}
	slices.SortFunc(t.order, func(a, b Slot) int { return bytes.Compare(key(a), key(b)) })
	for _, s := range t.order {
		if !visit(key(s), p.Bytes(0, s)) {
			return
		}
	}
}
