package sdk

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
)

// Env is a job that is being described. It is made by Main, or by a test, and is for one goroutine.
//
// What is wrong with a description does not end it: everything that is, is said at once when it is complete, each with the file and line of the call. A stream
// that could not be made may be used like any other.
type Env struct {
	args     []string
	getenv   func(string) (string, bool)
	asked    map[string]string // of the environment
	job      Job
	nodes    []*node
	counts   map[string]int // of operators without a uid, by what they are
	problems failure.Problems
	sql      *sql // nil: the job has no SQL yet
	own      *connected
}

// Job is what a job is as a whole. Zero fields leave it to the configuration, as they do in SQL.
type Job struct {
	// Name is what people see; "" is the name of the program.
	Name string
	// Parallelism is that of operators that name none.
	Parallelism int
	// MaxParallelism is in how many key groups state by key is dealt out: no operator that keeps any can have more tasks, and a savepoint can't be read with another.
	MaxParallelism int
	// Checkpoint is how often checkpoints are taken; CheckpointTimeout aborts one that takes longer.
	Checkpoint        time.Duration
	CheckpointTimeout time.Duration
	// Unaligned lets barriers overtake rows.
	Unaligned bool
	// RestartAttempts bounds restarts, with RestartDelay between them; 0 restarts for ever, with a growing delay.
	RestartAttempts int
	RestartDelay    time.Duration
	// BufferTimeout is how long a row may wait for company in front of an exchange.
	BufferTimeout time.Duration
	// WatermarkInterval is how often sources say what time it is.
	WatermarkInterval time.Duration
	// Zone is the time zone of SQL within the job.
	Zone string
	// Labels must be on the task managers that run the job.
	Labels map[string]string
}

// NewEnv returns an empty job that was given arguments. getenv is asked by Require. Of the options, which are Main's, it takes the sources and sinks.
func NewEnv(args []string, getenv func(string) (string, bool), options ...MainOption) *Env {
	var o mainOptions
	for _, set := range options {
		set(&o)
	}
	e := &Env{args: args, getenv: getenv, asked: make(map[string]string), counts: make(map[string]int), own: new(connected)}
	e.connect(&o.own)
	return e
}

// Args are the arguments of the job: what stands behind -- on the command line. They travel with the job: whoever runs a task of it gets them too.
func (e *Env) Args() []string { return e.args }

// Require returns a variable of the environment of whoever submits the job. Its value travels with the job, so that the job is the same where it runs: ask for
// variables here, never by os.Getenv. A variable that is not set is a problem of the description.
func (e *Env) Require(name string) string {
	value, ok := e.getenv(name)
	if !ok {
		e.problem(failure.Message{Primary: "the environment has no " + name, Hint: "set it where the job is submitted"})
		return ""
	}
	e.asked[name] = value
	return value
}

// Configure says what the job is as a whole. The last call counts.
func (e *Env) Configure(j Job) { e.job = j }

// Problemf notes what keeps the job from being described, with the file and line of whoever calls.
func (e *Env) Problemf(format string, args ...any) {
	e.problem(failure.Message{Primary: fmt.Sprintf(format, args...)})
}

func (e *Env) problem(m failure.Message) {
	m.Primary = callSite() + ": " + m.Primary
	e.problems.Add(m)
}

// ownPackages are those whose frames are none of the user's.
var ownPackages = []string{"millrace/sdk.", "millrace/sdk/sdktest."}

// callSite returns the file and line of the user's call that led here.
func callSite() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !isOwn(f.Function) {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return "?"
		}
	}
}

func isOwn(function string) bool {
	for _, p := range ownPackages {
		if strings.HasPrefix(function, p) {
			return true
		}
	}
	return false
}

// graph returns what of the graph the job says as a whole.
func (j *Job) graph() *jobgraph.Graph {
	g := &jobgraph.Graph{
		Name: j.Name, Parallelism: j.Parallelism, MaxParallelism: j.MaxParallelism, BufferTimeout: j.BufferTimeout,
		WatermarkInterval: j.WatermarkInterval, Zone: j.Zone, TaskManagerLabels: j.Labels,
		Checkpoint: jobgraph.CheckpointSpec{Interval: j.Checkpoint, Timeout: j.CheckpointTimeout, Unaligned: j.Unaligned},
	}
	if j.RestartAttempts > 0 {
		g.Restart = jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: j.RestartAttempts, Delay: j.RestartDelay}
	} else if j.RestartDelay > 0 {
		g.Restart.Delay = j.RestartDelay
	}
	return g
}
