package metrics_test

import (
	"errors"
	"math"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/clock"
	"millrace/internal/events"
	"millrace/internal/metrics"
)

var scope = metrics.TaskScope{Job: "j1", JobName: "bids", Vertex: "window", Subtask: 3}

const labels = `{job_id="j1",job_name="bids",subtask_index="3",task_name="window"} `

func newRegistry(t *testing.T) (*metrics.Registry, *clock.Manual) {
	t.Helper()
	c := clock.NewManual(time.UnixMilli(1_700_000_000_000))
	r, err := metrics.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// scrape returns the samples of /metrics that are ours.
func scrape(t *testing.T, r *metrics.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var ours strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "millrace_") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func wantLines(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, page)
		}
	}
}

// TestJobManager: a process that has none publishes nothing of it; one that has publishes zero, too.
func TestJobManager(t *testing.T) {
	r, _ := newRegistry(t)
	if page := scrape(t, r); page != "" {
		t.Errorf("nobody asked for a job manager's figures:\n%s", page)
	}
	const name = "millrace_jobmanager_numberOfRefusedCheckpoints "
	r.JobManager()
	wantLines(t, scrape(t, r), name+"0")
	r.JobManager().RefusedCheckpoints.Add(1)
	wantLines(t, scrape(t, r), name+"1")
}

func TestTaskUnderFlinksNames(t *testing.T) {
	r, c := newRegistry(t)
	task := r.Task(scope)
	task.RecordsIn.Add(1500)
	task.BytesOut.Add(1 << 20)
	task.LateDropped.Add(2)
	task.BusyNanos.Add(int64(1500 * time.Millisecond))
	task.InputWatermark.SetWatermark(42)
	task.OutputWatermark.SetWatermark(math.MinInt64)
	c.Advance(2 * time.Second)
	page := scrape(t, r)
	const prefix = "millrace_taskmanager_job_task_"
	wantLines(t, page,
		prefix+"numRecordsIn"+labels+"1500",
		prefix+"numRecordsInPerSecond"+labels+"750",
		prefix+"numBytesOut"+labels+"1.048576e+06",
		prefix+"numLateRecordsDropped"+labels+"2",
		prefix+"accumulateBusyTimeMs"+labels+"1500",
		prefix+"busyTimeMsPerSecond"+labels+"750",
		prefix+"currentInputWatermark"+labels+"42",
	)
	for _, absent := range []string{"currentOutputWatermark", "lastCheckpointDuration"} {
		if strings.Contains(page, absent) {
			t.Errorf("%s has no value, yet it is published", absent)
		}
	}
	r.RemoveTask(task)
	if page := scrape(t, r); strings.Contains(page, "numRecordsIn") {
		t.Errorf("a removed task is published:\n%s", page)
	}
}

func TestRatesCoverTheTimeSinceTheyWereRead(t *testing.T) {
	r, c := newRegistry(t)
	task := r.Task(scope)
	read := func() int64 { return r.Snapshot().Tasks[0].Figures[metrics.NumRecordsInPerSecond] }
	task.RecordsIn.Add(100)
	c.Advance(time.Second)
	first := read()
	task.RecordsIn.Add(1000)
	c.Advance(999 * time.Millisecond)
	tooEarly := read()
	c.Advance(time.Millisecond)
	second := read()
	c.Advance(time.Minute)
	quiet := read()
	if diff := cmp.Diff([]int64{100, 100, 1000, 0}, []int64{first, tooEarly, second, quiet}); diff != "" {
		t.Error(diff)
	}
}

func TestJobCountsItsOwnEvents(t *testing.T) {
	r, _ := newRegistry(t)
	job := r.Job(metrics.JobScope{Job: "j1", JobName: "bids"})
	l := events.Tee(job.Listener("j1"))
	for _, id := range []string{"j1", "other"} {
		l.CheckpointTriggered(events.CheckpointTriggeredInfo{Job: id, Checkpoint: 7})
		l.CheckpointTriggered(events.CheckpointTriggeredInfo{Job: id, Checkpoint: 8})
		l.CheckpointTriggered(events.CheckpointTriggeredInfo{Job: id, Checkpoint: 9})
		l.CheckpointCompleted(events.CheckpointCompletedInfo{Job: id, Checkpoint: 7, Duration: time.Second, Bytes: 10, FullBytes: 99})
		l.CheckpointFailed(events.CheckpointFailedInfo{Job: id, Checkpoint: 8, Err: errors.New("x")})
		l.Restart(events.RestartInfo{Job: id})
	}
	want := map[string]int64{
		metrics.NumRestarts: 1, metrics.TotalNumberOfCheckpoints: 3, metrics.NumberOfCompletedCheckpoints: 1,
		metrics.NumberOfFailedCheckpoints: 1, metrics.NumberOfLedgerDiscrepancies: 0, metrics.NumScrubbedBytes: 0, metrics.NumberOfInProgressCheckpoints: 1, metrics.LastCompletedCheckpointID: 7,
		metrics.LastCheckpointDuration: 1000, metrics.LastCheckpointSize: 10, metrics.LastCheckpointPersistedData: 0, metrics.LastCheckpointFullSize: 99,
	}
	if diff := cmp.Diff(want, r.Snapshot().Jobs[0].Figures); diff != "" {
		t.Error(diff)
	}
	wantLines(t, scrape(t, r), `millrace_jobmanager_job_numRestarts{job_id="j1",job_name="bids"} 1`)
	r.RemoveJob(job)
	if n := len(r.Snapshot().Jobs); n != 0 {
		t.Errorf("%d jobs after the removal", n)
	}
}

