package cluster

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// How much garbage may stand beside what lives.
const (
	// garbagePercent of what lives, where that is little: collecting a quarter as
	// often as Go does by itself is worth its memory.
	garbagePercent = 400
	// garbageBytes at most, where much lives: state and batches hold no pointers,
	// so that marking them costs next to nothing however large they are, and four
	// times a large state is memory that nobody gets anything for.
	garbageBytes = 384 << 20
	// garbagePercentMin keeps a process of many gigabytes from collecting all the time.
	garbagePercentMin = 25
)

// TuneMemory sets how a process that runs tasks collects garbage, where the
// environment (GOGC, GOMEMLIMIT) does not say: rarely, within a bound on the
// garbage, and up to 60 % of the machine's memory, from where the collector works
// as hard as it must. The rest is for mapped files. It is called once, in main.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		boundGarbage(garbagePercent, garbageBytes)
	}
	var info unix.Sysinfo_t
	if os.Getenv("GOMEMLIMIT") == "" && unix.Sysinfo(&info) == nil {
		debug.SetMemoryLimit(int64(info.Totalram) * int64(info.Unit) / 10 * 6)
	}
}

// boundGarbage lets garbage grow to a share of what lives and to so many bytes,
// until stop is called. It looks after each collection at what lives.
func boundGarbage(percent int, bytes int64) (stop func()) {
	stopped := new(atomic.Bool) // apart: who holds stop must not hold the bound
	b := &garbageBound{percent: percent, bytes: bytes, stopped: stopped}
	b.sample[0].Name = "/gc/heap/live:bytes"
	b.collected()
	return func() { stopped.Store(true) }
}

// garbageBound is garbage itself, and comes back to life at each collection: the
// runtime has no other way to tell that there was one.
type garbageBound struct {
	percent int
	bytes   int64
	set     int
	stopped *atomic.Bool
	sample  [1]metrics.Sample
}

func (b *garbageBound) collected() {
	if b.stopped.Load() {
		return
	}
	metrics.Read(b.sample[:])
	if p := garbageShare(int64(b.sample[0].Value.Uint64()), b.percent, b.bytes); p != b.set {
		b.set = p
		debug.SetGCPercent(p)
	}
	runtime.SetFinalizer(b, (*garbageBound).collected)
}

// garbageShare returns how many per cent of the living bytes keep within both
// bounds, in coarse steps: setting it stops every goroutine for a moment.
func garbageShare(live int64, percent int, bytes int64) int {
	const step = 25
	share := bytes * 100 / max(live, 1) / step * step
	return int(min(max(share, garbagePercentMin), int64(percent)))
}
