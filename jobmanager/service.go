package jobmanager

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/scheduler"
	"millrace/types"
)

// lead returns the leadership for a call, or the status of there being none.
func (j *JobManager) leader() (*leadership, error) {
	if l := j.leading(); l != nil {
		return l, nil
	}
	return nil, j.notLeading()
}

// notLeading is Unavailable, with the leader's address where there is one, and with
// what is the matter here where there is none.
func (j *JobManager) notLeading() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaderTimeout)
	defer cancel()
	leads, err := j.Coord.Leader(ctx)
	if err != nil || leads.Candidate == j.Address {
		leads.Candidate = ""
	}
	text := fmt.Sprintf("this job manager does not lead, %s does", leads.Candidate)
	if leads.Candidate == "" {
		text = "this job manager does not lead, and nobody else does at the moment"
		if why := j.trouble(); why != "" {
			text += "; " + why
		} else if err != nil && !errors.Is(err, coord.ErrNotFound) {
			text += "; " + err.Error()
		}
	}
	st := status.New(codes.Unavailable, text)
	if with, err := st.WithDetails(&apiv1.NotLeading{Leader: leads.Candidate}); err == nil {
		st = with
	}
	return st.Err()
}

// SubmitJob implements apiv1.JobServiceServer.
func (j *JobManager) SubmitJob(ctx context.Context, r *apiv1.SubmitJobRequest) (*apiv1.SubmitJobResponse, error) {
	l, err := j.leader()
	if err != nil {
		return nil, err
	}
	return l.submitJob(ctx, r)
}

func (l *leadership) submitJob(ctx context.Context, r *apiv1.SubmitJobRequest) (*apiv1.SubmitJobResponse, error) {
	g, err := l.jm.check(r.Graph)
	if err != nil {
		return nil, refusal(err)
	}
	resp := &apiv1.SubmitJobResponse{Explanation: jobgraph.Explain(g)}
	id := l.jobID(r.IdempotencyKey)
	if l.view(id) == nil { // who submits again, and is told what it has, is not told what has gone since
		if err := l.canCarry(g); err != nil {
			return nil, refusal(err)
		}
	}
	_, report := scheduler.Schedule(l.registry.cluster(id), g, scheduler.Assignment{}, l.jm.Policy)
	resp.Placements = placementReasons(report)
	var from *beginning
	if r.FromSavepoint != "" {
		from, err = l.begin(ctx, id, g, r)
		if from != nil && from.manifest != nil {
			from.describe(resp)
		}
		if err != nil {
			return nil, refusedOr(err)
		}
	}
	if r.DryRun {
		return resp, nil
	}
	resp.JobId = string(id)
	return resp, asStatus(l.submit(ctx, id, g.Name, r.Graph, from))
}

// check decodes and validates a graph.
func (j *JobManager) check(p *jobv1.JobGraph) (*jobgraph.Graph, error) {
	if p == nil {
		return nil, failure.Userf("the request has no job graph")
	}
	if n := proto.Size(p); n > graphBytesMax {
		return nil, failure.Userf("job graph has %d bytes, at most %d are allowed", n, graphBytesMax)
	}
	g, err := codec.FromProto(p)
	if err != nil {
		return nil, err
	}
	if err := jobgraph.Validate(g, j.Known); err != nil || j.CheckJob == nil {
		return g, err
	}
	return g, j.CheckJob(g)
}

