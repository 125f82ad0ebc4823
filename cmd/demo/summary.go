package demo

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"millrace/cmd/command/progress"
	apiv1 "millrace/proto/millrace/api/v1"
)

// summary says what ran and what came out.
func summary(filled, counted *apiv1.DescribeJobResponse, v *verification) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "   %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("bids in the input", "%d, generated in %s", v.bids, took(filled))
	row("counted in", "%s, the loss included", took(counted))
	row("restarts", "%d", counted.Summary.Restarts)
	row("checkpoints", "%d completed, %d failed%s", counted.CheckpointsCompleted, counted.CheckpointsFailed, lastCheckpoint(counted))
	row("windows of an auction", "%d expected, %d in the output", len(v.expected), v.results)
	row("missing", "%d", v.missing)
	row("twice", "%d", v.twice)
	row("different", "%d", v.different)
	row("not in the input", "%d", v.unexpected)
	_ = t.Flush() // into memory
	return b.String()
}

func lastCheckpoint(d *apiv1.DescribeJobResponse) string {
	if d.LastCheckpoint == nil {
		return ""
	}
	return fmt.Sprintf(", the last %s of state in %d ms", progress.Bytes(d.LastCheckpoint.StateBytes), d.LastCheckpoint.DurationMillis)
}

func took(d *apiv1.DescribeJobResponse) time.Duration {
	return d.Summary.Ended.AsTime().Sub(d.Summary.Submitted.AsTime()).Round(100 * time.Millisecond)
}

const next = `
Verified: every window is there exactly once, with the figures of the input.

What to try next:
   bin/millrace demo --bids 10000000            more of it
   bin/millrace demo --broker localhost:9092    on a Kafka of yours
   bin/millrace local                           a cluster that stays; then, beside it:
   bin/millrace run --dry-run cmd/demo/bids-per-auction.json
   bin/millrace job list
`
