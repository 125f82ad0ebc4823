package metrics

import (
	"math"
	"sync/atomic"
)

// cacheLine keeps blocks of counters apart. Adjacent lines are fetched in pairs, hence two.
const cacheLine = 128

// Counter only grows. The zero value is 0.
type Counter struct{ v atomic.Int64 }

// Add adds n, once a batch.
func (c *Counter) Add(n int64) { c.v.Add(n) }

// Load returns the count.
func (c *Counter) Load() int64 { return c.v.Load() }

// Gauge is a value that comes and goes. It is absent until it is set.
type Gauge struct {
	v   atomic.Int64
	set atomic.Bool
}

// Set gives the gauge a value.
func (g *Gauge) Set(n int64) {
	g.v.Store(n)
	if !g.set.Load() {
		g.set.Store(true)
	}
}

// Load returns the value and whether there is one.
func (g *Gauge) Load() (int64, bool) { return g.v.Load(), g.set.Load() }

// Task counts what one task does. The task alone writes it, once a batch or less often.
type Task struct {
	_ [cacheLine]byte

	// Rows and bytes through the task's gates and outlets; for sources and sinks, from and to the outside.
	RecordsIn, RecordsOut Counter
	BytesIn, BytesOut     Counter
	// Rows that end here. With those passed on and those in flight they add up to RecordsIn.
	Filtered    Counter // a condition did not hold
	Folded      Counter // went into state
	LateDropped Counter // behind the watermark
	Expired     Counter // their state was too old
	Skipped     Counter // could not be used, on-error = skip
	DeadLetters Counter // could not be used, on-error = dead-letter

	// Where the task's time goes, in nanoseconds: working, without input, without credit.
	BusyNanos, IdleNanos, BackPressuredNanos Counter

	// InputWatermark and OutputWatermark are in milliseconds since the epoch.
	InputWatermark, OutputWatermark Gauge

	// The task's part of its last checkpoint: from barrier to uploaded, in milliseconds, and the bytes written; how long the
	// alignment took and how old the barrier was when it arrived, in nanoseconds; and the bytes stored of what the barrier
	// overtook.
	CheckpointMillis, CheckpointBytes Gauge
	PersistedBytes                    Gauge
	AlignmentNanos, StartDelayNanos   Gauge

	_ [cacheLine]byte

	scope *scope
	view  view
}

// Job counts what happens to one job as a whole. Its shell writes it.
type Job struct {
	_ [cacheLine]byte

	Restarts             Counter
	CheckpointsTriggered Counter
	CheckpointsCompleted Counter
	CheckpointsFailed    Counter
	// LedgerDiscrepancies are sums of rows that did not meet, of all checkpoints.
	LedgerDiscrepancies Counter
	// What reading the files of retained checkpoints has found.
	ScrubbedBytes Counter
	DamagedFiles  Gauge

	// The last completed checkpoint.
	CheckpointID        Gauge
	CheckpointMillis    Gauge
	CheckpointBytes     Gauge // written
	CheckpointFullBytes Gauge // read by a restore
	PersistedBytes      Gauge // of those written, what barriers overtook

	_ [cacheLine]byte

	scope *scope
}

// JobManager counts what a job manager does beside any one job, and what must be readable when a job's own figures are gone
// with the leadership. All of the process may write it.
type JobManager struct {
	RefusedCheckpoints Counter
	// RefusedWrites are those to the coordination store, of completed checkpoints among others.
	RefusedWrites Counter

	scope *scope
}

// figure ties a published name to the counter it is read from.
type figure[T any] struct {
	name    string
	help    string
	counter bool
	read    func(*T) (int64, bool)
}

func counted[T any](name, help string, at func(*T) *Counter) figure[T] {
	return figure[T]{name, help, true, func(t *T) (int64, bool) { return at(t).Load(), true }}
}

func gauged[T any](name, help string, at func(*T) *Gauge) figure[T] {
	return figure[T]{name, help, false, func(t *T) (int64, bool) { return at(t).Load() }}
}

func millis(name, help string, at func(*Task) *Counter) figure[Task] {
	return figure[Task]{name, help, true, func(t *Task) (int64, bool) { return at(t).Load() / 1_000_000, true }}
}

