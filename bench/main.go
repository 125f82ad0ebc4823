package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/cmd/cluster"
)

func main() {
	cluster.TuneMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == workerCommand {
		if err := work(ctx, os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1) //nolint:gocritic // as below
		}
		return
	}
	if err := bench(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the deferred call only restores signals
	}
}

// bench carries out the runs that the arguments ask for.
func bench(ctx context.Context, args []string, out, progress io.Writer) error {
	runs, err := parse(args)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	for _, r := range runs {
		fmt.Fprintf(progress, "%s\n", r)
		result, err := r.scenario.measure(r, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", r, err)
		}
		if n := result.checkpointed() - 1; n < checkpointsWanted {
			fmt.Fprintf(progress, "only %d checkpoints beside the last one: ask for more bids or a shorter interval\n", max(n, 0))
		}
		if err := lines.Encode(result); err != nil {
			return err
		}
	}
	return nil
}

// checkpointsWanted is how many checkpoints a run should have in its middle: a
// figure without any leaves out what exactly-once costs.
const checkpointsWanted = 2

// scenario is a way to measure.
type scenario struct {
	name    string
	title   string
	measure func(run, context.Context) (line, error)
	// sizes gives a run the figures of the scenario's own flags.
	sizes func(*run, *sizes)
}

// scenarios are all of them, in the order of a run without arguments. The one
// that measures memory goes first, before others have grown the process.
var scenarios = []scenario{
	{"keys", "main job over distinct auctions", run.measureKeys, func(r *run, s *sizes) {
		r.bids, r.distinct, r.interval = passes{keys: s.keys}.bids(), s.keys, s.keysInterval
	}},
	{"prepared", "main job from prepared bids", run.measure, func(*run, *sizes) {}},
	{"crossing", "main job from prepared bids, between processes", run.measureCrossing, func(r *run, s *sizes) { r.bids, r.crossing = s.crossingBids, true }},
	{"recovery", "main job by auction and bidder, a task manager killed", run.measureRecovery, func(r *run, s *sizes) {
		r.bids, r.rate, r.interval, r.stateBytes = s.recoveryBids, s.recoveryRate, s.recoveryInterval, s.stateBytes
	}},
	{"tier", "state beyond the memory budget", run.measureTier, func(r *run, s *sizes) { r.tier = s.tier }},
	{"backpressure", "bids to a sink that is 100 times slower, without and with barriers that overtake", run.measureBackpressure, func(r *run, s *sizes) {
		r.interval, r.checkpoints = s.pressureInterval, s.pressureCheckpoints
	}},
	{"kafka", "main job from a topic of a real broker", run.measureKafka, func(r *run, s *sizes) { r.bids = s.kafkaBids }},
	{"sdk", "main job as SQL and from Go, by column and by row", run.measureSDK, func(r *run, s *sizes) { r.bids, r.rounds = s.sdkBids, s.sdkRounds }},
	{"refusals", "texts that are no SQL", run.measureRefusals, func(r *run, _ *sizes) { r.alone = true }},
}

func scenarioNames() string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// sizes are the flags that only some scenarios have.
type sizes struct {
	kafkaBids, crossingBids, keys          int64
	sdkBids                                int64
	sdkRounds                              int
	keysInterval                           time.Duration
	recoveryBids, recoveryRate, stateBytes int64
	recoveryInterval                       time.Duration
	tier                                   tierSizes
	pressureInterval                       time.Duration
	pressureCheckpoints                    int
}

// run is one run of the main job.
type run struct {
	scenario       *scenario
	parallelism    int
	preAggregation bool
	bids           int64 // at least so many
	distinct       int64 // at least so many are prepared
	rate           int64 // events a second of event time
	interval       time.Duration
	profile        string
	remote         bool
	crossing       bool  // every row goes from a process to another
	stateBytes     int64 // at which a task manager is killed
	tier           tierSizes
	rounds         int  // of jobs that take turns
	checkpoints    int  // that are measured with a slow sink
	alone          bool // there is one run, of no job
}

func (r run) String() string {
	switch {
	case r.alone:
		return r.scenario.title
	case r.tier.state > 0:
		return fmt.Sprintf("%s, %s", r.scenario.title, r.tier)
	}
	return fmt.Sprintf("%s, parallelism %d, pre-aggregation %t, %d bids", r.scenario.title, r.parallelism, r.preAggregation, r.bids)
}

