package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"millrace/internal/clock"
	"millrace/statebackend"
	"millrace/statebackend/badger"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// tierSizes are the flags of the scenario tier, and the keys of a run.
type tierSizes struct {
	state, budget   int64
	uniform, skewed int64  // updates
	distributions   string // of the keys
	skew            bool
}

func (t *tierSizes) flags(f *flag.FlagSet) {
	f.Int64Var(&t.state, "tier-state", 4<<30, "bytes of state of a run of tier")
	f.Int64Var(&t.budget, "tier-budget", 1<<30, "bytes of memory that it may take")
	f.StringVar(&t.distributions, "tier-keys", "uniform,skewed", "how the keys of a run of tier are drawn")
	f.Int64Var(&t.uniform, "tier-uniform-updates", 200_000, "updates of uniform keys")
	f.Int64Var(&t.skewed, "tier-skewed-updates", 2_000_000, "updates of skewed keys")
}

func (t tierSizes) keys() string {
	if t.skew {
		return "skewed"
	}
	return "uniform"
}

func (t tierSizes) String() string {
	return fmt.Sprintf("%d MiB of state in %d MiB, %s keys", t.state>>20, t.budget>>20, t.keys())
}

// distributions returns a run for each distribution of the keys.
func (r run) distributions() ([]run, error) {
	var runs []run
	for name := range strings.SplitSeq(r.tier.distributions, ",") {
		if name != "uniform" && name != "skewed" {
			return nil, fmt.Errorf("tier-keys %q is neither uniform nor skewed", name)
		}
		r.tier.skew = name == "skewed"
		runs = append(runs, r)
	}
	return runs, nil
}

// What a row is: a BIGINT key and so many BIGINT columns.
const (
	tierColumns  = 62
	tierRowBytes = 8 * (1 + tierColumns)
	tierBatch    = 1024
	// tierEpochs of changed rows fit into the budget: a barrier follows each.
	tierEpochs = 16
)

// tierResult is the line of a run of tier.
type tierResult struct {
	about
	Keys              string    `json:"keys"`
	StateBytes        int64     `json:"state_bytes"` // of the rows
	BudgetBytes       int64     `json:"budget_bytes"`
	Rows              int64     `json:"rows"`
	Build             tierPhase `json:"build"`
	Update            tierPhase `json:"update"`
	PeakResidentBytes int64     `json:"peak_resident_bytes"`
	PeakAnonymous     int64     `json:"peak_anonymous_bytes"` // at a barrier, without pages of mapped files
	PeakMappedFiles   int64     `json:"peak_mapped_file_bytes"`
	BudgetUsedMax     int64     `json:"budget_used_max"`
	Barriers          int       `json:"barriers"`
	AnswerChecked     bool      `json:"answer_checked"`
}

