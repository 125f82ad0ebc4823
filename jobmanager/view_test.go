package jobmanager

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "millrace/proto/millrace/api/v1"
)

// TestViewTroubles: coordinator tasks of several vertices are in trouble at a
// time, and those of an attempt that is over are nobody's.
func TestViewTroubles(t *testing.T) {
	v := &view{}
	v.mu.job = &apiv1.DescribeJobResponse{Attempt: 3}
	want := func(text string) {
		t.Helper()
		if diff := cmp.Diff(text, v.describe().WaitingFor); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	v.setVertexTrouble(3, "sink", "a")
	v.setVertexTrouble(3, "bids", "b")
	want("vertex bids: b; vertex sink: a")
	v.setVertexTrouble(3, "bids", "")
	want("vertex sink: a")
	v.update(func(j *apiv1.DescribeJobResponse) { j.Attempt = 4 })
	want("")
	v.setVertexTrouble(4, "bids", "c")
	want("vertex bids: c")
}
