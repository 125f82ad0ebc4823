package files

import (
	"encoding/binary"
	"math"
	"path"

	"millrace/connectors"
	"millrace/stream"
	"millrace/types"
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

// move is a staged file and the name that it gets.
type move struct{ staged, final string }

// moveOf reads a committable of version 1, which is one file.
func moveOf(p []byte) (move, error) {
	r := connectors.NewStateReader(p, stateVersion)
	m := move{staged: r.Text(), final: r.Text()}
	return m, r.Close("committable")
}

// epochVersion is the version of a committable that is all files of an epoch.
const epochVersion = 2

// epochFiles is the committable of a writer's epoch.
type epochFiles struct {
	// writer is who wrote them: of it job, operator, attempt and subtask are in the names. Its
	// parallelism says how many writers there were.
	writer     connectors.Identity
	checkpoint types.CheckpointID
	// watermark is how far event time was at the barrier, stream.MaxWatermark where the input
	// was at its end.
	watermark stream.Watermark
	files     []epochFile
}

// epochFile is a staged file.
type epochFile struct {
	dir     string // in which it gets its name
	staged  int    // the number in its staged name
	ordinal int    // among the files of the epoch in that directory
}

// encode: what a file is called follows from who wrote it, so that a file takes little more than its
// directory.
func (e *epochFiles) encode() []byte {
	p := appendText([]byte{epochVersion}, string(e.writer.Job))
	p = appendText(p, string(e.writer.Operator))
	for _, n := range []uint64{uint64(e.writer.Attempt), uint64(e.writer.Subtask), uint64(e.writer.Parallelism), uint64(e.checkpoint)} {
		p = binary.AppendUvarint(p, n)
	}
	p = binary.AppendVarint(p, int64(e.watermark))
	p = binary.AppendUvarint(p, uint64(len(e.files)))
	for _, f := range e.files {
		p = appendText(p, f.dir)
		p = binary.AppendUvarint(p, uint64(f.staged))
		p = binary.AppendUvarint(p, uint64(f.ordinal))
	}
	return p
}

func epochFilesOf(p []byte) (epochFiles, error) {
	r := connectors.NewStateReader(p, epochVersion)
	var e epochFiles
	e.writer.Job, e.writer.Operator = types.JobID(r.Text()), types.OperatorUID(r.Text())
	e.writer.Attempt = types.Attempt(r.Uvarint(math.MaxInt64))
	e.writer.Subtask, e.writer.Parallelism = int32(r.Uvarint(math.MaxInt32)), int32(r.Uvarint(math.MaxInt32))
	e.checkpoint = types.CheckpointID(r.Uvarint(math.MaxInt64))
	e.watermark = stream.Watermark(r.Varint())
	for range r.Uvarint(stagedMax) {
		e.files = append(e.files, epochFile{dir: r.Text(), staged: int(r.Uvarint(math.MaxInt32)), ordinal: int(r.Uvarint(math.MaxInt32))})
	}
	return e, r.Close("committable")
}

// moves returns what is to be done with the files.
func (e *epochFiles) moves() []move {
	out := make([]move, len(e.files))
	for i, f := range e.files {
		out[i] = move{staged: stagedName(e.writer, f.staged), final: path.Join(f.dir, finalName(e.writer, e.checkpoint, f.ordinal))}
	}
	return out
}

func appendText(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}
