package jobmanager

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/blobstore/results"
	"millrace/internal/clock"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// given is a job's results in a store, and a job manager to ask for them.
type given struct {
	t   *testing.T
	log results.Log
	jm  *JobManager
}

func newGiven(t *testing.T) *given {
	store := memory.New(clock.System())
	return &given{
		t: t, log: results.Log{Store: store, Job: "job"},
		jm: &JobManager{Options: Options{Store: store, Clock: clock.System(), Log: slog.New(slog.DiscardHandler)}, fetching: make(chan struct{}, fetchesMax)},
	}
}

// add makes results of a checkpoint, in parts of these sizes.
func (g *given) add(id types.CheckpointID, sizes ...int) {
	g.t.Helper()
	l := results.Lot{Job: "job", Operator: "sink", Checkpoint: id, Attempt: 1, Unique: "u"}
	for i, size := range sizes {
		p := results.Part{Number: uint64(id)*1000 + uint64(i), Rows: 1, Bytes: int64(size)}
		l.Parts = append(l.Parts, p)
		key, err := l.Key(p)
		if err == nil {
			err = g.log.Store.Create(g.t.Context(), key, blobstore.Bytes(bytes.Repeat([]byte{byte(id)}, size)))
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.log.Commit(g.t.Context(), "sink", []results.Lot{l}); err != nil {
		g.t.Fatal(err)
	}
}

// ask returns what an answer has, "checkpoint.part" a part and a "!" behind the last of a checkpoint.
func (g *given) ask(after, checkpoint uint64, parts uint32) (string, error) {
	f := &fetch{log: g.log, request: &apiv1.FetchResultsRequest{JobId: "job", AfterCheckpoint: after, Checkpoint: checkpoint, Parts: parts}}
	if err := f.acknowledge(context.Background(), g.jm); err != nil {
		return "", err
	}
	got, err := f.parts(context.Background(), g.jm.fetching)
	var words []string
	for _, p := range got {
		word := fmt.Sprintf("%d.%d", p.Checkpoint, p.Number)
		if p.Last {
			word += "!"
		}
		words = append(words, word)
	}
	return strings.Join(words, " "), err
}

func (g *given) expect(after, checkpoint uint64, parts uint32, want string) {
	g.t.Helper()
	if got, err := g.ask(after, checkpoint, parts); err != nil || got != want {
		g.t.Errorf("behind checkpoint %d and %d parts of %d: %q, %v; want %q", after, parts, checkpoint, got, err, want)
	}
}

func (g *given) refuse(after, checkpoint uint64, parts uint32, want codes.Code, text string) {
	g.t.Helper()
	if got, err := g.ask(after, checkpoint, parts); status.Code(err) != want || !strings.Contains(err.Error(), text) {
		g.t.Errorf("behind checkpoint %d and %d parts of %d: %q, %v; want %s", after, parts, checkpoint, got, err, want)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	g := newGiven(t)
	g.expect(0, 0, 0, "")
	g.add(3, 1, 1)
	g.add(5, answerBytesMax, 1)
	g.add(6, answerBytesMax+1)
	for range 2 { // the first answer was lost
		g.expect(0, 0, 0, "3.0 3.1!")
	}
	g.expect(0, 3, 1, "3.1!")
	for range 2 {
		g.expect(3, 0, 0, "5.0")
		g.expect(3, 5, 1, "5.1!")
	}
	g.expect(5, 0, 0, "6.0!")
	g.expect(6, 0, 0, "")
	many := make([]int, answerPartsMax+1)
	for i := range many {
		many[i] = 1
	}
	g.add(7, many...)
	got, err := g.ask(6, 0, 0)
	if n := len(strings.Fields(got)); err != nil || n != answerPartsMax {
		t.Errorf("an answer has %d parts, %v", n, err)
	}
	g.expect(6, 7, answerPartsMax, fmt.Sprintf("7.%d!", answerPartsMax))
}

// TestAskingForMoreDeletesTheRest: what is acknowledged goes, and the rest stays.
func TestAskingForMoreDeletesTheRest(t *testing.T) {
	g := newGiven(t)
	g.add(3, 1, 1)
	g.add(5, 1)
	g.expect(3, 0, 0, "5.0!")
	var left []string
	for o, err := range blobstore.Walk(t.Context(), g.log.Store, "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, strings.Join(strings.Split(o.Key, "/")[1:3], "/"))
	}
	if diff := cmp.Diff([]string{"result/fetched", "result/index", "result/part"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	g.expect(0, 0, 0, "5.0!") // a reader that begins anew has what is left
}

// TestTwoReadersAreTold: what one acknowledged is not there for the other, which must not take the rest for all.
func TestTwoReadersAreTold(t *testing.T) {
	g := newGiven(t)
	g.add(3, 1, 1)
	g.add(5, 1, 1)
	g.add(6, 1, 1)
	g.expect(5, 0, 0, "6.0 6.1!")
	g.refuse(3, 0, 0, codes.FailedPrecondition, "somebody else fetches the results of job job too")
	g.refuse(0, 3, 1, codes.FailedPrecondition, "somebody else")
	g.refuse(5, 6, 2, codes.FailedPrecondition, "somebody else")
	g.refuse(7, 0, 0, codes.InvalidArgument, "no results are there of checkpoint 7")
}

func TestALostPartIsNamed(t *testing.T) {
	g := newGiven(t)
	g.add(3, 1, 1)
	w, err := g.log.Next(t.Context(), 0)
	if err == nil {
		err = g.log.Store.Delete(t.Context(), w.Parts[1].Key)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.refuse(0, 0, 0, codes.DataLoss, w.Parts[1].Key)
}