func parse(args []string) ([]run, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var r run
	f.Int64Var(&r.bids, "bids", 1_200_000_000, "bids of a run from prepared bids")
	var own sizes
	f.Int64Var(&own.kafkaBids, "kafka-bids", 30_000_000, "bids of a run from a broker")
	f.Int64Var(&own.sdkBids, "sdk-bids", 10_000_000, "bids of each run of sdk")
	f.IntVar(&own.sdkRounds, "sdk-rounds", 5, "rounds of sdk, in each of which every way has its turn")
	f.Int64Var(&own.crossingBids, "crossing-bids", 120_000_000, "bids of a run of crossing")
	f.Int64Var(&own.keys, "keys", 1_000_000, "distinct auctions of a run of keys")
	f.Int64Var(&own.recoveryBids, "recovery-bids", 200_000_000, "most bids of a run of recovery")
	f.Int64Var(&own.recoveryRate, "recovery-rate", 250_000, "events a second of a run of recovery")
	f.Int64Var(&own.stateBytes, "recovery-state", 300_000_000, "bytes of state at which a run of recovery kills a task manager")
	f.DurationVar(&own.recoveryInterval, "recovery-checkpoint-interval", 10*time.Second, "time between checkpoints of a run of recovery")
	f.DurationVar(&own.keysInterval, "keys-checkpoint-interval", 3*time.Second, "time between checkpoints of a run of keys")
	own.tier.flags(f)
	f.DurationVar(&own.pressureInterval, "backpressure-checkpoint-interval", time.Second, "time between checkpoints of a run of backpressure")
	f.IntVar(&own.pressureCheckpoints, "backpressure-checkpoints", 5, "checkpoints that a run of backpressure measures each way")
	names := f.String("scenario", "keys,prepared,crossing,recovery,backpressure,kafka,sdk,refusals", "what to run: "+scenarioNames())
	f.Int64Var(&r.distinct, "distinct", 2_000_000, "distinct bids")
	f.Int64Var(&r.rate, "rate", 1_000_000, "events a second of event time; of 50 events 46 are bids")
	f.DurationVar(&r.interval, "checkpoint-interval", 10*time.Second, "time between checkpoints")
	f.StringVar(&r.profile, "cpuprofile", "", "file for the CPU profile of the last run")
	f.BoolVar(&r.remote, "remote", false, "two task managers that exchange rows through gRPC, in one process; prepared bids only")
	parallelism := f.String("parallelism", "1,2", "parallelisms")
	preAggregation := f.String("preaggregation", "on,off", "local pre-aggregation")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var runs []run
	for name := range strings.SplitSeq(*names, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("scenario %q is not one of %s", name, scenarioNames())
		}
		of := r
		of.scenario = &scenarios[i]
		of.scenario.sizes(&of, &own)
		matrix := func() ([]run, error) { return of.matrix(*parallelism, *preAggregation) }
		switch {
		case of.rounds > 0:
			matrix = func() ([]run, error) { return of.matrix(*parallelism, "on") }
		case of.alone:
			matrix = func() ([]run, error) { return []run{of}, nil }
		case of.tier.state > 0:
			matrix = of.distributions
		}
		more, err := matrix()
		if err != nil {
			return nil, err
		}
		runs = append(runs, more...)
	}
	return runs, nil
}

// matrix returns a run for each combination.
func (r run) matrix(parallelism, preAggregation string) ([]run, error) {
	var runs []run
	for text := range strings.SplitSeq(parallelism, ",") {
		p, err := strconv.Atoi(text)
		if err != nil || p < 1 {
			return nil, fmt.Errorf("parallelism %q", text)
		}
		for mode := range strings.SplitSeq(preAggregation, ",") {
			if mode != "on" && mode != "off" {
				return nil, fmt.Errorf("preaggregation %q is neither on nor off", mode)
			}
			r.parallelism, r.preAggregation = p, mode == "on"
			if (r.crossing || r.stateBytes > 0 || r.checkpoints > 0) && r.preAggregation {
				continue // pre-aggregated, hardly any row would cross or wait, and keys would be in two states
			}
			runs = append(runs, r)
		}
	}
	return runs, nil
}
