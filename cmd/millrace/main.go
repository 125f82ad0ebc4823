package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"millrace/cmd/cluster"
	"millrace/internal/clock"
	"millrace/internal/crash"
)

// version is set by the linker.
var version = "unknown"

func main() { os.Exit(run()) }

// run is main with a result. The first signal ends the work in order, the second one the process.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	cluster.TuneMemory()
	a := &app{version: version, environ: os.Environ()}
	if err := errors.Join(armCrashPoint(os.Getenv(crash.Env)), setClockWrong(os.Getenv(clock.OffsetEnv))); err != nil {
		return a.report(os.Stderr, err)
	}
	return a.report(os.Stderr, newRoot(a).ExecuteContext(ctx))
}
