package sdktest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/checkpoint"
	"millrace/cmd/cluster"
	"millrace/exchange/local"
	"millrace/internal/clock"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/sdk"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// T is what a pipeline needs of a test: a *testing.T, a *testing.B or a *testing.F.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Options say how a job runs. The zero value is good.
type Options struct {
	// Args are the arguments of the job, Env what Require finds.
	Args []string
	Env  map[string]string
	// Program are the options of the program whose job it is: SQL knows its sources and sinks by their names. They are replaced as all others are.
	Program []sdk.MainOption
	// Parallelism is that of operators that name none; 0 is the job's, and where it names none, 1.
	Parallelism int
	// Splits says how many splits a source has, by its uid or that of its statement of SQL: 1 where it is not named. Push fills the first.
	Splits map[string]int
	// Now is where processing time begins; the zero time is 2024-01-01 00:00:00 UTC.
	Now time.Time
	// Seed shuffles what happens at the same time: tasks take their turns by chance, batches are small, and so is what fits between two tasks.
	// 0 does not: each task in the order of the graph does what it can.
	Seed uint64
	// AllowDropped lets Upgrade leave state behind for which the new job has no place.
	AllowDropped bool
}

// Pipeline is a job that runs in a test. It ends with the test.
type Pipeline struct {
	t       T
	o       Options
	clock   *clock.Manual
	chance  *rand.Rand // nil: none
	pool    stream.Pool
	store   blobstore.Store
	backend *columnar.Backend
	network *local.Network
	wiring  *cluster.Wiring

	program *program
	sources map[string]*source
	sinks   map[string]*sink
	// moments are the calls that made something come in, all of them in order.
	moments []moment
	attempt *attempt // nil: the job has failed
	number  types.Attempt
	steps   int // after how many a job is taken for one that never comes to rest
	latest  complete
	ended   bool // the last checkpoint is complete

	checkpoints types.CheckpointID // the last that was triggered
	failed      error
	refusal     error // of an Upgrade: the job runs on
	expecting   bool  // somebody wants a failure
}

// complete is a checkpoint that is complete, and what had come in before it.
type complete struct {
	checkpoint.Pointer
	manifest *checkpointv1.Manifest
	moments  int
}

// beginning is where processing time begins where nobody says.
var beginning = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// Start describes a job and runs it. Everything that is wrong with the description fails the test, at once.
func Start(t T, job func(*sdk.Env), o Options) *Pipeline {
	t.Helper()
	p := newPipeline(t, o)
	program, err := p.describe(job)
	if err != nil {
		t.Fatalf("the job can't run: %v", err)
		return nil
	}
	p.use(program)
	t.Cleanup(p.close)
	if err := p.deploy(); err != nil {
		t.Fatalf("the job does not start: %v", err)
	}
	return p
}

// Refused describes a job that can't be, and returns the error that lists everything that is wrong. A job that can be fails the test.
func Refused(t T, job func(*sdk.Env), o Options) error {
	t.Helper()
	if _, err := newPipeline(t, o).describe(job); err != nil {
		return err
	}
	t.Errorf("nothing is wrong with the job")
	return nil
}

func newPipeline(t T, o Options) *Pipeline {
	t.Helper()
	for source, n := range o.Splits {
		if n < 1 || n > splitsMax {
			t.Fatalf("Options.Splits: the source %q can't have %d splits, but 1 to %d", source, n, splitsMax)
		}
	}
	if o.Now.IsZero() {
		o.Now = beginning
	}
	p := &Pipeline{
		t: t, o: o, clock: clock.NewManual(o.Now), backend: columnar.New(), network: local.NewNetwork(), wiring: cluster.NewWiring(nil),
		sources: make(map[string]*source), sinks: make(map[string]*sink), steps: stepsMax,
	}
	p.store = memory.New(p.clock)
	if o.Seed != 0 {
		p.chance = rand.New(rand.NewPCG(o.Seed, 0))
	}
	return p
}

