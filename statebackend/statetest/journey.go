package statetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"millrace/statebackend"
)

// Journey is a random sequence of all that a store does, in legs: at the end of each
// the state is in files on disk, and the next begins from them. A process that is killed
// goes on behind the last leg that it finished, so that a test may kill it anywhere.
type Journey struct {
	// Seed decides what is done, the same way each time.
	Seed uint64
	Legs int
	// Dir is where the files are.
	Dir string
	// Backend is what is under test, Plain what gets back to where a process was killed.
	Backend, Plain statebackend.Backend
}

const (
	legSteps = 12
	progress = "progress" // the file that says how many legs are done, and which files hold the state
)

// done is what stands in the file.
type done struct {
	Legs   int
	Chains [][]string
}

// Go goes on from where the folder says that a former process came to, to the end,
// and compares everything with the model behind each leg.
func (j Journey) Go(t *testing.T) {
	t.Helper()
	var so done
	b, err := os.ReadFile(filepath.Join(j.Dir, progress))
	if err == nil {
		err = json.Unmarshal(b, &so)
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	c := randChoice{rand.New(rand.NewPCG(j.Seed, 7))}
	w := newWorld(t, t, j.Plain, 2, 5000)
	w.batches = []int{1, 7, 100, 700}
	for leg := range j.Legs {
		if leg == so.Legs { // what was done before, only the model has to know
			w.backend = j.Backend
			w.turn(1+c.peek(leg), j.chains(so))
		}
		for range legSteps {
			w.step(c)
		}
		w.complete(w.freeze(c), w.now.clone())
		if leg >= so.Legs {
			j.save(t, leg+1, w)
		}
		if leg+1 < j.Legs && leg+1 != so.Legs {
			w.turn(1+c.peek(leg+1), w.chains())
		}
	}
	w.compare()
	for _, task := range w.tasks {
		if err := task.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// peek returns a number that depends on the leg alone.
func (c randChoice) peek(leg int) int { return leg * 7 % 3 }

// chains returns the files behind each task.
func (w *world) chains() (all [][]statebackend.File) {
	for _, t := range w.tasks {
		all = append(all, t.chain)
	}
	return all
}

// turn restores the last checkpoint, at another parallelism, from these files.
func (w *world) turn(tasks int, chains [][]statebackend.File) {
	w.t.Helper()
	for i, t := range w.tasks {
		if i < len(chains) {
			t.chain = chains[i]
		}
	}
	w.crash(tasks)
}

// save writes the files of every task, then says so.
func (j Journey) save(t *testing.T, legs int, w *world) {
	t.Helper()
	so := done{Legs: legs}
	for i, chain := range w.chains() {
		var names []string
		for k, f := range chain {
			name := fmt.Sprintf("leg-%d-task-%d-file-%d", legs, i, k)
			j.write(t, name, contents(t, f))
			names = append(names, name)
		}
		so.Chains = append(so.Chains, names)
	}
	b, err := json.Marshal(so)
	if err != nil {
		t.Fatal(err)
	}
	j.write(t, progress, b)
}

func (j Journey) write(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(j.Dir, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// chains returns the files that a former process left.
func (j Journey) chains(so done) (all [][]statebackend.File) {
	for _, names := range so.Chains {
		var chain []statebackend.File
		for _, name := range names {
			chain = append(chain, diskFile(filepath.Join(j.Dir, name)))
		}
		all = append(all, chain)
	}
	return all
}

func contents(t *testing.T, f statebackend.File) []byte {
	t.Helper()
	r, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read from
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// diskFile is a snapshot file on disk.
type diskFile string

func (f diskFile) Name() string { return string(f) }

func (f diskFile) Open(context.Context) (io.ReadCloser, error) { return os.Open(string(f)) }

// Shifting has each store of a backend keep its rows elsewhere: in memory alone, in the
// tier whenever it can, within a budget, at home in the tier. Which one it is must make no difference.
func Shifting(b statebackend.Backend, tier statebackend.Tier) statebackend.Backend {
	return &shiftingBackend{Backend: b, tier: tier}
}

type shiftingBackend struct {
	statebackend.Backend
	tier  statebackend.Tier
	opens int // a test opens one store at a time
}

func (b *shiftingBackend) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	b.opens++
	if spec.Budget == nil {
		switch b.opens % 4 {
		case 0:
			spec.Tier = b.tier
		case 1:
			return homeBackend{b.Backend, b.tier}.Open(ctx, spec)
		case 2:
			spec.Tier, spec.Budget = b.tier, statebackend.NewBudget(48<<20, "")
		}
	}
	return b.Backend.Open(ctx, spec)
}
