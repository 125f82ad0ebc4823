package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// watched is what the oracle knows of one job.
type watched struct {
	*job
	o        *oracle
	graph    string // the object
	trigger  map[types.CheckpointID]bool
	latest   *checkpointv1.LatestCheckpoint
	needed   []string  // objects of the retained checkpoints
	position positions // in the last complete checkpoint
	ended    positions // of splits whose source had ended in a complete checkpoint
	end      *checkpointv1.JobRecord
	newest   map[types.RegionID]types.Attempt // that ran

	at         map[types.CheckpointID]positions // in each complete checkpoint
	savepoints []*savepoint
}

// positions are offsets, by vertex and split.
type positions map[string]int64

// begins takes a job in that has just begun to exist.
func (o *oracle) begins(id types.JobID, rec *checkpointv1.JobRecord) *watched {
	j := &watched{
		o: o, graph: rec.GraphObject, trigger: make(map[types.CheckpointID]bool), position: make(positions), ended: make(positions),
		newest: make(map[types.RegionID]types.Attempt), at: make(map[types.CheckpointID]positions),
	}
	j.job = o.w.jobs[len(o.jobs)]
	j.named(id)
	o.jobs = append(o.jobs, j)
	return j
}

// triggered holds: no checkpoint id is used twice.
func (j *watched) triggered(id types.CheckpointID) {
	if j.trigger[id] {
		j.o.violate("checkpoint-id-once", "checkpoint %d is triggered twice", id)
	}
	j.trigger[id] = true
}

// restores holds: a restore that need not fall back begins at the last complete checkpoint.
func (j *watched) restores(from, before types.CheckpointID) {
	if before == 0 && uint64(from) < j.latest.GetCheckpointId() {
		j.o.violate("restore-latest", "restores from %d, and %d is complete", from, j.latest.GetCheckpointId())
	}
}

// notPersisted holds: only a fence, a conflict or the clock keeps a decided checkpoint from being complete.
func (j *watched) notPersisted(id types.CheckpointID, reason string) {
	if strings.Contains(reason, blobstore.ErrExists.Error()) {
		j.o.violate("manifest-own", "the manifest of checkpoint %d is refused for one of its writer's own: %s", id, reason)
	}
}

// completed looks at everything that a complete checkpoint promises.
func (j *watched) completed(l *checkpointv1.LatestCheckpoint) {
	if l.CheckpointId <= j.latest.GetCheckpointId() {
		j.o.violate("checkpoints-advance", "checkpoint %d is complete behind %d", l.CheckpointId, j.latest.GetCheckpointId())
	}
	j.latest, j.needed = l, j.needed[:0]
	for _, r := range l.Retained {
		m := j.manifest(r)
		if m == nil {
			return
		}
		if r.CheckpointId == l.CheckpointId {
			j.latestManifest(m)
		}
	}
}

// manifest reads a retained manifest, as any later restore would.
func (j *watched) manifest(r *checkpointv1.RetainedCheckpoint) *checkpointv1.Manifest {
	m, err := j.o.read(r.ManifestObject, r.ManifestSha256)
	if err != nil {
		j.o.violate("manifest-complete", "checkpoint %d: %v", r.CheckpointId, err)
		return nil
	}
	j.needed = append(j.needed, r.ManifestObject)
	for f := range checkpoint.Objects(m) {
		j.needed = append(j.needed, f.GetObject())
	}
	j.present()
	return m
}

func (o *oracle) read(key string, sum []byte) (*checkpointv1.Manifest, error) {
	data, err := o.w.blob.Read(o.w.ctx, key)
	if err != nil {
		return nil, err
	}
	return checkpointcodec.DecodeVerified(data, checkpoint.Sum(sum))
}

// present holds: every object of every retained checkpoint is there, at any time.
func (j *watched) present() {
	for _, key := range j.needed {
		if _, err := j.o.w.blob.ReadRange(j.o.w.ctx, key, 0, 1); err != nil {
			j.o.violate("manifest-complete", "of the checkpoints up to %d: %v", j.latest.CheckpointId, err)
			return
		}
	}
}

// neededAtEnd adds the objects of the checkpoints that are kept.
func (j *watched) neededAtEnd(out map[string]bool) error {
	for i, r := range j.latest.GetRetained() {
		if j.end.Phase == checkpointv1.JobPhase_JOB_PHASE_STOPPED && i < len(j.latest.Retained)-1 {
			continue
		}
		m, err := j.o.read(r.ManifestObject, r.ManifestSha256)
		if err != nil {
			return err
		}
		out[r.ManifestObject] = true
		for f := range checkpoint.Objects(m) {
			out[f.GetObject()] = true
		}
	}
	return nil
}

