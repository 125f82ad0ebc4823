package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/internal/mutant"
)

// traceLines is how much of the trace of a failing seed is printed.
const traceLines = 40

// Print tells what became of a schedule: of a failing one the properties, the end of the trace and how to repeat it.
func (r Result) Print(out io.Writer) {
	fmt.Fprintf(out, "seed %d: %d events in %s, %d bids, %d windows, %d checkpoints, %s\n",
		r.Seed, r.Events, r.Simulated, r.Bids, r.Windows, r.Checkpoints, r.Ended)
	if len(r.Violations) == 0 {
		return
	}
	lines := strings.Split(strings.TrimSpace(r.Trace), "\n")
	for _, line := range lines[max(len(lines)-traceLines, 0):] {
		fmt.Fprintf(out, "  %s\n", line)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(out, "seed %d violates %s: %s\n", r.Seed, v.Property, v.Detail)
	}
	fmt.Fprintf(out, "repeat: go run -tags invariants ./sim/run -seed %d -trace\n", r.Seed)
}

// each plays seeds, some at a time, and hands the results over in the order of the seeds until take says that it has enough.
func each(from uint64, n, workers int, take func(Result) bool) {
	workers = max(workers, 1)
	for first := 0; first < n; first += workers {
		results := make([]Result, min(workers, n-first))
		var wait sync.WaitGroup
		for i := range results {
			wait.Go(func() { results[i] = Run(from + uint64(first+i)) })
		}
		wait.Wait()
		for _, r := range results {
			if !take(r) {
				return
			}
		}
	}
}

// coverageSeeds is how many seeds must strike at every crash point.
const coverageSeeds = 1_000

// Seeds plays seeds and prints those that violate a property, then what was covered. It returns the exit code, which is not 0
// where a property was violated, or where many seeds have left a crash point out.
func Seeds(out io.Writer, from uint64, n, workers int) int {
	passed, crashed := make(map[string]int), make(map[string]int)
	ended := make(map[string]int)
	failed, events, adoptions, replayed, moved, savepoints, seconds := 0, 0, 0, 0, 0, 0, 0
	var simulated time.Duration
	each(from, n, workers, func(r Result) bool {
		if len(r.Violations) > 0 {
			failed++
			r.Print(out)
		}
		events += r.Events
		adoptions += r.Adoptions
		simulated += r.Simulated
		replayed += r.Replayed
		moved += r.Moved
		savepoints += r.Savepoints
		seconds += r.Jobs - 1
		ended[r.Ended]++
		for _, p := range points {
			passed[p] += r.Passed[p]
			crashed[p] += r.Crashed[p]
		}
		return true
	})
	struckAt := 0
	for _, p := range points {
		fmt.Fprintf(out, "crash point %-20s passed %6d, crashed %5d\n", p, passed[p], crashed[p])
		if crashed[p] > 0 {
			struckAt++
		}
	}
	fmt.Fprintf(out, "crash points struck: %d of %d, %d %%\n", struckAt, len(points), 100*struckAt/len(points))
	fmt.Fprintf(out, "%d rows were in flight and replayed, %d of them at another parallelism\n", replayed, moved)
	fmt.Fprintf(out, "%d savepoints became whole, %d jobs began at one\n", savepoints, seconds)
	fmt.Fprintf(out, "%d seeds from %d, %d events, %s simulated, ends %v, %d takeovers of what ran, %d failed\n", n, from, events, simulated, ended, adoptions, failed)
	if n >= coverageSeeds && struckAt < len(points) {
		fmt.Fprintln(out, "a crash point was never struck: what it stands for is not proved")
		return 1
	}
	return min(failed, 1)
}

// Mutants switches one planted bug on after the other and plays seeds until one violates a property; without the bug that
// seed violates none. It prints a table and returns the exit code. Each is found by what the oracle sees from outside: a
// panic of the engine does not count, nor does what its own audit says.
func Mutants(out io.Writer, bugs []mutant.Name, from uint64, n, workers int) int {
	missed := 0
	for _, bug := range bugs {
		mutant.Use(bug)
		var found *Result
		tried := 0
		each(from, n, workers, func(r Result) bool {
			tried++
			if i := slices.IndexFunc(r.Violations, func(v Violation) bool { return v.Property != "panic" && v.Property != "rows-accounted" }); i >= 0 {
				r.Violations = r.Violations[i:]
				found = &r
			}
			return found == nil
		})
		mutant.Use("")
		switch {
		case found == nil:
			missed++
			fmt.Fprintf(out, "%-28s NOT FOUND in %d seeds\n", bug, tried)
		case len(Run(found.Seed).Violations) > 0:
			missed++
			fmt.Fprintf(out, "%-28s seed %d violates a property without it, too\n", bug, found.Seed)
		default:
			v := found.Violations[0]
			fmt.Fprintf(out, "%-28s seed %-5d %s: %s\n", bug, found.Seed, v.Property, strings.SplitN(v.Detail[:min(len(v.Detail), 160)], "\n", 2)[0])
		}
	}
	fmt.Fprintf(out, "%d of %d planted bugs found\n", len(bugs)-missed, len(bugs))
	return min(missed, 1)
}
