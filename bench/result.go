package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"millrace/internal/clock"
)

// line is what a run prints.
type line interface {
	// checkpointed returns how many checkpoints completed.
	checkpointed() int
}

// about begins every line.
type about struct {
	Scenario       string `json:"scenario"`
	Command        string `json:"command"`
	Commit         string `json:"commit"`
	Machine        string `json:"machine"`
	Time           string `json:"time"`
	Parallelism    int    `json:"parallelism"`
	PreAggregation bool   `json:"pre_aggregation"`
	Remote         bool   `json:"remote,omitempty"`
}

// result is the line of a run of the main job. Events are the rows that the
// sources gave.
type result struct {
	about
	EventRate          int64        `json:"event_rate"`
	Events             int64        `json:"events"`
	RowsOut            int64        `json:"rows_out"`
	Seconds            float64      `json:"seconds"`
	CPUSeconds         float64      `json:"cpu_seconds"`
	EventsPerSecond    float64      `json:"events_per_second"`
	EventsPerCPUSecond float64      `json:"events_per_cpu_second"`
	AllocsPerEvent     float64      `json:"allocs_per_event"`
	Collections        uint32       `json:"gc_cycles"`
	PeakResidentBytes  int64        `json:"peak_resident_bytes"` // of the process so far, or of all of them together, prepared batches included
	CheckpointSeconds  float64      `json:"checkpoint_interval_seconds"`
	Checkpoints        []checkpoint `json:"checkpoints"`
	AnswerChecked      bool         `json:"answer_checked"`
}

// crossingResult is the line of a run whose rows all go between processes. CPU
// seconds are those of the task managers' processes alone, each by its own
// getrusage from the moment before the sources are let go to the one behind the
// job's end, added up; those of the job manager's process, with etcd, stand apart.
type crossingResult struct {
	result
	Processes              int     `json:"task_manager_processes"`
	RowsCrossed            int64   `json:"rows_crossed"`
	CoordinationCPUSeconds float64 `json:"coordination_cpu_seconds"`
}

func (r *result) checkpointed() int { return len(r.Checkpoints) }

// checkpoint is a completed one.
type checkpoint struct {
	Millis       int64 `json:"millis"`
	WrittenBytes int64 `json:"written_bytes"`
	StateBytes   int64 `json:"state_bytes"`
}

// usage is what the process has used so far, with its children.
type usage struct {
	at          time.Time
	cpu         time.Duration
	residentMax int64
	mallocs     uint64
	collections uint32
}

func usageNow() usage {
	u := usage{at: clock.System().Now()}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			continue // never for these two
		}
		u.cpu += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		u.residentMax = max(u.residentMax, r.Maxrss<<10)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.mallocs, u.collections = m.Mallocs, m.NumGC
	return u
}

func command() string { return "go run ./bench " + strings.Join(os.Args[1:], " ") }

// commit names the commit that is checked out, with a mark where files differ
// from it.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func machine() string {
	return fmt.Sprintf("%s, %d cores, %s, %s/%s", processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// processor returns the model as Linux names it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
