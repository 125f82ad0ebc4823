package sim

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/internal/failure"
	"millrace/internal/mutant"
	"millrace/jobmanager/coord"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// jobStore is what is durable of the job, written under one term: the keys, values and conditions of jobmanager/store.go.
type jobStore struct {
	etcd etcd
	blob blobs
	term types.Term
	keys coord.JobKeys
}

func jobKeys() coord.JobKeys {
	keys, err := coord.ForJob(jobName)
	if err != nil {
		panic(err)
	}
	return keys
}

// write puts keys under conditions; when the answer is lost it reads the first back.
func (s *jobStore) write(when []coord.Compare, key string, value []byte, more ...coord.Op) error {
	ctx := s.etcd.p.w.ctx
	err := s.etcd.Txn(ctx, s.term, when, append([]coord.Op{coord.Put(key, value)}, more...))
	if !errors.Is(err, coord.ErrOutcomeUnknown) {
		return err
	}
	e, err := s.etcd.Get(ctx, key)
	switch {
	case err == nil && string(e.Value) == string(value):
		return nil
	case err == nil || errors.Is(err, coord.ErrNotFound):
		return fmt.Errorf("%w: write of %s did not happen", coord.ErrUnavailable, key)
	default:
		return fmt.Errorf("%w: %w", coord.ErrOutcomeUnknown, err)
	}
}

func numberValue(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (s *jobStore) number(key string) (uint64, coord.Entry, error) {
	e, err := s.etcd.Get(s.etcd.p.w.ctx, key)
	if err != nil {
		return 0, e, err
	}
	return binary.BigEndian.Uint64(e.Value), e, nil
}

// record reads the job's record, and makes it where there is none: whoever leads first finds the job submitted.
func (s *jobStore) record() (*checkpointv1.JobRecord, error) {
	e, err := s.etcd.Get(s.etcd.p.w.ctx, s.keys.State())
	rec := &checkpointv1.JobRecord{FormatVersion: 1, JobId: string(jobName), Phase: checkpointv1.JobPhase_JOB_PHASE_ACTIVE}
	if errors.Is(err, coord.ErrNotFound) {
		return rec, s.write([]coord.Compare{coord.Absent(s.keys.State())}, s.keys.State(), marshal(rec))
	}
	if err != nil {
		return nil, err
	}
	return rec, proto.Unmarshal(e.Value, rec)
}

func terminal(p checkpointv1.JobPhase) bool {
	switch p {
	case checkpointv1.JobPhase_JOB_PHASE_FINISHED, checkpointv1.JobPhase_JOB_PHASE_CANCELED,
		checkpointv1.JobPhase_JOB_PHASE_FAILED, checkpointv1.JobPhase_JOB_PHASE_STOPPED:
		return true
	default:
		return false
	}
}

// phase moves the job to a phase; one that has ended stays as it ended.
func (s *jobStore) phase(to checkpointv1.JobPhase, reason string) error {
	e, err := s.etcd.Get(s.etcd.p.w.ctx, s.keys.State())
	if err != nil {
		return err
	}
	rec := &checkpointv1.JobRecord{}
	if err := proto.Unmarshal(e.Value, rec); err != nil {
		return err
	}
	if rec.Phase == to {
		return nil
	}
	if terminal(rec.Phase) {
		return failure.Internalf("job has ended as %s and can't become %s", rec.Phase, to)
	}
	rec.Phase, rec.Failure = to, reason
	return s.write([]coord.Compare{coord.VersionIs(e.Key, e.Version)}, e.Key, marshal(rec))
}

// allotment is what a deployment of the whole job is given.
type allotment struct {
	attempt types.Attempt // of the first region; each has the next number
	next    types.CheckpointID
}

func (s *jobStore) allot(regions int) (allotment, error) {
	attempt, aEntry, aErr := s.number(s.keys.Attempt())
	next, nEntry, nErr := s.number(s.keys.CheckpointNext())
	for _, err := range []error{aErr, nErr} {
		if err != nil && !errors.Is(err, coord.ErrNotFound) {
			return allotment{}, err
		}
	}
	next = max(next, 1)
	a := allotment{attempt: types.Attempt(attempt + 1), next: types.CheckpointID(next)}
	when := []coord.Compare{
		coord.Unchanged(s.keys.Attempt(), aEntry, aErr), coord.Unchanged(s.keys.CheckpointNext(), nEntry, nErr),
	}
	err := s.write(when, s.keys.Attempt(), numberValue(attempt+uint64(regions)),
		coord.Put(s.keys.AttemptFloor(), numberValue(attempt+1)), coord.Put(s.keys.CheckpointNext(), numberValue(next+idsReserved)))
	if err == nil && mutant.On(mutant.CheckpointIDReused) {
		l, _, _ := s.latest()
		a.next = types.CheckpointID(l.GetCheckpointId() + 1)
	}
	return a, err
}

func (s *jobStore) allotRegions(regions int) (types.Attempt, error) {
	attempt, e, err := s.number(s.keys.Attempt())
	if err != nil {
		return 0, err
	}
	err = s.write([]coord.Compare{coord.Unchanged(s.keys.Attempt(), e, nil)}, s.keys.Attempt(), numberValue(attempt+uint64(regions)))
	return types.Attempt(attempt + 1), err
}

// latest reads the pointer to the last complete checkpoint; nil before the first.
func (s *jobStore) latest() (*checkpointv1.LatestCheckpoint, coord.Entry, error) {
	e, err := s.etcd.Get(s.etcd.p.w.ctx, s.keys.CheckpointLatest())
	if errors.Is(err, coord.ErrNotFound) {
		return nil, e, nil
	}
	if err != nil {
		return nil, e, err
	}
	l := &checkpointv1.LatestCheckpoint{}
	return l, e, proto.Unmarshal(e.Value, l)
}

func latestOf(fx checkpoint.Persist, p checkpoint.Pointer) *checkpointv1.LatestCheckpoint {
	l := &checkpointv1.LatestCheckpoint{
		FormatVersion: 1, CheckpointId: uint64(p.ID), ManifestObject: p.ManifestKey, ManifestSha256: p.Sum.Bytes(),
	}
	for _, k := range append(append([]checkpoint.Pointer(nil), fx.Retain...), p) {
		l.Retained = append(l.Retained, &checkpointv1.RetainedCheckpoint{
			CheckpointId: uint64(k.ID), ManifestObject: k.ManifestKey, ManifestSha256: k.Sum.Bytes(),
		})
	}
	return l
}

func retainedOf(l *checkpointv1.LatestCheckpoint) (out []checkpoint.Pointer) {
	for _, k := range l.GetRetained() {
		out = append(out, checkpoint.Pointer{
			ID: types.CheckpointID(k.CheckpointId), ManifestKey: k.ManifestObject, Sum: checkpoint.Sum(k.ManifestSha256),
		})
	}
	return out
}

// complete makes a checkpoint the latest, where the one that was read still is.
func (s *jobStore) complete(now *checkpointv1.LatestCheckpoint, e coord.Entry, l *checkpointv1.LatestCheckpoint, drop []checkpoint.Pointer) error {
	when := coord.Absent(s.keys.CheckpointLatest())
	if now != nil {
		when = coord.VersionIs(e.Key, e.Version)
	}
	var intents []coord.Op
	for _, p := range drop {
		key, err := s.keys.Delete(fmt.Sprintf("chk-%d", p.ID))
		if err != nil {
			return err
		}
		intents = append(intents, coord.Put(key, []byte(p.ManifestKey)))
	}
	return s.write([]coord.Compare{when}, s.keys.CheckpointLatest(), marshal(l), intents...)
}

func (s *jobStore) intents() (out []checkpoint.Pointer, err error) {
	entries, err := s.etcd.List(s.etcd.p.w.ctx, s.keys.DeletePrefix())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var id uint64
		if _, err := fmt.Sscanf(e.Key[len(s.keys.DeletePrefix()):], "chk-%d", &id); err != nil {
			return nil, failure.Internal(err)
		}
		out = append(out, checkpoint.Pointer{ID: types.CheckpointID(id), ManifestKey: string(e.Value)})
	}
	return out, nil
}

