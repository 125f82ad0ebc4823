package jobmanager

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/failure"
	"millrace/internal/crash"
	"millrace/internal/mutant"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// recordFormat is the version of the messages in the coordination store.
const recordFormat = 1

// jobStore is what is durable of one job, written under one term. It is safe
// for concurrent use.
type jobStore struct {
	coord coord.Store
	blob  blobstore.Store
	term  types.Term
	job   types.JobID
	keys  coord.JobKeys
	// unique returns a part of a key that no other key has.
	unique func() string
}

func newJobStore(c coord.Store, b blobstore.Store, term types.Term, job types.JobID) (*jobStore, error) {
	keys, err := coord.ForJob(job)
	if err != nil {
		return nil, failure.User(err)
	}
	return &jobStore{coord: c, blob: b, term: term, job: job, keys: keys, unique: newID}, nil
}

// marshal is deterministic, so that equal records are equal bytes.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// create stores a graph and makes the job exist. It is not repeated under
// another outcome: a job of that id that is there already is ErrConflict. from is
// the checkpoint with which it begins, nil for none.
func (s *jobStore) create(ctx context.Context, name string, graph *jobv1.JobGraph, now time.Time, from *beginning) (*checkpointv1.JobRecord, error) {
	data, err := marshal(graph)
	if err != nil {
		return nil, failure.Internal(fmt.Errorf("encode job graph: %w", err))
	}
	if len(data) > graphBytesMax {
		return nil, failure.Userf("job graph has %d bytes, at most %d are allowed", len(data), graphBytesMax)
	}
	if _, err := s.coord.Get(ctx, s.keys.State()); err == nil {
		return nil, fmt.Errorf("job %s is there already: %w", s.job, coord.ErrConflict)
	}
	// A key a submit: one that is deleted with its job is never written again.
	key, err := blobstore.GraphKey{Job: s.job, Version: 1, Unique: s.unique()}.Path()
	if err != nil {
		return nil, err
	}
	if err := blobstore.CreateOrVerify(ctx, s.blob, key, blobstore.Bytes(data)); err != nil {
		return nil, fmt.Errorf("store job graph: %w", err)
	}
	sum := sha256.Sum256(data)
	rec := &checkpointv1.JobRecord{
		FormatVersion: recordFormat, JobId: string(s.job), Name: name, GraphObject: key, GraphSha256: sum[:],
		Phase: checkpointv1.JobPhase_JOB_PHASE_ACTIVE, SubmittedUnixMillis: now.UnixMilli(),
	}
	var more []coord.Op
	if from != nil {
		rec.RestoredFrom = from.from
		if more, err = from.write(ctx, s); err != nil {
			return nil, err
		}
	}
	value, err := marshal(rec)
	if err != nil {
		return nil, failure.Internal(err)
	}
	return rec, s.write(ctx, []coord.Compare{coord.Absent(s.keys.State())}, s.keys.State(), value, more...)
}

// write puts one key under conditions. When the answer is lost it reads the key
// back: only this term writes it, so the value says what happened.
func (s *jobStore) write(ctx context.Context, when []coord.Compare, key string, value []byte, more ...coord.Op) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := s.coord.Txn(ctx, s.term, when, append([]coord.Op{coord.Put(key, value)}, more...))
	if !errors.Is(err, coord.ErrOutcomeUnknown) {
		return err
	}
	return s.settle(ctx, key, value)
}

// settle finds out what became of a write whose answer was lost.
func (s *jobStore) settle(ctx context.Context, key string, value []byte) error {
	e, err := s.coord.Get(ctx, key)
	switch {
	case err == nil && string(e.Value) == string(value):
		return nil
	case err == nil || errors.Is(err, coord.ErrNotFound):
		return fmt.Errorf("%w: write of %s did not happen", coord.ErrUnavailable, key)
	default:
		return fmt.Errorf("%w: %w", coord.ErrOutcomeUnknown, err)
	}
}

// record reads the job's record.
func (s *jobStore) record(ctx context.Context) (*checkpointv1.JobRecord, coord.Entry, error) {
	e, err := s.coord.Get(ctx, s.keys.State())
	if err != nil {
		return nil, e, err
	}
	rec := &checkpointv1.JobRecord{}
	if err := proto.Unmarshal(e.Value, rec); err != nil {
		return nil, e, failure.Internal(fmt.Errorf("record of job %s: %w", s.job, err))
	}
	return rec, e, nil
}

