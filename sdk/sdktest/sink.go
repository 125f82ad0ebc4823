package sdktest

import (
	"encoding/binary"
	"slices"

	"millrace/connectors"
	"millrace/stream"
	"millrace/types"
)

// sink is what stands in for a sink: what was written, which no crash forgets once it is committed.
type sink struct {
	pipeline *Pipeline
	schema   *types.Schema
	written  []written
	taken    int // rows that Take has returned
}

// written is a batch that a task wrote.
type written struct {
	batch     *stream.Batch // the sink's
	subtask   int32
	epoch     types.CheckpointID // 0: of no checkpoint yet
	committed bool
}

// commit makes what stands behind committables visible, once.
func (s *sink) commit(committables [][]byte) {
	for _, c := range committables {
		subtask, n := binary.Varint(c)
		id, _ := binary.Varint(c[n:])
		for i := range s.written {
			w := &s.written[i]
			w.committed = w.committed || w.subtask == int32(subtask) && w.epoch == types.CheckpointID(id)
		}
	}
}

// drop ends what nobody has committed.
func (s *sink) drop() {
	s.written = slices.DeleteFunc(s.written, func(w written) bool {
		if !w.committed {
			w.batch.Release()
		}
		return !w.committed
	})
	s.taken = min(s.taken, s.rows())
}

func (s *sink) rows() (n int) {
	for _, w := range s.written {
		n += w.batch.Rows()
	}
	return n
}

func (s *sink) close() {
	for _, w := range s.written {
		w.batch.Release()
	}
	s.written = nil
}

// writer implements connectors.Writer.
type writer struct {
	sink    *sink
	subtask int32
}

// Ready implements connectors.Writer.
func (*writer) Ready() bool { return true }

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	w.sink.written = append(w.sink.written, written{batch: b.Share(), subtask: w.subtask})
	return nil
}

// Prepare implements connectors.Writer.
func (w *writer) Prepare(id types.CheckpointID) error {
	for i := range w.sink.written {
		if b := &w.sink.written[i]; b.subtask == w.subtask && b.epoch == 0 {
			b.epoch = id
		}
	}
	return nil
}

// Prepared implements connectors.Writer.
func (w *writer) Prepared(id types.CheckpointID) (committables [][]byte, done bool, err error) {
	return [][]byte{binary.AppendVarint(binary.AppendVarint(nil, int64(w.subtask)), int64(id))}, true, nil
}

// CheckpointComplete implements connectors.Writer.
func (*writer) CheckpointComplete(types.CheckpointID) {}

// CheckpointAborted implements connectors.Writer.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer.
func (*writer) Close() error { return nil }

var (
	_ connectors.Writer  = (*writer)(nil)
	_ connectors.Reader  = (*reader)(nil)
	_ connectors.Locator = (*reader)(nil)
)
