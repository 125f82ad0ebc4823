// Package crash has named crash points: places between two durable steps at
// which a test ends the process, as kill -9 would. They cost a load of an
// atomic pointer, do nothing unless Arm was called, and stand in production
// code so that what is proved is what runs. The millrace command calls Arm with
// the value of Env in invariant builds only; test binaries do as they like.
package crash

import (
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
// writes then.
const Env = "MILLRACE_CRASH_POINT"

// Points are the names that stand in the code, in the order in which a
// checkpoint passes them. A test that claims coverage goes through this list.
var Points = []string{
	BeforePrepare, AfterPrepare, BeforeManifest, BeforeComplete, AfterComplete, BeforeCommit, AfterCommit, InFinalCheckpoint,
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
)

type plan struct {
	name  string
	pause bool
	left  atomic.Int64
}

const pausePrefix = "pause:"

var armed atomic.Pointer[plan]

// Arm makes the process end at a point. The text is that of Env; empty disarms.
func Arm(text string) error {
	if text == "" {
		armed.Store(nil)
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
	if slices.Contains(Points, name) {
		a := &plan{name: name, pause: pause}
		a.left.Store(n)
		armed.Store(a)
		return nil
	}
	return fmt.Errorf("crash point %q is not one of %v", name, Points)
}

// Here ends the process if the point is armed and its turn has come.
func Here(name string) {
	a := armed.Load()
	if a == nil || a.name != name || a.left.Add(-1) != 0 {
		return
	}
	if a.pause {
		fmt.Fprintf(os.Stderr, "pauses at %s\n", name)
		stop()
		fmt.Fprintf(os.Stderr, "goes on at %s\n", name)
		return
	}
	fmt.Fprintf(os.Stderr, "crash point %s\n", name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