// submit makes the job exist, then starts it. A job of the same idempotency key
// is the same job.
func (l *leadership) submit(ctx context.Context, id types.JobID, name string, g *jobv1.JobGraph, from *beginning) error {
	store, err := newJobStore(l.jm.Coord, l.jm.Store, l.term, id)
	if err != nil {
		return err
	}
	store.unique = l.unique
	rec, err := store.create(ctx, name, g, l.jm.Clock.Now(), from)
	if errors.Is(err, coord.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.start(store, rec)
}

// jobID returns a new id, or the one that belongs to the key in this cluster.
func (l *leadership) jobID(key string) types.JobID {
	if key == "" {
		return types.JobID(newID())
	}
	sum := sha256.Sum256([]byte(l.cluster + "\x00" + key))
	return types.JobID(hex.EncodeToString(sum[:idBytes]))
}

// newID returns a random name that nothing else has.
func newID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

const idBytes = 16

// refusal turns the problems of a graph into InvalidArgument with details.
func refusal(err error) error {
	st := status.New(codes.InvalidArgument, err.Error())
	var p *failure.Problems
	if !errors.As(err, &p) {
		return st.Err()
	}
	for _, m := range p.All() {
		with, derr := st.WithDetails(&apiv1.Problem{VertexId: m.Vertex, Field: m.Field, Message: m.Primary, Hint: m.Hint})
		if derr == nil {
			st = with
		}
	}
	return st.Err()
}

// refusedOr is refusal for what is the user's, and asStatus for all else.
func refusedOr(err error) error {
	if failure.ClassOf(err).Domain == failure.DomainUser {
		return refusal(err)
	}
	return asStatus(err)
}

// asStatus gives an error the status code of its class.
func asStatus(err error) error {
	if err == nil {
		return nil
	}
	c := failure.ClassOf(err)
	switch {
	case errors.Is(err, coord.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case c.Domain == failure.DomainUser:
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, coord.ErrFenced), c.Domain == failure.DomainExternal:
		return status.Error(codes.Unavailable, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

// find returns what clients see of a job, and its driver, nil if it has ended.
func (j *JobManager) find(id string) (*view, *driver, error) {
	l, err := j.leader()
	if err != nil {
		return nil, nil, err
	}
	if d := l.driver(types.JobID(id)); d != nil {
		return d.view, d, nil
	}
	if v := l.view(types.JobID(id)); v != nil {
		return v, nil, nil
	}
	return nil, nil, errUnknownJob(id)
}

func errUnknownJob(id string) error {
	return status.Errorf(codes.NotFound, "no job has the id %q; millrace job list shows those there are", id)
}

// ListJobs implements apiv1.JobServiceServer.
func (j *JobManager) ListJobs(context.Context, *apiv1.ListJobsRequest) (*apiv1.ListJobsResponse, error) {
	l, err := j.leader()
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ListJobsResponse{}
	for _, v := range l.views() {
		resp.Jobs = append(resp.Jobs, v.summary())
	}
	sort.Slice(resp.Jobs, func(i, k int) bool {
		a, b := resp.Jobs[i], resp.Jobs[k]
		if !a.Submitted.AsTime().Equal(b.Submitted.AsTime()) {
			return a.Submitted.AsTime().Before(b.Submitted.AsTime())
		}
		return a.JobId < b.JobId
	})
	return resp, nil
}

// DescribeJob implements apiv1.JobServiceServer.
func (j *JobManager) DescribeJob(ctx context.Context, r *apiv1.DescribeJobRequest) (*apiv1.DescribeJobResponse, error) {
	v, _, err := j.find(r.JobId)
	if err != nil {
		return nil, err
	}
	resp := v.describe()
	if v.past != nil {
		j.recall(ctx, v.past, resp)
	}
	return resp, nil
}

// CancelJob implements apiv1.JobServiceServer.
func (j *JobManager) CancelJob(ctx context.Context, r *apiv1.CancelJobRequest) (*apiv1.CancelJobResponse, error) {
	return &apiv1.CancelJobResponse{}, j.ask(ctx, r.JobId, func(reply chan error) any { return cancelAsked{reply} })
}

// StopJob implements apiv1.JobServiceServer.
func (j *JobManager) StopJob(ctx context.Context, r *apiv1.StopJobRequest) (*apiv1.StopJobResponse, error) {
	return &apiv1.StopJobResponse{}, j.ask(ctx, r.JobId, func(reply chan error) any {
		return stopAsked{lifecycle.StopRequested{Drain: r.Drain, Savepoint: r.Savepoint}, reply}
	})
}

// ask gives a driver a request and waits until it has taken it.
func (j *JobManager) ask(ctx context.Context, id string, event func(chan error) any) error {
	_, d, err := j.find(id)
	if err != nil {
		return err
	}
	if d == nil {
		return errEnded
	}
	reply := make(chan error, 1)
	d.post(event(reply))
	select {
	case err := <-reply:
		return asStatus(err)
	case <-d.done:
		if d.over() {
			return errEnded
		}
		return errLeadershipEnded
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

var errEnded = status.Error(codes.FailedPrecondition, "the job has ended")

// errLeadershipEnded says that nobody knows what became of a request, and the job goes on. Asking again is safe.
var errLeadershipEnded = status.Error(codes.Unavailable,
	"this job manager lost its leadership before it could answer: the next leader may know of the request or not; ask again")

// WatchJob implements apiv1.JobServiceServer.
func (j *JobManager) WatchJob(r *apiv1.WatchJobRequest, s grpc.ServerStreamingServer[apiv1.WatchJobResponse]) error {
	v, _, err := j.find(r.JobId)
	if err != nil {
		return err
	}
	w := v.watch()
	defer v.unwatch(w)
	for {
		select {
		case <-s.Context().Done():
			return status.FromContextError(s.Context().Err()).Err()
		case e, ok := <-w.events:
			if !ok {
				return nil
			}
			if err := s.Send(e); err != nil {
				return err
			}
		}
	}
}
