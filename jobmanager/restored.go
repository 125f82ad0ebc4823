package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobmanager/coord"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// beginning is the checkpoint with which a job begins that is started from a
// savepoint: a manifest of its own, with what its graph has a place for.
type beginning struct {
	manifest *checkpointv1.Manifest
	// from is the location of the savepoint, job the one that took it.
	from  string
	job   string
	fates []checkpoint.StateFate
}

// begin reads a savepoint, or the manifest of a checkpoint, and lays it out for
// a job. What does not fit is the user's; nothing is written yet.
func (l *leadership) begin(ctx context.Context, id types.JobID, g *jobgraph.Graph, r *apiv1.SubmitJobRequest) (*beginning, error) {
	m, err := l.jm.readLocation(ctx, r.FromSavepoint)
	if err != nil {
		return nil, err
	}
	spec := checkpoint.AdaptSpec{
		Job: id, Term: l.term, MaxParallelism: g.KeyGroups(),
		Vertices: make(map[types.VertexID]checkpoint.AdaptVertex), Tables: make(map[types.VertexID][]checkpoint.TableFate),
	}
	for i := range g.Vertices {
		v := &g.Vertices[i]
		spec.Vertices[v.ID] = checkpoint.AdaptVertex{Source: v.Source != nil, Committer: hasCommitter(v)}
	}
	if spec.Tables, err = l.jm.tables(ctx, g, m); err != nil {
		return nil, err
	}
	b := &beginning{from: r.FromSavepoint, job: m.JobId}
	if b.manifest, b.fates, err = checkpoint.Adapt(m, spec); err != nil {
		return nil, err
	}
	if !r.AllowNonRestoredState {
		if err := checkpoint.CheckDropped(b.fates); err != nil {
			return b, err
		}
	}
	return b, missingFiles(verify(ctx, l.jm.Store, b.manifest, l.reads))
}

// missingFiles gives an error about files of a savepoint the class of the user,
// who has the folder.
func missingFiles(err error) error {
	if err == nil || worthWaiting(err) {
		return err
	}
	return failure.User(fmt.Errorf("the savepoint can't be restored: %w", err))
}

// readLocation reads the manifest that a location names in this cluster's store.
func (j *JobManager) readLocation(ctx context.Context, location string) (*checkpointv1.Manifest, error) {
	place, key, err := blobstore.SplitLocation(location)
	if err != nil {
		return nil, failure.User(fmt.Errorf("savepoint: %w", err))
	}
	if place != "" && clean(place) != clean(j.Place) {
		return nil, failure.User(failure.Message{
			Primary: fmt.Sprintf("savepoint %s is in %s, this cluster keeps its checkpoints in %s", location, place, j.Place),
			Hint:    fmt.Sprintf("copy its folder to %s, and name it there", blobstore.Location(j.Place, strings.TrimSuffix(key, "/manifest"))),
		})
	}
	data, err := j.Store.Read(ctx, key)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, failure.Userf("there is no savepoint or checkpoint at %s: no object %s in %s", location, key, j.Place)
	}
	if err != nil {
		return nil, fmt.Errorf("read savepoint %s: %w", location, err)
	}
	m, err := checkpointcodec.Decode(data)
	if err != nil {
		return nil, failure.User(fmt.Errorf("savepoint %s: %w", location, err))
	}
	return m, nil
}

// clean is a place without what may stand before or behind a folder's name.
func clean(place string) string {
	path, query, _ := strings.Cut(place, "?")
	path = strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(path, "file:"), "//"), "/")
	return path + "?" + query
}

// tables finds out what becomes of the tables of every vertex that the graph or
// the manifest has. The files of one task say what all of its vertex have.
func (j *JobManager) tables(ctx context.Context, g *jobgraph.Graph, m *checkpointv1.Manifest) (map[types.VertexID][]checkpoint.TableFate, error) {
	files := make(map[types.VertexID][]*checkpointv1.StateFile)
	for i := range g.Vertices {
		files[g.Vertices[i].ID] = nil
	}
	for _, v := range m.Vertices {
		files[types.VertexID(v.VertexId)] = v.Tasks[0].Files
	}
	out := make(map[types.VertexID][]checkpoint.TableFate)
	if j.Tables == nil {
		return out, nil
	}
	var problems failure.Problems
	for _, id := range slices.Sorted(maps.Keys(files)) {
		fates, err := j.Tables(ctx, g, id, files[id])
		switch {
		case err == nil:
			out[id] = fates
		case failure.ClassOf(err).Domain == failure.DomainUser:
			var of failure.Problems
			of.AddError(err)
			of.Within(string(id))
			problems.AddError(of.Err())
		case worthWaiting(err):
			return nil, err
		default:
			return nil, missingFiles(fmt.Errorf("vertex %s: %w", id, err))
		}
	}
	return out, problems.Err()
}

// write stores the manifest of a beginning and returns what makes it the latest
// checkpoint of the job, in the transaction that makes the job exist.
func (b *beginning) write(ctx context.Context, s *jobStore) ([]coord.Op, error) {
	data, sum, err := checkpointcodec.Encode(b.manifest)
	if err != nil {
		return nil, err
	}
	id := types.CheckpointID(b.manifest.CheckpointId)
	// No attempt has written it: it is older than all of them.
	key, err := blobstore.ManifestKey{Job: s.job, Checkpoint: id, Term: s.term, Unique: "0"}.Path()
	if err != nil {
		return nil, err
	}
	if err := blobstore.CreateOrVerify(ctx, s.blob, key, blobstore.Bytes(data)); err != nil {
		return nil, fmt.Errorf("store the manifest of the job's beginning: %w", err)
	}
	latest, err := marshal(latestOf(checkpoint.Persist{}, checkpoint.Pointer{ID: id, ManifestKey: key, Sum: sum}))
	if err != nil {
		return nil, failure.Internal(err)
	}
	return []coord.Op{
		coord.Put(s.keys.CheckpointLatest(), latest), coord.Put(s.keys.CheckpointNext(), numberValue(uint64(id)+1)),
	}, nil
}

// describe tells the client what becomes of the state.
func (b *beginning) describe(resp *apiv1.SubmitJobResponse) {
	resp.RestoredCheckpointId, resp.RestoredJobId = b.manifest.GetCheckpointId(), b.job
	for _, f := range b.fates {
		resp.State = append(resp.State, &apiv1.StateFate{
			VertexId: string(f.Vertex), OperatorUid: string(f.Operator), Table: f.Table, What: f.What, Fate: apiv1.Fate(f.Fate), Detail: f.Detail,
		})
	}
}

// owned tells whether an object is a chunk that the job wrote itself: what its
// beginning named of another's is not the job's to delete.
func (s *jobStore) owned(key string) bool {
	k, err := blobstore.ParseChunkKey(key)
	return err == nil && k.Job == s.job
}
