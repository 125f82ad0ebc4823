package command

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"millrace/cmd/cluster"
	"millrace/internal/clock"
	"millrace/internal/crash"
	"millrace/taskmanager"
)

// Options say whose commands they are.
type Options struct {
	// Version is the engine's: processes of one cluster have the same. "" is what the build says of the module millrace, or what the
	// linker was told (-X millrace/cmd/command.version).
	Version string
	// Program is the executable's own, with functions for jobs; nil for millrace's own binary. With one there are also submit and
	// explain, and run without a file; and whatever task manager the executable is carries it.
	Program taskmanager.Program
}

// version is set by the linker, where the executable says none.
var version string

// Main carries out what the command line says, and ends the process with the exit code. It does not return.
func Main(o Options) { os.Exit(run(o)) }

// run is Main with a result. The first signal ends the work in order, the second one the process.
func run(o Options) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	cluster.TuneMemory()
	a := &app{name: ownName, version: o.engine(), environ: os.Environ(), program: o.Program}
	if a.program != nil {
		a.name = a.program.Name()
		go a.program.Build() // it takes a moment, and most commands ask for it
	}
	if err := errors.Join(armCrashPoint(os.Getenv(crash.Env)), setClockWrong(os.Getenv(clock.OffsetEnv))); err != nil {
		return a.report(os.Stderr, err)
	}
	return a.report(os.Stderr, newRoot(a).ExecuteContext(ctx))
}

// ownName is the name of the binary without a program.
const ownName = "millrace"

// engine returns the engine's version.
func (o Options) engine() string {
	if o.Version != "" {
		return o.Version
	}
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == ownName {
				return m.Version
			}
		}
	}
	return "unknown"
}