// use makes the pipeline one of a program. What was pushed and written stays, under the uids.
func (p *Pipeline) use(program *program) {
	p.program = program
	for i := range program.graph.Vertices {
		v := &program.graph.Vertices[i]
		if v.Source != nil {
			p.useSource(v.Source)
		}
		if v.Sink != nil && p.sinks[string(v.Sink.UID)] == nil {
			p.sinks[string(v.Sink.UID)] = &sink{pipeline: p}
		}
		if v.Sink != nil {
			p.sinks[string(v.Sink.UID)].schema = program.flows[v.ID].Output(v.Source, 0)
		}
	}
}

// rowsMax is the largest batch.
func (p *Pipeline) rowsMax() int {
	if p.chance != nil {
		return seededRowsMax
	}
	return stream.RowsMax
}

// Now returns processing time.
func (p *Pipeline) Now() time.Time { return p.clock.Now().UTC() }

// Advance lets processing time pass. Whatever is due on the way happens at its time, one after the other.
func (p *Pipeline) Advance(d time.Duration) {
	p.t.Helper()
	if !p.runs() {
		return
	}
	p.check(p.attempt.advance(p.clock.NowMillis() + d.Milliseconds()))
}

// Checkpoint takes a checkpoint: what sinks have written before is committed, and Crash goes back no further.
func (p *Pipeline) Checkpoint() {
	p.t.Helper()
	if p.runs() && !p.ended {
		p.check(p.attempt.checkpoint(checkpoint.Periodic))
	}
}

// Crash loses everything since the last checkpoint, runs the job again from there, and makes what came in since come in again. It also
// brings back a job that has failed.
func (p *Pipeline) Crash() {
	p.t.Helper()
	p.halt()
	p.failed, p.ended = nil, false
	p.restart()
}

// Rescale takes a checkpoint and goes on from it with another parallelism, of operators that name none. One at which the job can't run is refused.
func (p *Pipeline) Rescale(parallelism int) {
	p.t.Helper()
	if !p.runs() {
		return
	}
	if p.ended {
		p.t.Fatalf("the job has ended")
		return
	}
	if parallelism < 1 {
		p.t.Fatalf("a job can't run with parallelism %d", parallelism)
		return
	}
	if !p.check(p.attempt.checkpoint(checkpoint.Periodic)) {
		return
	}
	was := p.o.Parallelism
	p.o.Parallelism = parallelism
	again, err := p.describe(p.program.job)
	if err != nil {
		p.o.Parallelism = was
		p.refuse(fmt.Errorf("the job can't run with parallelism %d: %w", parallelism, err))
		return
	}
	p.halt()
	p.use(again)
	p.restart()
}

// Failure makes calls of which one is to make the job fail, and returns the error; that none does fails the test. The calls behind that one do nothing. A job that has failed
// stands still until Crash; one that refused an Upgrade, or a Rescale, runs on.
func (p *Pipeline) Failure(calls func()) error {
	p.t.Helper()
	p.expecting = true
	p.refusal = nil
	calls()
	p.expecting = false
	err := p.failed
	if p.refusal != nil {
		err, p.refusal = p.refusal, nil
	}
	if err == nil {
		p.t.Errorf("the job has not failed")
	}
	return err
}

// runs tells whether there is a job that runs: otherwise the test fails, but where it is what was asked for.
func (p *Pipeline) runs() bool {
	p.t.Helper()
	if p.failed != nil && !p.expecting {
		p.t.Fatalf("the job has failed, and Crash was not called: %v", p.failed)
	}
	return p.failed == nil && p.refusal == nil
}

// check ends a job that has failed. It tells whether it has not.
func (p *Pipeline) check(err error) bool {
	p.t.Helper()
	if err != nil {
		p.halt()
		p.fail(err)
	}
	return err == nil
}

func (p *Pipeline) fail(err error) {
	p.t.Helper()
	p.failed = err
	if !p.expecting {
		p.t.Fatalf("the job fails: %v", err)
	}
}