func (s *jobStore) forgetIntents(dropped []checkpoint.Pointer) error {
	var ops []coord.Op
	for _, p := range dropped {
		key, err := s.keys.Delete(fmt.Sprintf("chk-%d", p.ID))
		if err != nil {
			return err
		}
		ops = append(ops, coord.Delete(key))
	}
	return s.etcd.Txn(s.etcd.p.w.ctx, s.term, nil, ops)
}

func (s *jobStore) enumerators() (map[types.VertexID][]byte, error) {
	entries, err := s.etcd.List(s.etcd.p.w.ctx, s.keys.EnumeratorPrefix())
	if err != nil {
		return nil, err
	}
	out := make(map[types.VertexID][]byte, len(entries))
	for _, e := range entries {
		out[types.VertexID(e.Key[len(s.keys.EnumeratorPrefix()):])] = e.Value
	}
	return out, nil
}

func (s *jobStore) storeEnumerator(v types.VertexID, state []byte) error {
	key, err := s.keys.Enumerator(v)
	if err != nil {
		return err
	}
	return s.write(nil, key, state)
}

// manifest reads a manifest and checks it against its digest, where that is known.
func (s *jobStore) manifest(p checkpoint.Pointer) (*checkpointv1.Manifest, error) {
	data, err := s.blob.Read(s.etcd.p.w.ctx, p.ManifestKey)
	if err != nil {
		return nil, fmt.Errorf("manifest of checkpoint %d: %w", p.ID, err)
	}
	if p.Sum == (checkpoint.Sum{}) {
		return checkpointcodec.Decode(data)
	}
	return checkpointcodec.DecodeVerified(data, p.Sum)
}

func manifestKey(term types.Term, m *checkpointv1.Manifest) (string, error) {
	return blobstore.ManifestKey{
		Job: jobName, Checkpoint: types.CheckpointID(m.CheckpointId), Term: term, Unique: fmt.Sprint(m.Attempt),
	}.Path()
}