// tierPhase is what a part of a run took.
type tierPhase struct {
	Rows       int64   `json:"rows"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
	RowsPerCPU float64 `json:"rows_per_cpu_second"`
	DeltaBytes int64   `json:"delta_bytes"`
}

func (r *tierResult) checkpointed() int { return r.Barriers }

// tierRun drives a task's store as a job does: batches of keys, a barrier now and then.
type tierRun struct {
	result *tierResult
	budget *statebackend.Budget
	store  statebackend.Store
	table  statebackend.ValueTable
	keys   stream.Keys
	slots  []statebackend.Slot
	since  int64 // bytes changed since the last barrier
}

// measureTier builds state of several times the budget and then changes rows of it.
// The budget counts the database's memory too, and bounds the Go heap with 12 % for what is garbage.
func (r run) measureTier(ctx context.Context) (line, error) {
	dir, err := os.MkdirTemp("", "millrace-bench-tier")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // best effort: it is a temporary folder
	tier, err := badger.Open(badger.Options{Dir: filepath.Join(dir, "tier"), Managed: r.tier.budget})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tier.Close() }() // the figures are there
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(r.tier.budget + r.tier.budget*12/100))
	debug.FreeOSMemory()
	resetPeak()
	t := &tierRun{result: &tierResult{
		about: about{Scenario: "tier", Command: command(), Commit: commit(ctx), Machine: machine(), Parallelism: 1},
		Keys:  r.tier.keys(), StateBytes: r.tier.state, BudgetBytes: r.tier.budget, Rows: r.tier.state / tierRowBytes,
	}}
	t.budget = statebackend.NewBudget(r.tier.budget, "ask for more with -tier-budget")
	t.budget.Force(badger.PlanMemory(r.tier.budget))
	if err := t.open(ctx, tier); err != nil {
		return nil, err
	}
	defer func() { _ = t.store.Close() }() // the figures are there
	if err := t.run(ctx, r.tier); err != nil {
		return nil, err
	}
	t.result.Time = clock.System().Now().UTC().Format(time.RFC3339)
	return t.result, nil
}

func (t *tierRun) open(ctx context.Context, tier statebackend.Tier) (err error) {
	big := types.Of(types.BigInt)
	spec := statebackend.ValueSpec{ID: statebackend.TableID{Operator: "bench", Name: "rows"}, Keys: []types.Type{big}}
	for i := range tierColumns {
		spec.Columns = append(spec.Columns, statebackend.ColumnSpec{Name: fmt.Sprint("c", i), Type: big})
	}
	t.store, err = columnar.New().Open(ctx, statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "bench"}, KeyGroups: types.AllKeyGroups(128), MaxParallelism: 128, Parallelism: 1,
		Pool: &stream.Pool{}, Budget: t.budget, Tier: tier,
	})
	if err != nil {
		return err
	}
	t.keys = stream.Keys{Hashes: make([]uint64, tierBatch), Fixed: make([]int64, tierBatch)}
	t.slots = make([]statebackend.Slot, tierBatch)
	t.table, err = t.store.Value(spec)
	return err
}

func (t *tierRun) run(ctx context.Context, sizes tierSizes) (err error) {
	rows := t.result.Rows / tierBatch * tierBatch
	next := int64(0)
	if t.result.Build, err = t.phase(ctx, rows, func() int64 { next++; return next - 1 }); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	updates, key := sizes.uniform, func() int64 { return random.Int64N(rows) }
	if sizes.skew {
		zipf := rand.NewZipf(random, 1.2, 8, uint64(rows-1))
		// Popular keys stand anywhere among the others.
		updates, key = sizes.skewed, func() int64 { return int64(zipf.Uint64()) * 1_000_003 % rows }
	}
	if t.result.Update, err = t.phase(ctx, updates/tierBatch*tierBatch, key); err != nil {
		return err
	}
	t.result.Rows = int64(t.table.Len())
	t.result.AnswerChecked = t.result.Rows == rows
	if !t.result.AnswerChecked {
		return fmt.Errorf("the table has %d rows, want %d", t.result.Rows, rows)
	}
	_, t.result.PeakResidentBytes = resident()
	return nil
}

// phase folds rows of drawn keys.
func (t *tierRun) phase(ctx context.Context, rows int64, key func() int64) (p tierPhase, err error) {
	before := usageNow()
	for p.Rows < rows && ctx.Err() == nil {
		for i := range t.keys.Fixed {
			t.keys.Fixed[i] = key()
			t.keys.Hashes[i] = stream.HashUint64(uint64(t.keys.Fixed[i]))
		}
		if err := t.fold(); err != nil {
			return p, err
		}
		p.Rows += tierBatch
		if t.since += tierBatch * tierRowBytes; t.since >= t.result.BudgetBytes/tierEpochs {
			n, err := t.barrier()
			if err != nil {
				return p, err
			}
			p.DeltaBytes += n
		}
	}
	after := usageNow()
	p.Seconds, p.CPUSeconds = after.at.Sub(before.at).Seconds(), (after.cpu - before.cpu).Seconds()
	p.RowsPerCPU = float64(p.Rows) / p.CPUSeconds
	return p, ctx.Err()
}

// fold counts each key in its row's first column and checks that the second one is the key.
func (t *tierRun) fold() error {
	part := t.table.Part(0, true)
	if _, err := part.Upsert(&t.keys, t.slots); err != nil {
		return err
	}
	rows := part.Rows()
	for i, s := range t.slots {
		row, key := rows.At(s), uint64(t.keys.Fixed[i])
		if row[0] > 0 && row[1] != key {
			return fmt.Errorf("the row of key %d is that of key %d", key, row[1])
		}
		if row[0] == 0 {
			for c := range row {
				row[c] = key * uint64(c)
			}
		}
		row[0]++
	}
	return nil
}

// barrier writes the delta, to nowhere, and looks at the memory.
func (t *tierRun) barrier() (int64, error) {
	t.since = 0
	x, err := t.store.Freeze(false)
	if err != nil {
		return 0, err
	}
	defer x.Release()
	info, err := x.Write(io.Discard)
	if err != nil {
		return 0, err
	}
	r := t.result
	r.Barriers++
	r.BudgetUsedMax = max(r.BudgetUsedMax, t.budget.Used())
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		r.PeakAnonymous = max(r.PeakAnonymous, statusBytes(string(status), "RssAnon:"))
		r.PeakMappedFiles = max(r.PeakMappedFiles, statusBytes(string(status), "RssFile:"))
	}
	return info.Bytes, nil
}
