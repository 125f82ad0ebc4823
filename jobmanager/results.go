package jobmanager

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/blobstore"
	"millrace/blobstore/results"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// FetchResults implements apiv1.JobServiceServer. All that it knows of results is in the
// blob store, so that any leader gives the same answer, and gives it again where one was
// lost.
func (j *JobManager) FetchResults(ctx context.Context, r *apiv1.FetchResultsRequest) (*apiv1.FetchResultsResponse, error) {
	l, err := j.leader()
	if err != nil {
		return nil, err
	}
	v := l.view(types.JobID(r.JobId))
	if v == nil {
		return nil, errUnknownJob(r.JobId)
	}
	f := &fetch{log: results.Log{Store: j.Store, Job: types.JobID(r.JobId)}, request: r}
	if err := f.acknowledge(ctx, j); err != nil {
		return nil, err
	}
	for range resultPolls {
		now := v.summary() // before the store is looked at: a job ends after its last commit
		resp := &apiv1.FetchResultsResponse{State: now.State, Failure: now.Failure}
		if resp.Parts, err = f.parts(ctx, j.fetching); err != nil {
			return nil, err
		}
		resp.Ended = len(resp.Parts) == 0 && ended(now.State)
		if resp.Ended || len(resp.Parts) > 0 {
			return resp, nil
		}
		select {
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-l.ctx.Done():
			return nil, errLeadershipEnded
		case <-j.Clock.After(resultPollInterval):
		}
	}
	s := v.summary()
	return &apiv1.FetchResultsResponse{State: s.State, Failure: s.Failure}, nil
}

// ended tells whether a state is the last of a job.
func ended(s apiv1.JobState) bool {
	for _, last := range stateOf {
		if s == last {
			return true
		}
	}
	return false
}

// fetch is one request for results.
type fetch struct {
	log     results.Log
	request *apiv1.FetchResultsRequest
	after   types.CheckpointID // what has been fetched, by whomever
}

// acknowledge notes what the caller has, and deletes it. What can't be deleted now goes
// with the next.
func (f *fetch) acknowledge(ctx context.Context, j *JobManager) error {
	fetched, err := f.log.Fetched(ctx)
	if err != nil {
		return asStatus(err)
	}
	has := types.CheckpointID(f.request.AfterCheckpoint)
	f.after = max(has, fetched)
	switch {
	case has == 0 || has == fetched:
		return nil
	case has < fetched:
		return f.taken()
	}
	if err := f.log.Acknowledge(ctx, has); err != nil {
		return asStatus(err)
	}
	if err := f.log.Discard(ctx); err != nil && ctx.Err() == nil {
		j.Log.Warn("fetched results are not deleted yet", "job", f.log.Job, "cause", err)
	}
	return nil
}

// taken says that rows were given to another, and are not there for this one.
func (f *fetch) taken() error {
	return status.Errorf(codes.FailedPrecondition, "somebody else fetches the results of job %s too: what comes behind checkpoint %d was given away",
		f.log.Job, f.request.AfterCheckpoint)
}

// parts reads as many parts as an answer takes, at least one where there are any.
func (f *fetch) parts(ctx context.Context, turn chan struct{}) ([]*apiv1.ResultPart, error) {
	w, err := f.log.Next(ctx, f.after)
	if err != nil {
		return nil, asStatus(err)
	}
	at := int(f.request.Parts)
	if at > 0 && (uint64(w.Checkpoint) != f.request.Checkpoint || at >= len(w.Parts)) {
		return nil, f.taken()
	}
	if w.Checkpoint == 0 {
		return nil, nil
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	var out []*apiv1.ResultPart
	size := int64(0)
	for w.Checkpoint > 0 {
		for ; at < len(w.Parts); at++ {
			if size += w.Parts[at].Bytes; len(out) > 0 && (size > answerBytesMax || len(out) == answerPartsMax) {
				return out, nil
			}
			part, err := f.read(ctx, w, at)
			if err != nil {
				return nil, err
			}
			out = append(out, part)
		}
		at = 0
		if w, err = f.log.Next(ctx, w.Checkpoint); err != nil {
			return out, nil //nolint:nilerr // what is read is worth giving; the next request meets the error
		}
	}
	return out, nil
}

func (f *fetch) read(ctx context.Context, w results.Waiting, at int) (*apiv1.ResultPart, error) {
	rows, err := f.log.Read(ctx, w.Parts[at])
	if errors.Is(err, blobstore.ErrNotFound) {
		if fetched, ferr := f.log.Fetched(ctx); ferr != nil || fetched < w.Checkpoint {
			return nil, status.Errorf(codes.DataLoss, "results of checkpoint %d of job %s are lost: %v", w.Checkpoint, f.log.Job, err)
		}
		return nil, f.taken()
	}
	if err != nil {
		return nil, asStatus(err)
	}
	return &apiv1.ResultPart{Checkpoint: uint64(w.Checkpoint), Number: uint32(at), Last: at == len(w.Parts)-1, Rows: rows}, nil
}
