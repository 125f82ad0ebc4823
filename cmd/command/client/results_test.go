package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/cmd/command/client"
	"millrace/exchange"
	"millrace/exchange/inflight"
	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// answer is one to a request for results.
type answer struct {
	*apiv1.FetchResultsResponse
	err error
}

func (c *cluster) FetchResults(_ context.Context, r *apiv1.FetchResultsRequest, _ ...grpc.CallOption) (*apiv1.FetchResultsResponse, error) {
	c.asked = append(c.asked, fmt.Sprintf("%d %d.%d", r.AfterCheckpoint, r.Checkpoint, r.Parts))
	a := c.answers[0]
	if len(c.answers) > 1 {
		c.answers = c.answers[1:]
	}
	return a.FetchResultsResponse, a.err
}

var lines = types.NewSchema(types.Field{Name: "line", Type: types.StringType()})

// part is a part with some rows.
func part(t *testing.T, checkpoint uint64, number uint32, last bool, rows string) *apiv1.ResultPart {
	t.Helper()
	var pool stream.Pool
	var object bytes.Buffer
	in := &exchange.InFlight{Channels: []exchange.InFlightChannel{{Elements: []stream.Element{stream.RowsOf(streamtest.Batch(t, &pool, lines, rows))}}}}
	_, err := inflight.Write(&object, in, &pool)
	if err != nil {
		t.Fatal(err)
	}
	in.Release()
	return &apiv1.ResultPart{Checkpoint: checkpoint, Number: number, Last: last, Rows: object.Bytes()}
}

func given(parts ...*apiv1.ResultPart) answer {
	return answer{FetchResultsResponse: &apiv1.FetchResultsResponse{Parts: parts}}
}

// An answer that was lost is asked for again, and an empty one means later: every row comes once, until the job has ended.
func TestResultsOutliveLostAnswers(t *testing.T) {
	c := &cluster{states: []apiv1.JobState{finished}, answers: []answer{
		{err: away},
		given(), given(part(t, 3, 0, false, "+I 'a'\n-D 'b'")),
		{err: away},
		given(part(t, 3, 1, true, "'c'"), part(t, 7, 0, true, "'d'")),
		given(),
		{FetchResultsResponse: &apiv1.FetchResultsResponse{Ended: true}},
	}}
	var pool stream.Pool
	var got []string
	d, err := client.Over(c).Results(t.Context(), "j", &pool, func(id types.CheckpointID, b *stream.Batch) error {
		for _, row := range streamtest.Rows(b) {
			got = append(got, fmt.Sprint(id, " ", row))
		}
		return nil
	})
	if err != nil || d.Summary.State != finished {
		t.Fatalf("%v, %v", d, err)
	}
	if diff := cmp.Diff([]string{"3 +I 'a'", "3 -D 'b'", "3 +I 'c'", "7 +I 'd'"}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0 0.0", "0 0.0", "0 0.0", "0 3.1", "0 3.1", "7 0.0", "7 0.0"}, c.asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers are not given back", n)
	}
}

func TestResultsEndEarly(t *testing.T) {
	enough := errors.New("enough")
	broken := part(t, 3, 0, true, "'a'")
	broken.Rows[20] ^= 1
	for name, c := range map[string]struct {
		answer
		visit error
		want  func(error) bool
	}{
		"with whoever looks":       {given(part(t, 3, 0, true, "'a'")), enough, func(err error) bool { return errors.Is(err, enough) }},
		"with a part that is gone": {given(part(t, 3, 1, true, "'a'")), nil, internal("part 1 of the results of checkpoint 3")},
		"with a part from behind": {
			given(part(t, 3, 0, true, "'a'"), part(t, 3, 0, true, "'a'")), nil, internal("part 0 of the results of checkpoint 3 came behind"),
		},
		"with bytes that are broken": {given(broken), nil, func(err error) bool { return errors.Is(err, inflight.ErrCorrupt) }},
		"with a refusal": {answer{err: status.Error(codes.FailedPrecondition, "somebody else")}, nil, func(err error) bool {
			return failure.ClassOf(err).Domain == failure.DomainUser
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var pool stream.Pool
			_, err := client.Over(&cluster{answers: []answer{c.answer}}).Results(t.Context(), "j", &pool, func(types.CheckpointID, *stream.Batch) error { return c.visit })
			if err == nil || !c.want(err) || pool.Live() != 0 {
				t.Errorf("error %v, %d buffers are out", err, pool.Live())
			}
		})
	}
}

func internal(text string) func(error) bool {
	return func(err error) bool {
		return failure.ClassOf(err).Domain == failure.DomainInternal && strings.Contains(err.Error(), text)
	}
}
