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
	"os"
	"runtime"
	"runtime/debug"

	"millrace/internal/mutant"
	"millrace/sim"
)

func main() {
	from := flag.Uint64("from", 1, "first seed")
	seeds := flag.Int("seeds", 100, "how many seeds")
	one := flag.Uint64("seed", 0, "play this seed only")
	trace := flag.Bool("trace", false, "print the whole trace of -seed")
	mutants := flag.Bool("mutants", false, "find every planted bug")
	bug := flag.String("mutant", "", "play with this planted bug, or with -mutants look for it only")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "schedules at a time")
	flag.Parse()
	debug.SetGCPercent(400) // a schedule makes little garbage of long life
	if (*mutants || *bug != "") && !mutant.Built {
		fmt.Fprintln(os.Stderr, "planted bugs need the build tag simmutants")
		os.Exit(2)
	}
	mutant.Use(mutant.Name(*bug))
	switch {
	case *mutants:
		bugs := mutant.All
		if *bug != "" {
			bugs = []mutant.Name{mutant.Name(*bug)}
		}
		os.Exit(sim.Mutants(os.Stdout, bugs, *from, *seeds, *workers))
	case *one != 0:
		r := sim.Run(*one)
		if *trace {
			fmt.Print(r.Trace)
		}
		r.Print(os.Stdout)
		if len(r.Violations) > 0 {
			os.Exit(1)
		}
	default:
		os.Exit(sim.Seeds(os.Stdout, *from, *seeds, *workers))
	}
}
