package columnar

import (
	"millrace/failure"
	"millrace/statebackend"
)

// listTable is statebackend.ListTable.
type listTable struct {
	spec    statebackend.ListSpec
	store   *store
	entries [][]byte
	size    int64
}

// Get implements statebackend.ListTable.
func (t *listTable) Get() [][]byte { return t.entries }

// Set implements statebackend.ListTable. It always copies into fresh memory: a
// snapshot may still be writing the former entries.
func (t *listTable) Set(entries [][]byte) error {
	size := int64(0)
	for _, e := range entries {
		if len(e) > valueBytesMax {
			return failure.Userf("a list entry of %d bytes is too large for state, at most %d", len(e), valueBytesMax)
		}
		size += int64(len(e)) + 24
	}
	if err := t.store.memory.charge(size - t.size); err != nil {
		return err
	}
	t.size = size
	all := make([]byte, 0, size-24*int64(len(entries)))
	fresh := make([][]byte, len(entries))
	for i, e := range entries {
		from := len(all)
		all = append(all, e...)
		fresh[i] = all[from:len(all):len(all)]
	}
	t.entries = fresh
	return nil
}
