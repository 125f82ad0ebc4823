package columnar_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// TestMillionKeys holds a million BIGINT keys with count, sum and max: what they
// take, and what a checkpoint takes when a hundredth, and when everything,
// changed. Times are logged, sizes are checked.
func TestMillionKeys(t *testing.T) {
	const n = 1_000_000
	s := open(t, types.AllKeyGroups(groups))
	v, err := s.Value(aggregate())
	if err != nil {
		t.Fatal(err)
	}
	p := v.Part(0, true)
	slots := make([]statebackend.Slot, stream.RowsMax)
	touch := func(from, step int) {
		ks := make([]int64, 0, stream.RowsMax)
		flush := func() {
			keys := keys64(ks...)
			if _, err := p.Upsert(keys, slots[:len(ks)]); err != nil {
				t.Fatal(err)
			}
			r := p.Rows()
			for i, s := range slots[:len(ks)] {
				row := r.At(s)
				row[0]++
				row[1] += uint64(ks[i])
				row[2] = uint64(max(int64(row[2]), ks[i]))
			}
			ks = ks[:0]
		}
		for k := from; k < n; k += step {
			if ks = append(ks, int64(k)); len(ks) == cap(ks) {
				flush()
			}
		}
		flush()
	}
	touch(0, 1)
	t.Logf("a million keys: tables %d MiB, process %s", s.SizeBytes()>>20, resident())
	if size := s.SizeBytes(); size > 80<<20 {
		t.Errorf("a million rows of four words take %d bytes", size)
	}
	var chain []statebackend.File
	checkpoint := func(what string, rows, bytesMax int64) {
		t.Helper()
		for again := range 2 { // the second time into used memory
			begin := time.Now()
			x, err := s.Freeze(false)
			if err != nil {
				t.Fatal(err)
			}
			pause := time.Since(begin)
			begin = time.Now()
			info, err := x.Write(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, run %d: freeze %s, write %s, %d rows, %d bytes", what, again+1, pause.Round(time.Microsecond), time.Since(begin).Round(time.Millisecond), info.Rows, info.Bytes)
			if info.Rows != rows || info.Bytes > bytesMax {
				t.Errorf("%s: %d rows in %d bytes, want %d in at most %d", what, info.Rows, info.Bytes, rows, bytesMax)
			}
			if err := s.Unfreeze(x); err != nil {
				t.Fatal(err)
			}
			x.Release()
		}
		f, info := freeze(t, s, false)
		if info.Kind == statebackend.Base {
			chain = nil
		}
		chain = append(chain, f)
	}
	checkpoint("everything", n, 48<<20)
	touch(17, 100)
	checkpoint("a hundredth", n/100, 600<<10)
	t.Logf("with snapshots released: state %d MiB, process %s", s.SizeBytes()>>20, resident())
	runtime.KeepAlive(s)
	begin := time.Now()
	r := open(t, types.AllKeyGroups(groups), chain)
	t.Logf("restore %s", time.Since(begin).Round(time.Millisecond))
	if v, err = r.Value(aggregate()); err != nil || v.Len() != n {
		t.Fatalf("%d rows came back, %v", v.Len(), err)
	}
}

// resident prints the memory of the process and of its heap.
func resident() string {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Sprintf("heap %d MiB", m.HeapAlloc>>20)
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	rss, _, _ = strings.Cut(rss, "\n")
	return fmt.Sprintf("heap %d MiB, resident %s", m.HeapAlloc>>20, strings.TrimSpace(rss))
}
