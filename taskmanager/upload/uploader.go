package upload

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"millrace/blobstore"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/cache"
	"millrace/taskmanager/task"
	"millrace/types"
)

// Options say for whom an Uploader works.
type Options struct {
	Job       types.JobID
	Attempt   types.Attempt
	Task      types.TaskID
	KeyGroups types.KeyGroupRange
	Store     blobstore.Store
	Backend   statebackend.Backend
	Clock     clock.Clock
	// Savepoint, if it is not zero, is where files go in place of the attempt's own keys.
	Savepoint blobstore.SavepointKey
	// Pool is for frames of what was in flight.
	Pool *stream.Pool
	// Dir is where large files are spooled.
	Dir string
	// Cache keeps a copy of what goes to the store; nil keeps none.
	Cache *cache.Cache
	// Chain is what the task was restored from, where that is this task's own.
	Chain []*checkpointv1.StateFile
	// Post tells the task of an Uploaded or a Stored. It does not block.
	Post func(task.Command)
}

// Uploader implements task.Uploads and task.InFlights.
type Uploader struct {
	Options
	queue  chan job
	merged chan merge
	cancel context.CancelFunc
	wait   sync.WaitGroup

	chain   []*checkpointv1.StateFile // owned by the uploading goroutine
	merging bool
	spool   spool
	trouble atomic.Pointer[string]
}

// job is a snapshot, or what was in flight.
type job struct {
	id       types.CheckpointID
	snapshot statebackend.Snapshot
	inFlight *exchange.InFlight
}

func (j job) release() {
	j.inFlight.Release()
	if j.snapshot != nil {
		j.snapshot.Release()
	}
}

// merge is the outcome of folding the first files of the chain into one.
type merge struct {
	files []*checkpointv1.StateFile
	base  *checkpointv1.StateFile
	err   error
}

// New starts an uploader.
func New(o Options) *Uploader {
	ctx, cancel := context.WithCancel(context.Background())
	u := &Uploader{
		Options: o, queue: make(chan job, queueMax), merged: make(chan merge, 1), cancel: cancel,
		chain: o.Chain, spool: spool{dir: o.Dir},
	}
	u.wait.Go(func() { u.run(ctx) })
	return u
}

// Submit takes a snapshot over. The task never has more than queueMax under way.
func (u *Uploader) Submit(id types.CheckpointID, s statebackend.Snapshot) {
	u.queue <- job{id: id, snapshot: s}
}

// SubmitInFlight takes over what was in flight. It is written behind the snapshots before it.
func (u *Uploader) SubmitInFlight(id types.CheckpointID, f *exchange.InFlight) {
	u.queue <- job{id: id, inFlight: f}
}

// Trouble says what the blob store refuses at the moment, "" when all is well.
func (u *Uploader) Trouble() string {
	if s := u.trouble.Load(); s != nil {
		return *s
	}
	return ""
}

// Close gives up what is under way and waits.
func (u *Uploader) Close() {
	u.cancel()
	u.wait.Wait()
	u.spool.reset()
	for {
		select {
		case j := <-u.queue:
			j.release()
		default:
			return
		}
	}
}

func (u *Uploader) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-u.merged:
			u.adopt(m)
		case j := <-u.queue:
			if j.inFlight != nil {
				u.storeInFlight(ctx, j)
				continue
			}
			u.upload(ctx, j)
			u.maybeMerge(ctx)
		}
	}
}

// upload writes one snapshot and tells the task.
func (u *Uploader) upload(ctx context.Context, j job) {
	defer j.release()
	start := u.Clock.Now()
	var written int64
	if !j.snapshot.Empty() || len(u.chain) == 0 {
		file, err := u.store(ctx, j.id, j.snapshot.Write)
		if err != nil {
			u.Post(task.Uploaded{ID: j.id, Err: err})
			return
		}
		if file.Kind == uint32(statebackend.Base) {
			u.replaced(u.chain)
			u.chain = nil
		}
		u.chain = append(slices.Clip(u.chain), file)
		written = file.Bytes
	}
	u.Post(task.Uploaded{ID: j.id, Files: u.chain, Bytes: written, Micros: u.Clock.Now().Sub(start).Microseconds()})
}