func TestRegisteredFunctions(t *testing.T) {
	r, _ := newRegistry(t)
	task, other := r.Task(scope), r.Task(metrics.TaskScope{Job: "j1", JobName: "bids", Vertex: "source"})
	job := r.Job(metrics.JobScope{Job: "j1", JobName: "bids"})
	lag, known := int64(17), true
	read := func() (int64, bool) { return lag, known }
	for _, err := range []error{
		r.TaskGauge(task, "pendingRecords", "Records to read.", read),
		r.TaskGauge(other, "pendingRecords", "Records to read.", func() (int64, bool) { return 1, true }),
		r.JobGauge(job, "slots", "Slots in use.", func() (int64, bool) { return 4, true }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, scrape(t, r), "millrace_taskmanager_job_task_pendingRecords"+labels+"17",
		`millrace_taskmanager_job_task_pendingRecords{job_id="j1",job_name="bids",subtask_index="0",task_name="source"} 1`,
		`millrace_jobmanager_job_slots{job_id="j1",job_name="bids"} 4`)
	if got := r.Snapshot().Tasks[1].Figures["pendingRecords"]; got != 17 {
		t.Errorf("snapshot says %d", got)
	}
	known = false
	if page := scrape(t, r); strings.Contains(page, "pendingRecords"+labels) {
		t.Errorf("no value, yet published:\n%s", page)
	}
	if err := r.TaskGauge(task, "not a name", "", read); err == nil {
		t.Error("a wrong name is accepted")
	}
}

func TestScrapeAndCountAtOnce(t *testing.T) {
	r, _ := newRegistry(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			task := r.Task(metrics.TaskScope{Job: "j", Vertex: "v", Subtask: i})
			_ = r.TaskGauge(task, "fill", "Of the gate.", func() (int64, bool) { return 1, true })
			for range 1000 {
				task.RecordsIn.Add(1)
				task.InputWatermark.Set(1)
			}
		})
	}
	for range 10 {
		scrape(t, r)
	}
	wg.Wait()
	var sum int64
	for _, task := range r.Snapshot().Tasks {
		sum += task.Figures[metrics.NumRecordsIn]
	}
	if sum != 4000 {
		t.Errorf("counted %d", sum)
	}
}

func TestMoreSeriesThanTheDefaultLimit(t *testing.T) {
	r, _ := newRegistry(t)
	const tasks = 2500 // the SDK's own limit is 2000
	for i := range tasks {
		r.Task(metrics.TaskScope{Job: "j", Vertex: "v", Subtask: i}).RecordsIn.Add(1)
	}
	if n := strings.Count(scrape(t, r), "_numRecordsIn{"); n != tasks {
		t.Errorf("%d series of %d", n, tasks)
	}
}

func TestCountersOfTwoTasksShareNoCacheLine(t *testing.T) {
	var tasks [2]metrics.Task
	last := uintptr(unsafe.Pointer(&tasks[0].StartDelayNanos))
	first := uintptr(unsafe.Pointer(&tasks[1].RecordsIn))
	if first-last < 128 {
		t.Errorf("%d bytes between the counters of two tasks", first-last)
	}
}

func BenchmarkCount(b *testing.B) {
	r, err := metrics.New(clock.System())
	if err != nil {
		b.Fatal(err)
	}
	task := r.Task(scope)
	b.ReportAllocs()
	for b.Loop() {
		task.RecordsIn.Add(8192)
		task.BytesIn.Add(1 << 20)
		task.InputWatermark.Set(1)
	}
}

// Figures of task managers are read at each scrape, and gone when they are removed.
func TestFiguresOfTaskManagers(t *testing.T) {
	r, err := metrics.New(clock.NewManual(time.Unix(0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	var sent metrics.Counter
	figures := []metrics.Figure{
		{Name: "sent", Help: "What was sent.", Counter: true, Read: sent.Load},
		{Name: "open", Help: "What is open.", Read: func() int64 { return 7 }},
	}
	remove, err := r.TaskManager("tm-1", figures)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.TaskManager("tm-2", figures[1:]); err != nil {
		t.Fatal(err)
	}
	sent.Add(3)
	wantLines(t, scrape(t, r), `millrace_taskmanager_sent{tm_id="tm-1"} 3`, `millrace_taskmanager_open{tm_id="tm-1"} 7`, `millrace_taskmanager_open{tm_id="tm-2"} 7`)
	sent.Add(1)
	wantLines(t, scrape(t, r), `millrace_taskmanager_sent{tm_id="tm-1"} 4`)
	remove()
	remove()
	if page := scrape(t, r); strings.Contains(page, "tm-1") || !strings.Contains(page, "tm-2") {
		t.Errorf("after the removal of tm-1:\n%s", page)
	}
	if _, err := r.TaskManager("tm-3", make([]metrics.Figure, metrics.FunctionsMax+1)); err == nil {
		t.Error("too many metrics are published")
	}
}
