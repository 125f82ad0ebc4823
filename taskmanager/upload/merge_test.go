package upload_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/internal/clock"
	"millrace/statebackend"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// snapshot is a file of that kind.
type snapshot statebackend.FileKind

func (s snapshot) Write(w io.Writer) (statebackend.FileInfo, error) {
	n, err := fmt.Fprintf(w, "file of kind %d", s)
	return statebackend.FileInfo{Kind: statebackend.FileKind(s), Bytes: int64(n)}, err
}

func (snapshot) Empty() bool { return false }
func (snapshot) Release()    {}

// held is a backend whose merges begin and end when the test says so.
type held struct {
	statebackend.Backend
	begun, end chan struct{}
}

func (h held) Merge(ctx context.Context, _ []statebackend.File, _ types.KeyGroupRange, w io.Writer) (statebackend.FileInfo, error) {
	h.begun <- struct{}{}
	select {
	case <-h.end:
	case <-ctx.Done():
		return statebackend.FileInfo{}, ctx.Err()
	}
	n, err := w.Write(make([]byte, upload.InlineBytesMax+1)) // an object, so that the test sees the end
	return statebackend.FileInfo{Kind: statebackend.Base, Bytes: int64(n)}, err
}

// A base that comes while the files that it replaces are merged stands; the outcome of the merge is nobody's.
func TestABaseReplacesWhatIsBeingMerged(t *testing.T) {
	backend := held{begun: make(chan struct{}), end: make(chan struct{})}
	store, uploads := memory.New(clock.System()), make(chan task.Uploaded, 1)
	u := upload.New(upload.Options{
		Job: "j", Attempt: 1, Task: types.TaskID{Vertex: "v"}, Store: store, Backend: backend,
		Clock: clock.System(), Dir: t.TempDir(), Post: func(c task.Command) { uploads <- c.(task.Uploaded) },
	})
	defer u.Close()
	id := types.CheckpointID(0)
	submit := func(kind statebackend.FileKind) task.Uploaded {
		id++
		u.Submit(id, snapshot(kind))
		e := <-uploads
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		return e
	}
	submit(statebackend.Base)
	for merging := false; !merging; {
		submit(statebackend.Delta)
		select {
		case <-backend.begun:
			merging = true
		default:
		}
	}
	submit(statebackend.Base)
	close(backend.end)
	for merged := false; !merged; {
		page, err := store.List(t.Context(), blobstore.Query{})
		if err != nil {
			t.Fatal(err)
		}
		merged = len(page) > 0
	}
	for deltas := 1; deltas <= 6; deltas++ {
		e := submit(statebackend.Delta)
		if len(e.Files) != 1+deltas || e.Files[0].GetObject() != "" {
			t.Fatalf("behind a new base and %d deltas: %v", deltas, e.Files)
		}
	}
}
