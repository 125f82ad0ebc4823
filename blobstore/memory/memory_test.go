package memory_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"millrace/blobstore"
	"millrace/blobstore/blobtest"
	"millrace/blobstore/memory"
	"millrace/internal/clock"
)

func open(*testing.T) blobstore.Store { return memory.New(clock.System()) }

func TestConformance(t *testing.T) { blobtest.Run(t, open) }

func TestFaults(t *testing.T) { blobtest.RunFaults(t, open) }

// gatedBody is read only when the gate opens.
type gatedBody struct{ gate chan struct{} }

func (gatedBody) Size() int64 { return 1 }

func (b gatedBody) ReadAt(p []byte, _ int64) (int, error) {
	<-b.gate
	return copy(p, "x"), io.EOF
}

func TestCrashCloneKeepsWhatWasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(clock.System())
		if err := s.Create(t.Context(), "done", blobstore.Bytes([]byte("1"))); err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		acknowledged := make(chan error)
		go func() { acknowledged <- s.Create(t.Context(), "under-way", gatedBody{gate}) }()
		synctest.Wait()
		clone := s.CrashClone()
		close(gate)
		if err := <-acknowledged; err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "done"); err != nil {
			t.Fatal(err)
		}
		if got, err := clone.Read(t.Context(), "done"); err != nil || string(got) != "1" {
			t.Errorf("acknowledged object after the crash: %q, %v", got, err)
		}
		if _, err := clone.Read(t.Context(), "under-way"); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("object under way after the crash: %v, want ErrNotFound", err)
		}
	})
}

func TestCorruptFlipsOneBit(t *testing.T) {
	s := memory.New(clock.System())
	if err := s.Create(t.Context(), "a", blobstore.Bytes([]byte{0, 0})); err != nil {
		t.Fatal(err)
	}
	clone := s.CrashClone()
	if !s.Corrupt("a", 9) || s.Corrupt("b", 0) {
		t.Error("Corrupt reports wrongly")
	}
	if got, err := s.Read(t.Context(), "a"); err != nil || string(got) != "\x00\x02" {
		t.Errorf("read %x, %v", got, err)
	}
	if got, err := clone.Read(t.Context(), "a"); err != nil || string(got) != "\x00\x00" {
		t.Errorf("the clone changed too: %x, %v", got, err)
	}
}