// The names of a task's figures. Those that Flink has are Flink's.
const (
	NumRecordsIn                  = "numRecordsIn"
	NumRecordsOut                 = "numRecordsOut"
	NumBytesIn                    = "numBytesIn"
	NumBytesOut                   = "numBytesOut"
	NumRecordsFiltered            = "numRecordsFiltered"
	NumRecordsFolded              = "numRecordsFolded"
	NumLateRecordsDropped         = "numLateRecordsDropped"
	NumRecordsExpired             = "numRecordsExpired"
	NumRecordsSkipped             = "numRecordsSkipped"
	NumDeadLetters                = "numDeadLetters"
	AccumulateBusyTimeMs          = "accumulateBusyTimeMs"
	AccumulateIdleTimeMs          = "accumulateIdleTimeMs"
	AccumulateBackPressuredTimeMs = "accumulateBackPressuredTimeMs"
	CurrentInputWatermark         = "currentInputWatermark"
	CurrentOutputWatermark        = "currentOutputWatermark"
	CheckpointAlignmentTime       = "checkpointAlignmentTime"
	CheckpointStartDelayNanos     = "checkpointStartDelayNanos"
	NumRecordsInPerSecond         = "numRecordsInPerSecond"
	NumRecordsOutPerSecond        = "numRecordsOutPerSecond"
	NumBytesInPerSecond           = "numBytesInPerSecond"
	NumBytesOutPerSecond          = "numBytesOutPerSecond"
	BusyTimeMsPerSecond           = "busyTimeMsPerSecond"
	IdleTimeMsPerSecond           = "idleTimeMsPerSecond"
	BackPressuredTimeMsPerSecond  = "backPressuredTimeMsPerSecond"
	LastCheckpointDuration        = "lastCheckpointDuration" // of a job, and of a task's part
	LastCheckpointSize            = "lastCheckpointSize"     // of a job, and of a task's part
	LastCheckpointFullSize        = "lastCheckpointFullSize"
	LastCheckpointPersistedData   = "lastCheckpointPersistedData" // of a job, and of a task's part
	LastCompletedCheckpointID     = "lastCompletedCheckpointId"
	TotalNumberOfCheckpoints      = "totalNumberOfCheckpoints"
	NumberOfCompletedCheckpoints  = "numberOfCompletedCheckpoints"
	NumberOfFailedCheckpoints     = "numberOfFailedCheckpoints"
	NumberOfInProgressCheckpoints = "numberOfInProgressCheckpoints"
	NumRestarts                   = "numRestarts"
	NumberOfLedgerDiscrepancies   = "numberOfLedgerDiscrepancies"
	NumScrubbedBytes              = "numScrubbedBytes"
	NumberOfDamagedStateFiles     = "numberOfDamagedStateFiles"
	NumberOfRefusedCheckpoints    = "numberOfRefusedCheckpoints" // of a job manager
	NumberOfRefusedWrites         = "numberOfRefusedWrites"      // of a job manager
)

var taskFigures = []figure[Task]{
	counted(NumRecordsIn, "Rows received.", func(t *Task) *Counter { return &t.RecordsIn }),
	counted(NumRecordsOut, "Rows emitted.", func(t *Task) *Counter { return &t.RecordsOut }),
	counted(NumBytesIn, "Bytes received.", func(t *Task) *Counter { return &t.BytesIn }),
	counted(NumBytesOut, "Bytes emitted.", func(t *Task) *Counter { return &t.BytesOut }),
	counted(NumRecordsFiltered, "Rows for which a condition did not hold.", func(t *Task) *Counter { return &t.Filtered }),
	counted(NumRecordsFolded, "Rows that went into state.", func(t *Task) *Counter { return &t.Folded }),
	counted(NumLateRecordsDropped, "Rows behind the watermark.", func(t *Task) *Counter { return &t.LateDropped }),
	counted(NumRecordsExpired, "Rows whose state was too old.", func(t *Task) *Counter { return &t.Expired }),
	counted(NumRecordsSkipped, "Records that could not be used and were skipped.", func(t *Task) *Counter { return &t.Skipped }),
	counted(NumDeadLetters, "Records that could not be used and were put aside.", func(t *Task) *Counter { return &t.DeadLetters }),
	millis(AccumulateBusyTimeMs, "Time spent working, or waiting for the services of async functions.", func(t *Task) *Counter { return &t.BusyNanos }),
	millis(AccumulateIdleTimeMs, "Time spent without input.", func(t *Task) *Counter { return &t.IdleNanos }),
	millis(AccumulateBackPressuredTimeMs, "Time spent without credit.", func(t *Task) *Counter { return &t.BackPressuredNanos }),
	gauged(CurrentInputWatermark, "Watermark received, milliseconds since the epoch.", func(t *Task) *Gauge { return &t.InputWatermark }),
	gauged(CurrentOutputWatermark, "Watermark emitted, milliseconds since the epoch.", func(t *Task) *Gauge { return &t.OutputWatermark }),
	gauged(LastCheckpointDuration, "From barrier to uploaded, milliseconds.", func(t *Task) *Gauge { return &t.CheckpointMillis }),
	gauged(LastCheckpointSize, "Bytes written for the last checkpoint.", func(t *Task) *Gauge { return &t.CheckpointBytes }),
	gauged(LastCheckpointPersistedData, "Of those, bytes of rows that the barrier overtook.", func(t *Task) *Gauge { return &t.PersistedBytes }),
	gauged(CheckpointAlignmentTime, "Alignment of the last barrier, nanoseconds.", func(t *Task) *Gauge { return &t.AlignmentNanos }),
	gauged(CheckpointStartDelayNanos, "Age of the last barrier at its arrival, nanoseconds.", func(t *Task) *Gauge { return &t.StartDelayNanos }),
}

