package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"millrace/connectors"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
)

// A small run: the answer, what changed before each checkpoint, and that few
// changes write few bytes.
func TestKeysAreMeasured(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-scenario", "keys", "-keys", "50000", "-parallelism", "2", "-preaggregation", "on", "-keys-checkpoint-interval", "100ms"}
	if err := bench(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r keysResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	wantChanged := [...]int64{fillPhase: 50_000, everyPhase: everyPasses * 50_000, fewPhase: fewPasses * 500}
	if !r.AnswerChecked || r.DistinctKeys != 50_000 || r.ResidentBytes <= 0 || r.PeakResidentBytes < r.ResidentBytes || len(r.Phases) != len(wantChanged) {
		t.Fatalf("%s", out.String())
	}
	for i, p := range r.Phases {
		if p.ChangedKeys != wantChanged[i] || p.WrittenBytes <= 0 || p.Seconds <= 0 {
			t.Errorf("phase %q: %d keys changed, want %d: %+v", p.Phase, p.ChangedKeys, wantChanged[i], p)
		}
	}
	// A hundredth of the keys is written in a hundredth of the bytes, about.
	if every, few := r.Phases[everyPhase].WrittenBytes, r.Phases[fewPhase].WrittenBytes; few > every/20 {
		t.Errorf("%d bytes for few keys, %d for every key", few, every)
	}
}

// The direct computation equals what the readers give, row by row.
func TestPassesEqualRowByRow(t *testing.T) {
	plan := passes{keys: 20_001}
	rows := map[int64]row{}
	var given int64
	for subtask := range int32(3) {
		var pool stream.Pool
		r := keyReaderOf(t, keySource{plan, &changeLog{}}, subtask, 3, &pool)
		for n := range passesAll {
			for b := range untilBarrier(t, r) {
				for i := range b.Rows() {
					at := b.Row(i)
					key, price := stream.Value[int64](&b.Columns[auctionColumn], at), stream.Value[int64](&b.Columns[priceColumn], at)
					if millis := stream.Value[int64](&b.Columns[timeColumn], at); millis != plan.millis(n) || millis-keysWindow >= windowSize.Milliseconds() {
						t.Fatalf("pass %d has time %d", n, millis)
					}
					w := rows[key]
					rows[key] = row{key, keysWindow, w.bids + 1, w.total + price, max(w.highest, price)}
					given++
				}
			}
			r.Positions(nil)
		}
		if b, status, err := r.Read(); b != nil || status != connectors.Done || err != nil {
			t.Errorf("behind the last pass: %v, %v, %v", b, status, err)
		}
		if err := r.Close(); err != nil || pool.Live() != 0 {
			t.Errorf("close: %v, %d buffers are out", err, pool.Live())
		}
	}
	var got answer
	for _, w := range rows {
		got.add(w)
	}
	if want := plan.expected(); got != want || given != plan.bids() || got.rows != plan.keys {
		t.Errorf("answer %+v of %d bids, directly %+v of %d", got, given, want, plan.bids())
	}
}

// A pass that a barrier cuts goes on behind it, and the next one waits.
func TestChangesAreCountedByBarrier(t *testing.T) {
	var pool stream.Pool
	log := &changeLog{}
	r := keyReaderOf(t, keySource{passes{keys: 3 * stream.RowsMax}, log}, 0, 1, &pool)
	defer func() { _ = r.Close() }()
	first, _, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	n := int64(first.Rows())
	first.Release()
	r.Positions(nil)
	for range untilBarrier(t, r) {
	}
	r.Positions(nil)
	for range untilBarrier(t, r) {
	}
	r.Positions(nil)
	want := []change{{fillPhase, n}, {fillPhase, 3*stream.RowsMax - n}, {everyPhase, 3 * stream.RowsMax}}
	for id, w := range want {
		if got, err := log.change(uint64(id + 1)); err != nil || got != w {
			t.Errorf("before checkpoint %d: %v, %v, want %v", id+1, got, err, w)
		}
	}
	if _, err := log.change(4); err == nil {
		t.Error("a checkpoint that no source saw is taken")
	}
}

func TestStatusBytes(t *testing.T) {
	const status = "Name:\tbench\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n"
	if now, peak, none := statusBytes(status, "VmRSS:"), statusBytes(status, "VmHWM:"), statusBytes(status, "VmSwap:"); now != 1<<20 || peak != 2<<20 || none != 0 {
		t.Errorf("now %d, peak %d, none %d", now, peak, none)
	}
	if now, peak := resident(); now <= 0 || peak < now {
		t.Errorf("resident %d, at most %d", now, peak)
	}
}

func keyReaderOf(t *testing.T, s keySource, subtask, parallelism int32, p *stream.Pool) connectors.Reader {
	t.Helper()
	r, err := s.Reader(connectors.ReaderContext{
		Identity: connectors.Identity{Subtask: subtask, Parallelism: parallelism}, Schema: bidSchema,
		Pool: p, Clock: clock.System(), RowsMax: stream.RowsMax, Metrics: new(metrics.Task),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// untilBarrier yields what a reader gives until it waits for a barrier.
func untilBarrier(t *testing.T, r connectors.Reader) func(func(*stream.Batch) bool) {
	t.Helper()
	return func(yield func(*stream.Batch) bool) {
		for {
			b, status, err := r.Read()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil && status != connectors.More {
				return
			}
			more := b == nil || yield(b)
			b.Release()
			if !more {
				return
			}
		}
	}
}
