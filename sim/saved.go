package sim

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	"millrace/blobstore"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/types"
)

// savepoint is one that is whole: the job's list has it.
type savepoint struct {
	id       types.CheckpointID
	folder   string
	manifest string
	drained  bool
	objects  []string // the manifest, and what it names
	// open are transactions that were not committed, and have output of it.
	open []*transaction
}

// saved takes in what is new in a job's list of savepoints.
func (j *watched) saved(list *checkpointv1.JobSavepoints) {
	for _, r := range list.Savepoints {
		if !slices.ContainsFunc(j.savepoints, func(s *savepoint) bool { return s.manifest == r.ManifestObject }) {
			j.whole(r)
		}
	}
}

// whole holds, of a savepoint that has just become whole: it is a copy of a complete checkpoint in a folder of its own.
func (j *watched) whole(r *checkpointv1.SavepointRecord) {
	s := &savepoint{
		id: types.CheckpointID(r.SavepointId), manifest: r.ManifestObject, objects: []string{r.ManifestObject},
		drained: r.Kind == checkpointv1.CheckpointKind_CHECKPOINT_KIND_FINAL,
	}
	j.savepoints = append(j.savepoints, s)
	key, err := blobstore.ParseSavepointManifest(r.ManifestObject)
	if err == nil {
		s.folder, err = key.Folder()
	}
	if err != nil || key.Job != j.id || key.Savepoint != r.SavepointId {
		j.o.violate("savepoint", "savepoint %d of %s is at %s: %v", s.id, j.id, r.ManifestObject, err)
		return
	}
	m, err := j.o.read(r.ManifestObject, r.ManifestSha256)
	if err != nil {
		j.o.violate("savepoint", "savepoint %d: %v", s.id, err)
		return
	}
	now, err := positionsOf(m)
	if at, ok := j.at[s.id]; err != nil || !ok || !maps.Equal(at, now) {
		j.o.violate("savepoint", "savepoint %d is at %v, its checkpoint at %v, complete: %t, %v", s.id, now, at, ok, err)
	}
	for _, v := range m.Vertices {
		j.groups(m, v)
		for _, t := range v.Tasks {
			j.standsAlone(s, v, t)
		}
	}
	s.open = j.o.w.kafka.openUntil(j.id, s.id)
}

// standsAlone holds: a task's state is in the savepoint whole, once, and names nothing of a checkpoint.
func (j *watched) standsAlone(s *savepoint, v *checkpointv1.VertexState, t *checkpointv1.TaskState) {
	if len(t.Committables) > 0 || t.InFlight != nil {
		j.o.violate("savepoint", "savepoint %d has %d committables of %s, and rows in flight: %t", s.id, len(t.Committables), v.VertexId, t.InFlight != nil)
	}
	if len(t.Files) > 1 {
		j.o.violate("savepoint", "savepoint %d has a chain of %d files of %s", s.id, len(t.Files), v.VertexId)
	}
	for _, f := range t.Files {
		if f.Kind != uint32(statebackend.Base) {
			j.o.violate("savepoint", "savepoint %d has a file of %s that does not stand alone", s.id, v.VertexId)
		}
		key := f.GetObject()
		if key == "" {
			continue // it is in the manifest
		}
		if !strings.HasPrefix(key, s.folder) {
			j.o.violate("savepoint", "savepoint %d names %s, which is not its own", s.id, key)
			continue
		}
		data, err := j.o.w.blob.Read(j.o.w.ctx, key)
		if sum := sha256.Sum256(data); err != nil || string(sum[:]) != string(f.Sha256) {
			j.o.violate("savepoint", "savepoint %d: %s is not what was written: %v", s.id, key, err)
		}
		s.objects = append(s.objects, key)
	}
}

// savepointsPresent holds: nothing but its user takes a savepoint away.
func (j *watched) savepointsPresent() {
	for _, s := range j.savepoints {
		for _, key := range s.objects {
			if _, err := j.o.w.blob.ReadRange(j.o.w.ctx, key, 0, 1); err != nil {
				j.o.violate("savepoint", "savepoint %d of %s: %v", s.id, j.id, err)
				return
			}
		}
	}
}

// committedBehind holds at the end: what had output of a savepoint was committed before that was whole, or never.
func (j *watched) committedBehind() {
	for _, s := range j.savepoints {
		for _, t := range s.open {
			if t.state == committed {
				j.o.violate("savepoint", "%s was committed with checkpoint %d behind savepoint %d of it", t.id, t.marker.Offset, s.id)
			}
		}
	}
}

// savepointAt returns the savepoint whose folder a location names; nil where there is none.
func (o *oracle) savepointAt(location string) (*watched, *savepoint) {
	_, key, err := blobstore.SplitLocation(location)
	for _, j := range o.jobs {
		for _, s := range j.savepoints {
			if err == nil && s.manifest == key {
				return j, s
			}
		}
	}
	return nil, nil
}

// answered holds: a client is told of a savepoint that is whole.
func (o *oracle) answered(location string) {
	if _, s := o.savepointAt(location); s == nil {
		o.violate("savepoint", "the user is told of %q, and no such savepoint is whole", location)
	}
}
