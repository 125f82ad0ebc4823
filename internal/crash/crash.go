// Package crash has named crash points: places between two durable steps at
// which a test ends the process, as kill -9 would. They cost a load of an
// atomic pointer, do nothing unless Arm was called, and stand in production
// code so that what is proved is what runs. The millrace command calls Arm with
// the value of Env in invariant builds only; test binaries do as they like.
package crash

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Env is the variable that arms a crash point in a process: "name" or "name@n"
// for the n-th time it is passed. "pause:" before it stops the process there, as
// SIGSTOP would, until somebody continues it: what it had decided to write, it
// writes then. "order:" before the path of a file takes the name from there, with
// or without "pause:", as soon as the file is there: the process that comes to the
// point takes the file away and does as it says, once for each file.
const Env = "MILLRACE_CRASH_POINT"

// Points are the names that stand in the code, in the order in which a
// checkpoint passes them. A test that claims coverage goes through this list.
var Points = []string{
	BeforePrepare, AfterPrepare, BeforeManifest, BeforeComplete, AfterComplete, BeforeCommit, AfterCommit, InFinalCheckpoint,
}

// Writes are the points behind each of which a job manager makes one write that it has decided. BeforeRecord is not among
// Points: no checkpoint passes it.
var Writes = []string{BeforeManifest, BeforeComplete, BeforeRecord}

// SavepointPoints are those that a savepoint passes, beside those of its checkpoint, in their order.
var SavepointPoints = []string{BeforeCopy, BeforeSavepointManifest, BeforeSavepoint, AfterSavepoint}

// TierPoints are those of the state tier, which no checkpoint has to pass.
var TierPoints = []string{BeforeTierFlush, InTierFlush, AfterTierFlush}

// All returns every name there is.
func All() []string {
	return slices.Concat(Points, []string{BeforeRecord}, SavepointPoints, TierPoints)
}

// The names.
const (
	BeforePrepare     = "before-prepare"      // the barrier is at the sink, nothing is flushed
	AfterPrepare      = "after-prepare"       // flushed and marked, not acknowledged
	BeforeManifest    = "before-manifest"     // all acknowledged, nothing written
	BeforeComplete    = "before-complete"     // the manifest is written, the checkpoint not complete
	AfterComplete     = "after-complete"      // complete, no committer told
	BeforeCommit      = "before-commit"       // the committer is told of something to commit, nothing sent
	AfterCommit       = "after-commit"        // it is committed, nobody told
	InFinalCheckpoint = "in-final-checkpoint" // the final checkpoint is complete, its commit not
	BeforeRecord      = "before-record"       // the job is to be cancelled, stopped, rescaled or ended, and its record is not written

	BeforeCopy              = "before-copy"               // a task's state is about to be copied into a savepoint
	BeforeSavepointManifest = "before-savepoint-manifest" // everything is copied and confirmed, no manifest written
	BeforeSavepoint         = "before-savepoint"          // the manifest is written, the savepoint is in no record
	AfterSavepoint          = "after-savepoint"           // the savepoint is whole, nobody told

	BeforeTierFlush = "before-tier-flush" // rows are about to leave memory
	InTierFlush     = "in-tier-flush"     // some are written
	AfterTierFlush  = "after-tier-flush"  // all are written, nobody knows where
)

type plan struct {
	name  string
	pause bool
	left  atomic.Int64
	// orders is the file that names the point, if any; the rest is not used then.
	orders string
}

const (
	pausePrefix  = "pause:"
	ordersPrefix = "order:"
)

var armed atomic.Pointer[plan]

// Arm makes the process end at a point. The text is that of Env; empty disarms.
func Arm(text string) error {
	if text == "" {
		armed.Store(nil)
		return nil
	}
	if orders, ok := strings.CutPrefix(text, ordersPrefix); ok {
		armed.Store(&plan{orders: orders})
		return nil
	}
	text, pause := strings.CutPrefix(text, pausePrefix)
	name, times, found := strings.Cut(text, "@")
	n := int64(1)
	if found {
		var err error
		if n, err = strconv.ParseInt(times, 10, 64); err != nil || n < 1 {
			return fmt.Errorf("crash point %q: want name or name@n", text)
		}
	}
	if slices.Contains(All(), name) {
		a := &plan{name: name, pause: pause}
		a.left.Store(n)
		armed.Store(a)
		return nil
	}
	return fmt.Errorf("crash point %q is not one of %v", name, All())
}

// Order makes the process that was armed with "order:" and that path pause at a point, or end there. It returns when the
// order is given, not when it is carried out.
func Order(path, point string, pause bool) error {
	if pause {
		point = pausePrefix + point
	}
	// The file appears whole.
	draft := path + ".draft"
	if err := os.WriteFile(draft, []byte(point), 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// ordered takes an order for a point. Of several that come to it, one gets it.
func (p *plan) ordered(name string) (pause, mine bool) {
	text, err := os.ReadFile(p.orders)
	if err != nil {
		return false, false // most of the time there is none
	}
	point, pause := strings.CutPrefix(string(text), pausePrefix)
	return pause, point == name && os.Remove(p.orders) == nil
}

type instead struct{}

// Instead returns a context in which points that are passed by In call f and nothing else: for processes of a simulator,
// of which many are in one of the operating system.
func Instead(ctx context.Context, f func(name string)) context.Context {
	return context.WithValue(ctx, instead{}, f)
}

// In is Here, for a caller that has a context.
func In(ctx context.Context, name string) {
	if f, ok := ctx.Value(instead{}).(func(string)); ok {
		f(name)
		return
	}
	Here(name)
}

// Here ends the process if the point is armed and its turn has come.
func Here(name string) {
	a := armed.Load()
	if a == nil {
		return
	}
	pause := a.pause
	if a.orders != "" {
		var mine bool
		if pause, mine = a.ordered(name); !mine {
			return
		}
	} else if a.name != name || a.left.Add(-1) != 0 {
		return
	}
	if pause {
		fmt.Fprintf(os.Stderr, "pauses at %s\n", name)
		stop()
		fmt.Fprintf(os.Stderr, "goes on at %s\n", name)
		return
	}
	fmt.Fprintf(os.Stderr, "crash point %s\n", name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