// store writes a file to the manifest or the blob store, trying again while the
// store is away; it ends with the context, or with an error that waiting does not help.
func (u *Uploader) store(ctx context.Context, id types.CheckpointID, write func(io.Writer) (statebackend.FileInfo, error)) (*checkpointv1.StateFile, error) {
	u.spool.reset()
	info, err := write(&u.spool)
	if err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	f := &checkpointv1.StateFile{
		Sha256: info.Sum[:], Bytes: info.Bytes, Rows: info.Rows, Kind: uint32(info.Kind),
		FirstKeyGroup: uint32(info.Groups.First), LastKeyGroup: uint32(info.Groups.Last),
	}
	if u.spool.file == nil && u.spool.size <= InlineBytesMax {
		f.At = &checkpointv1.StateFile_Inline{Inline: append([]byte(nil), u.spool.mem...)}
		return f, nil
	}
	key, err := u.create(ctx, id)
	f.At = &checkpointv1.StateFile_Object{Object: key}
	if err == nil {
		u.keep(f)
	}
	return f, err
}

// keep puts the spooled file on local disk too, in one go.
func (u *Uploader) keep(f *checkpointv1.StateFile) {
	sum, ok := sumOf(f)
	if u.Cache == nil || !ok {
		return
	}
	w := u.Cache.Begin(u.spool.size)
	defer w.Drop()
	if _, err := io.Copy(w, io.NewSectionReader(&u.spool, 0, u.spool.size)); err == nil {
		w.Keep(sum)
	}
}

// replaced tells the cache which files a base has made superfluous, as far as this
// task goes on.
func (u *Uploader) replaced(files []*checkpointv1.StateFile) {
	for _, f := range files {
		if sum, ok := sumOf(f); ok {
			u.Cache.Demote(sum)
		}
	}
}

// create puts the spooled file under a key of its own.
func (u *Uploader) create(ctx context.Context, id types.CheckpointID) (string, error) {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		// A key a try: the outcome of a failed one may be open, and two objects
		// of which one is never referenced are harmless.
		key, err := u.key(id)
		if err == nil {
			err = u.Store.Create(ctx, key, &u.spool)
		}
		if err == nil {
			u.trouble.Store(nil)
			return key, nil
		}
		if failure.ClassOf(err).Retry != failure.Backoff {
			return "", err
		}
		text := "checkpoint upload: " + err.Error()
		u.trouble.Store(&text)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-u.Clock.After(wait):
		}
	}
}

// key returns a key that was never used.
func (u *Uploader) key(id types.CheckpointID) (string, error) {
	if u.Savepoint != (blobstore.SavepointKey{}) {
		return u.Savepoint.Chunk(u.Task, unique())
	}
	return blobstore.ChunkKey{Job: u.Job, Attempt: u.Attempt, Checkpoint: id, Task: u.Task, Unique: unique()}.Path()
}

func unique() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// maybeMerge starts folding the chain when it is long, or when its deltas
// outweigh its base.
func (u *Uploader) maybeMerge(ctx context.Context) {
	if u.merging || !u.worthMerging() {
		return
	}
	u.merging = true
	chain := u.chain
	u.wait.Go(func() {
		base, err := u.merge(ctx, chain)
		u.merged <- merge{files: chain, base: base, err: err}
	})
}

func (u *Uploader) worthMerging() bool {
	if len(u.chain) < 3 {
		return false
	}
	if len(u.chain) >= chainFilesMax {
		return true
	}
	var deltas int64
	for _, f := range u.chain[1:] {
		deltas += f.Bytes
	}
	return deltas > 2*u.chain[0].Bytes && deltas > spoolBytesMax
}

func (u *Uploader) merge(ctx context.Context, chain []*checkpointv1.StateFile) (*checkpointv1.StateFile, error) {
	m := &Uploader{Options: u.Options, spool: spool{dir: u.Dir}}
	defer m.spool.reset()
	return m.store(ctx, 0, func(w io.Writer) (statebackend.FileInfo, error) {
		return u.Backend.Merge(ctx, Files(u.Store, u.Cache, chain), u.KeyGroups, w)
	})
}

// adopt puts a merged base in the place of what it holds. A merge that failed
// leaves the chain as it is; the next upload tries again. Where another base came
// meanwhile, nobody needs this one.
func (u *Uploader) adopt(m merge) {
	u.merging = false
	if u.chain[0] != m.files[0] {
		return
	}
	if m.err != nil {
		text := "merge of checkpoint files: " + m.err.Error()
		u.trouble.Store(&text)
		return
	}
	u.replaced(m.files)
	u.chain = append([]*checkpointv1.StateFile{m.base}, u.chain[len(m.files):]...)
}

var _ task.Uploads = (*Uploader)(nil)
