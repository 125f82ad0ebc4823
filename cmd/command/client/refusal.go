package client

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
)

// understand turns the status of a call into what happened: the problems of a refused graph one by one, or the text
// without the wrapping of the protocol. Its class is that of the status.
func understand(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.AlreadyExists:
		return refusal(s)
	case codes.Unavailable:
		return failure.External(failure.Message{
			Primary: "the cluster does not answer", Detail: s.Message(),
			Hint: "millrace local starts one on this machine; --cluster names another",
		}, failure.Backoff)
	case codes.Canceled, codes.DeadlineExceeded:
		return err
	default:
		return failure.With(failure.Message{Primary: s.Message()}, failure.Class{Domain: failure.DomainInternal, Retry: failure.Never})
	}
}

// refusal collects the problems that come with a status.
func refusal(s *status.Status) error {
	var problems failure.Problems
	for _, detail := range s.Details() {
		if p, ok := detail.(*apiv1.Problem); ok {
			problems.Add(failure.Message{Vertex: p.VertexId, Field: p.Field, Primary: p.Message, Hint: p.Hint})
		}
	}
	if problems.Len() == 0 {
		problems.Add(failure.Message{Primary: s.Message()})
	}
	return problems.Err()
}