// phase moves the job to a phase; one that has ended stays as it ended.
func (s *jobStore) phase(ctx context.Context, to checkpointv1.JobPhase, reason string, now time.Time) error {
	rec, e, err := s.record(ctx)
	if err != nil {
		return err
	}
	if rec.Phase == to {
		return nil
	}
	if terminal(rec.Phase) {
		return failure.Internalf("job %s has ended as %s and can't become %s", s.job, rec.Phase, to)
	}
	rec.Phase, rec.Failure = to, reason
	if terminal(to) {
		rec.EndedUnixMillis = now.UnixMilli()
	}
	value, err := marshal(rec)
	if err != nil {
		return failure.Internal(err)
	}
	return s.writeRecord(ctx, e, value)
}

// writeRecord puts the job's record in the place of the one that was read. What is decided is attempted and answered, also
// where the leadership has ended since: the fence is in the transaction.
func (s *jobStore) writeRecord(ctx context.Context, e coord.Entry, value []byte) error {
	crash.In(ctx, crash.BeforeRecord)
	return s.write(context.WithoutCancel(ctx), []coord.Compare{coord.VersionIs(e.Key, e.Version)}, e.Key, value)
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

// graph reads the stored graph and checks that it is the one that was stored.
func (s *jobStore) graph(ctx context.Context, rec *checkpointv1.JobRecord) (*jobv1.JobGraph, error) {
	data, err := s.blob.Read(ctx, rec.GraphObject)
	if err != nil {
		return nil, fmt.Errorf("read job graph: %w", err)
	}
	if sum := sha256.Sum256(data); string(sum[:]) != string(rec.GraphSha256) {
		return nil, failure.External(fmt.Errorf("job graph %s is not what was stored", rec.GraphObject), failure.Never)
	}
	g := &jobv1.JobGraph{}
	if err := proto.Unmarshal(data, g); err != nil {
		return nil, failure.Internal(fmt.Errorf("decode job graph %s: %w", rec.GraphObject, err))
	}
	return g, nil
}

// manifest reads a manifest and checks it against its digest, where that is known.
func (s *jobStore) manifest(ctx context.Context, p checkpoint.Pointer) (*checkpointv1.Manifest, error) {
	data, err := s.blob.Read(ctx, p.ManifestKey)
	if err != nil {
		return nil, fmt.Errorf("manifest of checkpoint %d: %w", p.ID, err)
	}
	var m *checkpointv1.Manifest
	if p.Sum == (checkpoint.Sum{}) {
		m, err = checkpointcodec.Decode(data)
	} else {
		m, err = checkpointcodec.DecodeVerified(data, p.Sum)
	}
	if err != nil {
		return nil, failure.External(fmt.Errorf("manifest of checkpoint %d, %s: %w", p.ID, p.ManifestKey, err), failure.Never)
	}
	return m, nil
}

// allotment is what a deployment of the whole job is given.
type allotment struct {
	attempt types.Attempt // of the first region; each has the next number
	// next is the first of checkpointIDsReserved checkpoint ids.
	next types.CheckpointID
}

// allot gives all regions of a job the next attempts, and checkpoint ids, in one step.
func (s *jobStore) allot(ctx context.Context, regions int) (allotment, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	attempt, aEntry, aErr := s.number(ctx, s.keys.Attempt())
	next, nEntry, nErr := s.number(ctx, s.keys.CheckpointNext())
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
	var numbers []types.Attempt
	for i := range regions {
		numbers = append(numbers, a.attempt+types.Attempt(i))
	}
	err := s.write(ctx, when, s.keys.Attempt(), numberValue(attempt+uint64(regions)),
		coord.Put(s.keys.AttemptFloor(), numberValue(attempt+1)),
		coord.Put(s.keys.AttemptRegions(), numbersValue(numbers)),
		coord.Put(s.keys.CheckpointNext(), numberValue(next+checkpointIDsReserved)))
	if err == nil && mutant.On(mutant.CheckpointIDReused) {
		l, _, _ := s.latest(ctx)
		a.next = types.CheckpointID(l.GetCheckpointId() + 1)
	}
	return a, err
}

// allotRegions gives some regions of a job that runs the next attempts, and returns that of the first.
func (s *jobStore) allotRegions(ctx context.Context, regions []int) (types.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	attempt, e, err := s.number(ctx, s.keys.Attempt())
	if err != nil {
		return 0, err
	}
	numbers, err := s.regionNumbers(ctx)
	if err != nil {
		return 0, err
	}
	var more []coord.Op
	for i, region := range regions {
		if region < len(numbers) {
			numbers[region] = types.Attempt(attempt+1) + types.Attempt(i)
		}
	}
	if numbers != nil {
		more = append(more, coord.Put(s.keys.AttemptRegions(), numbersValue(numbers)))
	}
	err = s.write(ctx, []coord.Compare{coord.Unchanged(s.keys.Attempt(), e, nil)}, s.keys.Attempt(), numberValue(attempt+uint64(len(regions))), more...)
	return types.Attempt(attempt + 1), err
}

// regionNumbers returns the attempt that each region was allotted last; nil where the store does not know.
func (s *jobStore) regionNumbers(ctx context.Context) ([]types.Attempt, error) {
	e, err := s.coord.Get(ctx, s.keys.AttemptRegions())
	if errors.Is(err, coord.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(e.Value)%8 != 0 {
		return nil, failure.Internalf("%s holds %d bytes, not numbers", e.Key, len(e.Value))
	}
	var out []types.Attempt
	for i := 0; i < len(e.Value); i += 8 {
		out = append(out, types.Attempt(binary.BigEndian.Uint64(e.Value[i:])))
	}
	return out, nil
}

func numberValue(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func numbersValue(numbers []types.Attempt) (out []byte) {
	for _, n := range numbers {
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	return out
}

// reserve takes checkpoint ids for an attempt that runs on under this term, larger than all that any leader had.
func (s *jobStore) reserve(ctx context.Context) (first types.CheckpointID, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	next, e, err := s.number(ctx, s.keys.CheckpointNext())
	if err != nil {
		return 0, err
	}
	first = types.CheckpointID(next)
	if mutant.On(mutant.TakeoverIDReused) {
		l, _, _ := s.latest(ctx)
		first = types.CheckpointID(l.GetCheckpointId() + 1)
	}
	return first, s.write(ctx, []coord.Compare{coord.Unchanged(s.keys.CheckpointNext(), e, nil)},
		s.keys.CheckpointNext(), numberValue(next+checkpointIDsReserved))
}

// storePlacement notes on which task managers the job is, one a line.
func (s *jobStore) storePlacement(ctx context.Context, on []types.TaskManagerID) error {
	var lines []string
	for _, id := range on {
		lines = append(lines, string(id))
	}
	return s.write(ctx, nil, s.keys.Placement(), []byte(strings.Join(lines, "\n")))
}

// placement returns on which task managers the job was; nil where nobody knows.
func (s *jobStore) placement(ctx context.Context) ([]types.TaskManagerID, error) {
	e, err := s.coord.Get(ctx, s.keys.Placement())
	if errors.Is(err, coord.ErrNotFound) {
		return nil, nil
	}
	var out []types.TaskManagerID
	for line := range strings.SplitSeq(string(e.Value), "\n") {
		if line != "" {
			out = append(out, types.TaskManagerID(line))
		}
	}
	return out, err
}

// stop makes the wish to stop durable. One that was there before stands.
func (s *jobStore) stop(ctx context.Context, how lifecycle.StopRequested) error {
	rec, e, err := s.record(ctx)
	if err != nil {
		return err
	}
	if how.Savepoint && rec.Stop != checkpointv1.JobStop_JOB_STOP_UNSPECIFIED && !rec.StopSavepoint {
		return failure.Userf("the job is being stopped already, without a savepoint; its last checkpoint can be restored as well: job show names it")
	}
	if terminal(rec.Phase) || rec.Stop != checkpointv1.JobStop_JOB_STOP_UNSPECIFIED {
		return nil
	}
	rec.Stop, rec.StopSavepoint = checkpointv1.JobStop_JOB_STOP_SUSPEND, how.Savepoint
	if how.Drain {
		rec.Stop = checkpointv1.JobStop_JOB_STOP_DRAIN
	}
	value, err := marshal(rec)
	if err != nil {
		return failure.Internal(err)
	}
	return s.writeRecord(ctx, e, value)
}

func (s *jobStore) number(ctx context.Context, key string) (uint64, coord.Entry, error) {
	e, err := s.coord.Get(ctx, key)
	if err != nil {
		return 0, e, err
	}
	if len(e.Value) != 8 {
		return 0, e, failure.Internalf("%s holds %d bytes, not a number", key, len(e.Value))
	}
	return binary.BigEndian.Uint64(e.Value), e, nil
}

// latest reads the pointer to the last complete checkpoint; nil before the first.
func (s *jobStore) latest(ctx context.Context) (*checkpointv1.LatestCheckpoint, coord.Entry, error) {
	e, err := s.coord.Get(ctx, s.keys.CheckpointLatest())
	if errors.Is(err, coord.ErrNotFound) {
		return nil, e, nil
	}
	if err != nil {
		return nil, e, err
	}
	l := &checkpointv1.LatestCheckpoint{}
	if err := proto.Unmarshal(e.Value, l); err != nil {
		return nil, e, failure.Internal(fmt.Errorf("latest checkpoint of job %s: %w", s.job, err))
	}
	return l, e, nil
}

// complete makes a checkpoint the latest: the commit point. previous is the one
// that must be the latest now, 0 for none.
func (s *jobStore) complete(ctx context.Context, previous types.CheckpointID, l *checkpointv1.LatestCheckpoint, drop []checkpoint.Pointer) error {
	read, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now, e, err := s.latest(read)
	if err != nil {
		return err
	}
	if types.CheckpointID(now.GetCheckpointId()) != previous {
		if now.GetCheckpointId() == l.CheckpointId && string(now.GetManifestSha256()) == string(l.ManifestSha256) {
			return nil // an earlier try whose answer was lost
		}
		return failure.Internal(fmt.Errorf("%w: the latest checkpoint is %d, not %d", coord.ErrConflict, now.GetCheckpointId(), previous))
	}
	when := coord.Absent(s.keys.CheckpointLatest())
	if now != nil {
		when = coord.VersionIs(e.Key, e.Version)
	}
	value, err := marshal(l)
	if err != nil {
		return failure.Internal(err)
	}
	var intents []coord.Op
	for _, p := range drop {
		key, err := s.keys.Delete(intentName(p))
		if err != nil {
			return err
		}
		intents = append(intents, coord.Put(key, []byte(p.ManifestKey)))
	}
	crash.In(ctx, crash.BeforeComplete)
	return s.write(ctx, []coord.Compare{when}, s.keys.CheckpointLatest(), value, intents...)
}

// intentName names the intent to delete a checkpoint.
func intentName(p checkpoint.Pointer) string { return fmt.Sprintf("chk-%d", p.ID) }

// intents returns the checkpoints that are to be deleted, without their digests.
func (s *jobStore) intents(ctx context.Context) ([]checkpoint.Pointer, error) {
	entries, err := s.coord.List(ctx, s.keys.DeletePrefix())
	if err != nil {
		return nil, err
	}
	var out []checkpoint.Pointer
	for _, e := range entries {
		var id uint64
		if _, err := fmt.Sscanf(e.Key[len(s.keys.DeletePrefix()):], "chk-%d", &id); err != nil {
			return nil, failure.Internal(fmt.Errorf("intent %s: %w", e.Key, err))
		}
		out = append(out, checkpoint.Pointer{ID: types.CheckpointID(id), ManifestKey: string(e.Value)})
	}
	return out, nil
}

// forgetIntents ends the intents of checkpoints that are deleted.
func (s *jobStore) forgetIntents(ctx context.Context, dropped []checkpoint.Pointer) error {
	var ops []coord.Op
	for _, p := range dropped {
		key, err := s.keys.Delete(intentName(p))
		if err != nil {
			return err
		}
		ops = append(ops, coord.Delete(key))
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.coord.Txn(ctx, s.term, nil, ops)
}

// enumerators reads what every enumerator of the job has found.
func (s *jobStore) enumerators(ctx context.Context) (map[types.VertexID][]byte, error) {
	entries, err := s.coord.List(ctx, s.keys.EnumeratorPrefix())
	if err != nil {
		return nil, err
	}
	out := make(map[types.VertexID][]byte, len(entries))
	for _, e := range entries {
		out[types.VertexID(e.Key[len(s.keys.EnumeratorPrefix()):])] = e.Value
	}
	return out, nil
}

// storeEnumerator makes an enumerator's findings durable.
func (s *jobStore) storeEnumerator(ctx context.Context, v types.VertexID, state []byte) error {
	key, err := s.keys.Enumerator(v)
	if err != nil {
		return err
	}
	return s.write(ctx, nil, key, state)
}
