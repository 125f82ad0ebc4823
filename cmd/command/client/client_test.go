package client_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/cmd/command/client"
	"millrace/failure"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
)

// cluster is a job service whose answers are written down.
type cluster struct {
	apiv1.JobServiceClient
	// streams are those that watches get one after the other; each ends with the last of its errors.
	streams []watched
	watches int
	// states are what describing the job gives one after the other; the last stays.
	states []apiv1.JobState
	// refusals are the answers to a submit, the last stays.
	refusals []error
	submits  int
	// answers are what fetching gives one after the other; asked are the requests.
	answers []answer
	asked   []string
}

type watched struct {
	states []apiv1.JobState
	end    error
}

type watch struct {
	grpc.ServerStreamingClient[apiv1.WatchJobResponse]
	left watched
}

func (w *watch) Recv() (*apiv1.WatchJobResponse, error) {
	if len(w.left.states) == 0 {
		return nil, w.left.end
	}
	s := w.left.states[0]
	w.left.states = w.left.states[1:]
	return &apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_State{State: &apiv1.JobStateChanged{State: s}}}, nil
}

func (c *cluster) WatchJob(context.Context, *apiv1.WatchJobRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[apiv1.WatchJobResponse], error) {
	s := c.streams[min(c.watches, len(c.streams)-1)]
	c.watches++
	return &watch{left: s}, nil
}

func (c *cluster) DescribeJob(context.Context, *apiv1.DescribeJobRequest, ...grpc.CallOption) (*apiv1.DescribeJobResponse, error) {
	s := c.states[0]
	if len(c.states) > 1 {
		c.states = c.states[1:]
	}
	return &apiv1.DescribeJobResponse{Summary: &apiv1.JobSummary{State: s}}, nil
}

func (c *cluster) SubmitJob(context.Context, *apiv1.SubmitJobRequest, ...grpc.CallOption) (*apiv1.SubmitJobResponse, error) {
	err := c.refusals[min(c.submits, len(c.refusals)-1)]
	c.submits++
	return &apiv1.SubmitJobResponse{JobId: "j"}, err
}

var away = status.Error(codes.Unavailable, "no leader")

const (
	running  = apiv1.JobState_JOB_STATE_RUNNING
	finished = apiv1.JobState_JOB_STATE_FINISHED
)

// A stream that breaks is opened again, and the end is what the cluster says, not the end of a stream.
func TestAwaitOutlivesBrokenStreams(t *testing.T) {
	c := &cluster{
		streams: []watched{{[]apiv1.JobState{running}, away}, {[]apiv1.JobState{running, finished}, io.EOF}, {[]apiv1.JobState{finished}, io.EOF}},
		states:  []apiv1.JobState{running, finished},
	}
	var seen []apiv1.JobState
	d, err := client.Over(c).Await(t.Context(), "j", func(e *apiv1.WatchJobResponse) error {
		seen = append(seen, e.GetState().GetState())
		return nil
	})
	if err != nil || d.Summary.State != finished {
		t.Fatalf("%v, %v", d, err)
	}
	if diff := cmp.Diff([]apiv1.JobState{running, running, finished, finished}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestAwaitEndsWithWhoeverLooks(t *testing.T) {
	c := &cluster{streams: []watched{{[]apiv1.JobState{running}, io.EOF}}, states: []apiv1.JobState{running}}
	enough := errors.New("enough")
	if _, err := client.Over(c).Await(t.Context(), "j", func(*apiv1.WatchJobResponse) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := client.Over(c).Await(ctx, "j", func(*apiv1.WatchJobResponse) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSubmitWaitsForALeader(t *testing.T) {
	c := &cluster{refusals: []error{away, away, nil}}
	answer, err := client.Over(c).Submit(t.Context(), &jobgraph.Graph{Name: "g"}, false, "key")
	if err != nil || answer.JobId != "j" || c.submits != 3 {
		t.Errorf("%v, %v after %d calls", answer, err, c.submits)
	}
}

func TestRefusalsComeOneByOne(t *testing.T) {
	refused, err := status.New(codes.InvalidArgument, "2 problems").WithDetails(
		&apiv1.Problem{VertexId: "v", Field: "f", Message: "m", Hint: "h"}, &apiv1.Problem{Message: "n"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Over(&cluster{refusals: []error{refused.Err()}}).Submit(t.Context(), &jobgraph.Graph{}, true, "")
	if diff := cmp.Diff("2 problems:\n  vertex v, field f: m; hint: h\n  n", err.Error()); diff != "" {
		t.Error(diff)
	}
	for code, want := range map[codes.Code]failure.Domain{
		codes.InvalidArgument: failure.DomainUser, codes.NotFound: failure.DomainUser, codes.FailedPrecondition: failure.DomainUser,
		codes.Internal: failure.DomainInternal,
	} {
		_, err := client.Over(&cluster{refusals: []error{status.Error(code, "text")}}).Submit(t.Context(), &jobgraph.Graph{}, true, "")
		if failure.ClassOf(err).Domain != want || err.Error() != "text" {
			t.Errorf("%s: %v, %v", code, failure.ClassOf(err), err)
		}
	}
}
