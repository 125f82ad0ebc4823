package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/fault"
	"millrace/statebackend/statetest"
	"millrace/stream"
	"millrace/types"
)

// TestConformance runs the suite behind a plan that never fires.
func TestConformance(t *testing.T) {
	b := wrap(t, "any prefix=nobody err=unavailable")
	statetest.Run(t, b)
	if b.FiredTotal() != 0 {
		t.Errorf("fired %v", b.Fired())
	}
}

func wrap(t *testing.T, plan string) *fault.Backend {
	t.Helper()
	b, err := fault.Wrap(columnar.New(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type file struct{ data []byte }

func (f file) Name() string { return "file" }

func (f file) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.data)), nil
}

// TestEveryCallFails lets the n-th call of each operation fail, until n is more
// than a run has: each fault is seen once, and the same call then succeeds.
func TestEveryCallFails(t *testing.T) {
	for op, actions := range fault.Vocabulary {
		for _, action := range actions {
			n := 1
			for ; ; n++ {
				b := wrap(t, fmt.Sprintf("%s nth=%d %s", op, n, action))
				seen := run(t, b)
				if b.FiredTotal() == 0 {
					break
				}
				if seen[op] != 1 || len(seen) != 1 {
					t.Errorf("%s nth=%d %s: seen %v", op, n, action, seen)
				}
			}
			if n == 1 {
				t.Errorf("%s %s never fires", op, action)
			}
		}
	}
}

// run is the life of a store; what fails is tried again. It returns how often
// each operation failed.
func run(t *testing.T, b *fault.Backend) map[string]int {
	t.Helper()
	seen := map[string]int{}
	retry := func(op string, do func() error) {
		t.Helper()
		for {
			err := do()
			if err == nil {
				return
			}
			if !errors.Is(err, fault.ErrInjected) || seen[op] > 0 {
				t.Fatalf("%s: %v", op, err)
			}
			seen[op]++
		}
	}
	spec := statebackend.OpenSpec{Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(2), MaxParallelism: 2, Parallelism: 1, Pool: &stream.Pool{}}
	var chain []statebackend.File
	for range 2 {
		var s statebackend.Store
		retry("open", func() (err error) { s, err = b.Open(t.Context(), spec); return err })
		list, err := s.List(statebackend.ListSpec{ID: statebackend.TableID{Operator: "o", Name: "l"}, Redistribution: statebackend.Union})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(list.Get()); got != len(chain) {
			t.Fatalf("%d entries after %d files", got, len(chain))
		}
		if err := list.Set(make([][]byte, len(chain)+1)); err != nil {
			t.Fatal(err)
		}
		var x statebackend.Snapshot
		retry("freeze", func() (err error) { x, err = s.Freeze(false); return err })
		var out bytes.Buffer
		retry("write", func() error {
			out.Reset()
			_, err := x.Write(&out)
			return err
		})
		x.Release()
		chain = append(chain, file{out.Bytes()})
		spec.Restore = [][]statebackend.File{chain}
	}
	var merged bytes.Buffer
	retry("merge", func() error {
		merged.Reset()
		_, err := b.Merge(t.Context(), chain, spec.KeyGroups, &merged)
		return err
	})
	return seen
}

func TestClasses(t *testing.T) {
	b := wrap(t, "open nth=1 err=corrupt; open nth=2 err=unavailable")
	if _, err := b.Open(t.Context(), statebackend.OpenSpec{}); !errors.Is(err, statebackend.ErrCorrupt) {
		t.Error(err)
	}
	if _, err := b.Open(t.Context(), statebackend.OpenSpec{}); failure.ClassOf(err) != (failure.Class{Domain: failure.DomainExternal, Retry: failure.Backoff}) {
		t.Error(err)
	}
	if _, err := fault.Wrap(columnar.New(), "freeze torn"); err == nil {
		t.Error("a freeze can't be torn")
	}
}
