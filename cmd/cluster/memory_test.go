package cluster

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGarbageShare(t *testing.T) {
	for _, c := range []struct {
		name string
		live int64
		want int
	}{
		{"nothing lives", 0, 400},
		{"little lives", 50 << 20, 400},
		{"as much as garbage may be", 384 << 20, 100},
		{"between two steps", 300 << 20, 125},
		{"a large state", 1 << 30, 25},
		{"a huge state", 1 << 40, 25},
	} {
		if got := garbageShare(c.live, 400, 384<<20); got != c.want {
			t.Errorf("%s: %d per cent, want %d", c.name, got, c.want)
		}
	}
}

// What lives decides, at each collection anew.
func TestGarbageIsBoundedAsTheHeapGrows(t *testing.T) {
	before := debug.SetGCPercent(100)
	stop := boundGarbage(400, 32<<20)
	defer func() {
		stop()
		debug.SetGCPercent(before)
	}()
	live := make([]byte, 128<<20)
	awaitPercent(t, func(p int) bool { return p <= 25 })
	runtime.KeepAlive(live) // and no longer
	awaitPercent(t, func(p int) bool { return p > 25 })
}

// awaitPercent collects until the share is as wanted: finalizers come when they come.
func awaitPercent(t *testing.T, ok func(int) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		runtime.GC()
		set := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		if metrics.Read(set); ok(int(set[0].Value.Uint64())) {
			return
		}
	}
	t.Fatal("the share of garbage stays as it is")
}