var jobFigures = []figure[Job]{
	counted(NumRestarts, "Restarts since the job was submitted or its leader began.", func(j *Job) *Counter { return &j.Restarts }),
	counted(TotalNumberOfCheckpoints, "Checkpoints triggered.", func(j *Job) *Counter { return &j.CheckpointsTriggered }),
	counted(NumberOfCompletedCheckpoints, "Checkpoints completed.", func(j *Job) *Counter { return &j.CheckpointsCompleted }),
	counted(NumberOfFailedCheckpoints, "Checkpoints given up.", func(j *Job) *Counter { return &j.CheckpointsFailed }),
	counted(NumberOfLedgerDiscrepancies, "Sums over the rows of a checkpoint that did not meet: 0, or there is a bug.", func(j *Job) *Counter { return &j.LedgerDiscrepancies }),
	counted(NumScrubbedBytes, "Bytes of retained checkpoints that were read only to find out whether they are whole.", func(j *Job) *Counter { return &j.ScrubbedBytes }),
	gauged(NumberOfDamagedStateFiles, "Files of retained checkpoints that were damaged when they were examined last.", func(j *Job) *Gauge { return &j.DamagedFiles }),
	{NumberOfInProgressCheckpoints, "Checkpoints triggered and not yet ended.", false, (*Job).inProgress},
	gauged(LastCompletedCheckpointID, "Id of the last completed checkpoint.", func(j *Job) *Gauge { return &j.CheckpointID }),
	gauged(LastCheckpointDuration, "From trigger to commit point, milliseconds.", func(j *Job) *Gauge { return &j.CheckpointMillis }),
	gauged(LastCheckpointSize, "Bytes written for the last checkpoint.", func(j *Job) *Gauge { return &j.CheckpointBytes }),
	gauged(LastCheckpointFullSize, "Bytes that a restore from the last checkpoint reads.", func(j *Job) *Gauge { return &j.CheckpointFullBytes }),
	gauged(LastCheckpointPersistedData, "Of those written, bytes of rows that barriers overtook.", func(j *Job) *Gauge { return &j.PersistedBytes }),
}

var jobManagerFigures = []figure[JobManager]{
	counted(NumberOfRefusedCheckpoints, "Checkpoints that it was about to complete when its leadership was over, and that were refused.",
		func(j *JobManager) *Counter { return &j.RefusedCheckpoints }),
	counted(NumberOfRefusedWrites, "Writes to etcd, of whatever is decided, that it attempted when its leadership was over, and that were refused.",
		func(j *JobManager) *Counter { return &j.RefusedWrites }),
}

// inProgress reads the ended ones first: a checkpoint that ends in between is then counted as running rather than
// making the figure negative.
func (j *Job) inProgress() (int64, bool) {
	ended := j.CheckpointsCompleted.Load() + j.CheckpointsFailed.Load()
	return max(0, j.CheckpointsTriggered.Load()-ended), true
}

// NoWatermark is what a watermark gauge need not be set to: an absent one says it already.
const NoWatermark = math.MinInt64

// SetWatermark sets g unless the watermark is still NoWatermark.
func (g *Gauge) SetWatermark(millis int64) {
	if millis != NoWatermark {
		g.Set(millis)
	}
}
