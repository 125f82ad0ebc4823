package files

import (
	"encoding/binary"
	"math"

	"millrace/connectors"
	"millrace/stream"
)

// stateVersion is the version of all encoded states.
const stateVersion = 1

// file is a split: a file with the part of it that is to be read.
type file struct {
	name string
	next int64 // the position
	end  int64 // the length when it was found
}

func (f file) state() connectors.SplitState {
	p := appendText([]byte{stateVersion}, f.name)
	p = binary.AppendUvarint(p, uint64(f.next))
	p = binary.AppendUvarint(p, uint64(f.end))
	return connectors.SplitState{ID: connectors.SplitID(f.name), State: p, Watermark: stream.NoWatermark}
}

func fileOf(s connectors.SplitState) (file, error) {
	r := connectors.NewStateReader(s.State, stateVersion)
	f := file{name: r.Text(), next: r.Uvarint(math.MaxInt64), end: r.Uvarint(math.MaxInt64)}
	return f, r.Close("split " + string(s.ID))
}

// committable is a staged file and the name that it gets.
type committable struct{ staged, final string }

func (c committable) encode() []byte {
	return appendText(appendText([]byte{stateVersion}, c.staged), c.final)
}

func committableOf(p []byte) (committable, error) {
	r := connectors.NewStateReader(p, stateVersion)
	c := committable{staged: r.Text(), final: r.Text()}
	return c, r.Close("committable")
}

func appendText(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}