// latestManifest holds: the checkpoint is of the newest attempt, every key group has one owner, no position went back or
// is missing.
func (j *watched) latestManifest(m *checkpointv1.Manifest) {
	o := j.o
	if m.Attempt != 0 { // else it is the one with which the job begins
		e, err := o.w.etcd.Open().Get(o.w.ctx, j.keys.AttemptFloor())
		if err == nil && binary.BigEndian.Uint64(e.Value) != m.Attempt {
			o.violate("one-attempt", "checkpoint %d is of attempt %d, and a later one was allotted", m.CheckpointId, m.Attempt)
		}
		j.writers(m)
	}
	now, err := positionsOf(m)
	if err != nil {
		o.violate("positions", "checkpoint %d: %v", m.CheckpointId, err)
		return
	}
	for _, v := range m.Vertices {
		j.groups(m, v)
	}
	for _, split := range slices.Sorted(maps.Keys(j.position)) {
		at, ok := now[split]
		switch was := j.position[split]; {
		case !ok:
			o.violate("positions", "checkpoint %d has no position of %s, which was %d", m.CheckpointId, split, was)
		case at < was:
			o.violate("positions", "checkpoint %d has %s at %d, behind %d", m.CheckpointId, split, at, was)
		}
	}
	j.staysEnded(m, now)
	j.position, j.at[types.CheckpointID(m.CheckpointId)] = now, now
}

// staysEnded holds: where a source has ended, nothing more is read. The input has no end but where a drain makes one, and what was
// read behind it would meet windows that had fired for it.
func (j *watched) staysEnded(m *checkpointv1.Manifest, now positions) {
	for _, split := range slices.Sorted(maps.Keys(j.ended)) {
		if at, was := now[split], j.ended[split]; at != was {
			j.o.violate("positions", "checkpoint %d has %s at %d, and its source had ended at %d", m.CheckpointId, split, at, was)
		}
	}
	if m.Attempt == 0 {
		return // the job begins with what another has ended
	}
	for _, v := range m.Vertices {
		for _, t := range v.Tasks {
			for _, s := range t.Splits {
				if key := v.VertexId + "/" + s.Id; t.Ended {
					j.ended[key] = now[key]
				}
			}
		}
	}
}

func (j *watched) groups(m *checkpointv1.Manifest, v *checkpointv1.VertexState) {
	owned := 0
	for i := range v.Tasks {
		r := types.KeyGroupRangeOf(i, len(v.Tasks), int(v.MaxParallelism))
		owned += int(r.Last) - int(r.First) + 1
	}
	if owned != keyGroups {
		j.o.violate("key-groups-once", "checkpoint %d, vertex %s: tasks own %d key groups of %d", m.CheckpointId, v.VertexId, owned, keyGroups)
	}
}

// writers holds: what a checkpoint has written was written by the attempts that its regions were allotted last.
func (j *watched) writers(m *checkpointv1.Manifest) {
	o := j.o
	e, err := o.w.etcd.Open().Get(o.w.ctx, j.keys.AttemptRegions())
	if err != nil {
		o.violate("one-attempt", "checkpoint %d: %v", m.CheckpointId, err)
		return
	}
	for f := range checkpoint.Objects(m) {
		k, err := blobstore.ParseChunkKey(f.GetObject())
		if err != nil || uint64(k.Checkpoint) != m.CheckpointId {
			continue
		}
		region := slices.IndexFunc(j.regions, func(r []types.VertexID) bool { return slices.Contains(r, k.Task.Vertex) })
		if last := binary.BigEndian.Uint64(e.Value[8*region:]); uint64(k.Attempt) != last {
			o.violate("one-attempt", "checkpoint %d has a file that attempt %d of %s has written, and %d was allotted", m.CheckpointId, k.Attempt, k.Task, last)
			return
		}
	}
}

// positionsOf returns all positions that a manifest has.
func positionsOf(m *checkpointv1.Manifest) (positions, error) {
	out := make(positions)
	for _, v := range m.Vertices {
		splits := slices.Clone(v.Unassigned)
		for _, t := range v.Tasks {
			splits = append(splits, t.Splits...)
		}
		for _, s := range splits {
			var state struct {
				Offset int64 `json:"offset"`
			}
			if err := json.Unmarshal(s.State, &state); err != nil {
				return nil, fmt.Errorf("split %s: %w", s.Id, err)
			}
			out[v.VertexId+"/"+s.Id] = state.Offset
		}
	}
	return out, nil
}
