package cluster

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"millrace/failure"
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
// garbage, and up to 60 % of the machine's or the control group's memory, from where
// the collector works as hard as it must. The rest is for mapped files. It is called once, in main.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		boundGarbage(garbagePercent, garbageBytes)
	}
	if bytes := processMemory(); bytes > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes / 10 * limitTenths)
	}
}

// limitTenths of the memory are the process's for what the collector knows of.
const limitTenths = 6

// MemoryOptions say what a task manager's state may take.
type MemoryOptions struct {
	// Managed is the bytes for the state of one task manager; 0 takes Fraction.
	Managed int64
	// Fraction of the memory is for the state of all task managers of this process.
	Fraction float64
	// TaskManagers in this process.
	TaskManagers int
}

// PlanMemory returns the bytes for the state of each task manager of this process,
// 0 where nobody knows how much memory there is, and has the process take as much
// as they need together, with what TuneMemory leaves to everything else. What does not fit
// into the memory is an error of the user.
func PlanMemory(o MemoryOptions) (int64, error) {
	memory := processMemory()
	state, err := planMemory(o, memory)
	if err != nil || memory == 0 || os.Getenv("GOMEMLIMIT") != "" {
		return state, err
	}
	rest := float64(memory) * (limitTenths/10. - managedFraction)
	debug.SetMemoryLimit(max(memory/10*limitTenths, state*int64(o.TaskManagers)+int64(rest)))
	return state, nil
}

// managedFraction is the part of the memory that state has by default, Flink's.
const managedFraction = 0.4

func planMemory(o MemoryOptions, memory int64) (int64, error) {
	if o.Managed == 0 && (o.Fraction <= 0 || o.Fraction > 0.8) {
		return 0, failure.User(failure.Message{
			Field: "taskmanager.memory.managed.fraction", Primary: fmt.Sprintf("%v is not above 0 and at most 0.8", o.Fraction),
		})
	}
	if o.Managed == 0 {
		return int64(float64(memory)*o.Fraction) / int64(o.TaskManagers), nil
	}
	if most := memory / 10 * 8; memory > 0 && o.Managed > most/int64(o.TaskManagers) {
		return 0, failure.User(failure.Message{
			Field:   "taskmanager.memory.managed.size",
			Primary: fmt.Sprintf("%d bytes for each of %d task managers do not fit into %d bytes of memory", o.Managed, o.TaskManagers, memory),
			Hint:    fmt.Sprintf("at most %d bytes, 80 %% of the memory, may be state", most/int64(o.TaskManagers)),
		})
	}
	return o.Managed, nil
}

// processMemory returns what the process may have: what GOMEMLIMIT leaves to it, or
// the memory of the machine or of the process's control groups, whichever is
// least; 0 where that can't be found out.
func processMemory() int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64/10 {
			return limit * 10 / limitTenths
		}
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	memory := int64(info.Totalram) * int64(info.Unit)
	if limit := cgroupMemory(os.DirFS("/")); limit > 0 {
		memory = min(memory, limit)
	}
	return memory
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
