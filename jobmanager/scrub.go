package jobmanager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"millrace/blobstore"
	"millrace/checkpoint"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// Scrub says how often the files of retained checkpoints are read only to find out whether they are whole, so that damage is
// known, and mended, before a restore needs them. Zero fields have defaults.
type Scrub struct {
	// Interval is the pause between two rounds over all jobs; an hour by default, never if it is negative.
	Interval time.Duration
	// BytesPerSecond bounds how fast a round reads; 16 MiB by default.
	BytesPerSecond int64
}

func (s *Scrub) ensureDefaults() {
	if s.Interval == 0 {
		s.Interval = scrubIntervalDefault
	}
	if s.BytesPerSecond == 0 {
		s.BytesPerSecond = scrubBytesPerSecondDefault
	}
}

// scrubber reads the files of retained checkpoints. It has one goroutine a term and changes nothing: what it finds it tells
// the job's driver.
type scrubber struct {
	Scrub
	l *leadership
}

func newScrubber(l *leadership) *scrubber {
	s := &scrubber{Scrub: l.jm.Scrub, l: l}
	s.ensureDefaults()
	return s
}

// run is the scrubber's goroutine.
func (s *scrubber) run(ctx context.Context) {
	if s.Interval < 0 {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.l.jm.Clock.After(s.Interval):
		}
		for _, d := range s.l.drivers() {
			found, err := s.scrub(ctx, d.store)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				s.l.jm.Log.Warn("checkpoints are not examined", "job", d.store.job, "cause", err)
			default:
				d.post(found)
			}
		}
	}
}

// scrubbed is what a round has found of a job.
type scrubbed struct {
	files, bytes int64
	damaged      []damagedFile // by object
}

// damagedFile is an object that is not what was written.
type damagedFile struct {
	object      string
	why         error
	checkpoints []types.CheckpointID // the retained ones that need it
	last        bool                 // the newest is one of them
}

// String says it to people.
func (f damagedFile) String() string {
	return fmt.Sprintf("%v; needed by checkpoints %v", f.why, f.checkpoints)
}

// scrub examines every file that a retained checkpoint of the job needs. What is not readable now is left for the next round.
func (s *scrubber) scrub(ctx context.Context, store *jobStore) (scrubbed, error) {
	var out scrubbed
	need, err := store.needed(ctx)
	if err != nil {
		return out, err
	}
	bad := make(map[string]error)
	for _, object := range slices.Sorted(maps.Keys(need)) {
		f, err := need[object].file, need[object].unreadable
		if err == nil {
			err = checkDigest(ctx, paced{store.blob, s}, f)
		}
		switch {
		case ctx.Err() != nil:
			return out, ctx.Err()
		case err != nil && worthWaiting(err):
			continue
		case err != nil:
			bad[object] = err
		}
		out.files++
		out.bytes += f.Bytes
	}
	if len(bad) == 0 {
		return out, nil
	}
	// Checkpoints come and go meanwhile: a file that none needs any more may be gone by right.
	if need, err = store.needed(ctx); err != nil {
		return out, err
	}
	for _, object := range slices.Sorted(maps.Keys(bad)) {
		if n, ok := need[object]; ok {
			out.damaged = append(out.damaged, damagedFile{object, bad[object], n.by, n.last})
		}
	}
	return out, nil
}

// paced is a store that is read at the scrubber's speed.
type paced struct {
	blobstore.Store
	scrubber *scrubber
}

func (p paced) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	data, err := p.Store.ReadRange(ctx, key, off, n)
	select {
	case <-ctx.Done():
	case <-p.scrubber.l.jm.Clock.After(time.Duration(float64(len(data)) / float64(p.scrubber.BytesPerSecond) * float64(time.Second))):
	}
	return data, err
}

// need is a file and who needs it.
type need struct {
	file       *checkpointv1.StateFile
	unreadable error // of a manifest that is damaged itself
	by         []types.CheckpointID
	last       bool // the newest checkpoint needs it
}

// needed returns the files of the retained checkpoints by object, and their manifests where they are damaged.
func (s *jobStore) needed(ctx context.Context) (map[string]need, error) {
	l, _, err := s.latest(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]need)
	for _, p := range retainedOf(l) {
		last := uint64(p.ID) == l.GetCheckpointId()
		m, err := s.manifest(ctx, p)
		switch {
		case err == nil:
			for f := range checkpoint.Objects(m) {
				object := f.GetObject()
				out[object] = need{file: f, by: append(out[object].by, p.ID), last: last}
			}
		case isDamaged(err):
			out[p.ManifestKey] = need{file: &checkpointv1.StateFile{}, unreadable: err, by: []types.CheckpointID{p.ID}, last: last}
		default:
			return nil, err
		}
	}
	return out, nil
}

// scrubbed takes the findings in: they are shown until a round finds otherwise. What the newest checkpoint needs, its task
// writes anew at once.
func (d *driver) scrubbed(e scrubbed) {
	d.metrics.ScrubbedBytes.Add(e.bytes)
	d.metrics.DamagedFiles.Set(int64(len(e.damaged)))
	texts := make([]string, len(e.damaged))
	for i, f := range e.damaged {
		texts[i] = f.String()
		d.l.jm.Log.Error("checkpoint file is damaged", "job", d.store.job, "object", f.object, "checkpoints", f.checkpoints, "cause", f.why)
		if f.last {
			d.rewrite(f.object)
		}
	}
	d.view.update(func(j *apiv1.DescribeJobResponse) { j.DamagedFiles = texts })
}

// rewrite asks the task that wrote a file for all of its state, in a checkpoint of its own. Should it miss that one, because it is
// just being deployed, the next round asks again.
func (d *driver) rewrite(object string) {
	k, err := blobstore.ParseChunkKey(object)
	if err != nil || d.at == nil {
		return
	}
	number, slot := d.at.numberOf(k.Task.Vertex), d.at.slots[k.Task]
	if number == 0 || slot.TaskManager == "" {
		return
	}
	d.l.registry.send(slot.TaskManager, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_RewriteState{
		RewriteState: &controlv1.RewriteState{
			JobId: string(d.store.job), Attempt: uint64(number), VertexId: string(k.Task.Vertex), Subtask: k.Task.Subtask,
		},
	}})
	d.coordinate(checkpoint.TriggerRequested{Kind: checkpoint.Periodic})
}
