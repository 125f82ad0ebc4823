package sim

import (
	"bytes"
	"slices"

	"millrace/blobstore"
	"millrace/exchange"
	"millrace/internal/mutant"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// uploads implements task.Uploads as taskmanager/upload does, without its goroutines: one snapshot after the other is
// written, at the speed of a disk that is slow at times, and chains are merged.
type uploads struct {
	t     *runningTask
	queue []snapshot
	busy  bool
	chain []*checkpointv1.StateFile
	count int
}

// snapshot is one, or what was in flight.
type snapshot struct {
	id       types.CheckpointID
	snapshot statebackend.Snapshot
	inFlight *exchange.InFlight
}

// Submit implements task.Uploads.
func (u *uploads) Submit(id types.CheckpointID, s statebackend.Snapshot) {
	u.queue = append(u.queue, snapshot{id: id, snapshot: s})
	u.next()
}

// SubmitInFlight implements task.InFlights.
func (u *uploads) SubmitInFlight(id types.CheckpointID, f *exchange.InFlight) {
	u.queue = append(u.queue, snapshot{id: id, inFlight: f})
	u.next()
}

func (u *uploads) next() {
	if u.busy || len(u.queue) == 0 {
		return
	}
	u.busy = true
	s := u.queue[0]
	u.queue = u.queue[1:]
	w := u.t.tm.w
	millis := w.between(0, 30)
	if w.chance(w.faults.slow) || u.t.tm.slowDisk > w.now {
		millis = w.between(500, 6_000)
	}
	if w.stalled > w.now {
		millis += w.stalled - w.now
	}
	u.t.after(millis, func() { u.write(s) })
}

func (u *uploads) write(s snapshot) {
	if s.inFlight != nil {
		u.writeInFlight(s)
		return
	}
	if s.snapshot.Empty() && len(u.chain) > 0 {
		u.done(s, nil)
		return
	}
	var data bytes.Buffer
	info, err := s.snapshot.Write(&data)
	if err != nil {
		u.t.post(task.Uploaded{ID: s.id, Err: err})
		return
	}
	f := fileOf(info)
	if data.Len() <= inlineMax {
		f.At = &checkpointv1.StateFile_Inline{Inline: data.Bytes()}
		u.done(s, f)
		return
	}
	u.create(s.id, f, data.Bytes(), func() { u.done(s, f) })
}

func (u *uploads) writeInFlight(s snapshot) {
	var data bytes.Buffer
	info, err := upload.WriteInFlight(&data, s.inFlight, u.t.tm.pool)
	s.inFlight.Release()
	if err != nil {
		u.t.post(task.Stored{ID: s.id, Err: err})
		return
	}
	f := fileOf(info)
	u.create(s.id, f, data.Bytes(), func() {
		u.t.post(task.Stored{ID: s.id, File: f})
		u.busy = false
		u.next()
	})
}

func fileOf(info statebackend.FileInfo) *checkpointv1.StateFile {
	return &checkpointv1.StateFile{
		Sha256: info.Sum[:], Bytes: info.Bytes, Rows: info.Rows, Kind: uint32(info.Kind),
		FirstKeyGroup: uint32(info.Groups.First), LastKeyGroup: uint32(info.Groups.Last),
	}
}

// create puts a file under a key of its own, a key a try.
func (u *uploads) create(id types.CheckpointID, f *checkpointv1.StateFile, data []byte, then func()) {
	tm := u.t.tm
	u.count++
	key, err := blobstore.ChunkKey{
		Job: u.t.a.region.Job, Attempt: u.t.a.number, Checkpoint: id, Task: u.t.id, Unique: tm.unique(u.count),
	}.Path()
	if err != nil {
		panic(err)
	}
	f.At = &checkpointv1.StateFile_Object{Object: key}
	if mutant.On(mutant.AckBeforeUpload) {
		u.t.after(tm.w.between(20, 400), func() { _ = tm.blob.Create(tm.w.ctx, key, blobstore.Bytes(data)) })
		then()
		return
	}
	if err := tm.blob.Create(tm.w.ctx, key, blobstore.Bytes(data)); err != nil {
		u.t.after(retryMin, func() { u.create(id, f, data, then) })
		return
	}
	then()
}

func (u *uploads) done(s snapshot, f *checkpointv1.StateFile) {
	s.snapshot.Release()
	var written int64
	if f != nil {
		if f.Kind == uint32(statebackend.Base) {
			u.chain = nil
		}
		u.chain = append(slices.Clip(u.chain), f)
		written = f.Bytes
	}
	u.t.post(task.Uploaded{ID: s.id, Files: u.chain, Bytes: written})
	if len(u.chain) >= chainMax {
		u.merge()
		return
	}
	u.busy = false
	u.next()
}

// merge folds the chain into one base.
func (u *uploads) merge() {
	tm := u.t.tm
	var data bytes.Buffer
	info, err := tm.backend.Merge(tm.w.ctx, upload.Files(tm.blob, nil, u.chain), u.t.groups, &data)
	if err != nil { // a file can't be read just now: the chain stays as it is
		u.busy = false
		u.next()
		return
	}
	f := fileOf(info)
	u.create(0, f, data.Bytes(), func() {
		u.chain = []*checkpointv1.StateFile{f}
		u.busy = false
		u.next()
	})
}
