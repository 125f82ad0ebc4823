package jobmanager

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// TestAskAtTheEndOfALeadership: who asks something of a job whose leader stops leading is not told that the job has ended.
func TestAskAtTheEndOfALeadership(t *testing.T) {
	d := &driver{done: make(chan struct{})} // it has not even read the graph
	close(d.done)
	l := &leadership{}
	l.mu.drivers = map[types.JobID]*driver{"a": d}
	j := &JobManager{}
	j.setLeading(l)
	_, err := j.CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: "a"})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("cancelling at a leader that leads no longer: %v", err)
	}
}
