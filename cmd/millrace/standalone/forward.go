package standalone

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	apiv1 "millrace/proto/millrace/api/v1"
)

// forward is the job service on the port for operators: it hands every call on to the cluster's, whose port has no
// reflection.
type forward struct {
	apiv1.UnimplementedJobServiceServer
	to apiv1.JobServiceClient
}

func (f forward) SubmitJob(ctx context.Context, r *apiv1.SubmitJobRequest) (*apiv1.SubmitJobResponse, error) {
	return f.to.SubmitJob(ctx, r)
}

func (f forward) ListJobs(ctx context.Context, r *apiv1.ListJobsRequest) (*apiv1.ListJobsResponse, error) {
	return f.to.ListJobs(ctx, r)
}

func (f forward) DescribeJob(ctx context.Context, r *apiv1.DescribeJobRequest) (*apiv1.DescribeJobResponse, error) {
	return f.to.DescribeJob(ctx, r)
}

func (f forward) CancelJob(ctx context.Context, r *apiv1.CancelJobRequest) (*apiv1.CancelJobResponse, error) {
	return f.to.CancelJob(ctx, r)
}

func (f forward) StopJob(ctx context.Context, r *apiv1.StopJobRequest) (*apiv1.StopJobResponse, error) {
	return f.to.StopJob(ctx, r)
}

func (f forward) WatchJob(r *apiv1.WatchJobRequest, s grpc.ServerStreamingServer[apiv1.WatchJobResponse]) error {
	from, err := f.to.WatchJob(s.Context(), r)
	if err != nil {
		return err
	}
	for {
		event, err := from.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Send(event); err != nil {
			return err
		}
	}
}
