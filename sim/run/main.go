// Command run plays schedules of the simulator.
//
//	run -seeds 1000            plays seeds 1 to 1000 and says which violate a property
//	run -seed 17 -trace        plays one seed and prints its trace
//	run -mutants -seeds 300    with the build tag simmutants: plays seeds for every planted bug until one finds it
//	run -mutant NAME -seed 17  with the same tag: plays one seed with one planted bug
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"millrace/internal/mutant"
	"millrace/sim"
)

// The exit codes.
const (
	holds    = 0
	violated = 1
	misused  = 2
)

func main() {
	debug.SetGCPercent(400)                         // a schedule makes little garbage of long life
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // a program's end
}

// run plays what the arguments ask for and returns the exit code.
func run(args []string, out, problems io.Writer) int {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(problems)
	from := flags.Uint64("from", 1, "first seed")
	seeds := flags.Int("seeds", 100, "how many seeds")
	one := flags.Uint64("seed", 0, "play this seed only")
	trace := flags.Bool("trace", false, "print the whole trace of -seed")
	mutants := flags.Bool("mutants", false, "find every planted bug")
	bug := flags.String("mutant", "", "play with this planted bug, or with -mutants look for it only")
	workers := flags.Int("workers", runtime.GOMAXPROCS(0), "schedules at a time")
	if err := flags.Parse(args); err != nil {
		return misused
	}
	if (*mutants || *bug != "") && !mutant.Built {
		fmt.Fprintln(problems, "planted bugs need the build tag simmutants")
		return misused
	}
	mutant.Use(mutant.Name(*bug))
	switch {
	case *mutants:
		bugs := mutant.All
		if *bug != "" {
			bugs = []mutant.Name{mutant.Name(*bug)}
		}
		return sim.Mutants(out, bugs, *from, *seeds, *workers)
	case *one != 0:
		return play(out, *one, *trace)
	default:
		return sim.Seeds(out, *from, *seeds, *workers)
	}
}

// play plays one seed.
func play(out io.Writer, seed uint64, trace bool) int {
	r := sim.Run(seed)
	if trace {
		fmt.Fprint(out, r.Trace)
	}
	r.Print(out)
	if len(r.Violations) > 0 {
		return violated
	}
	return holds
}
