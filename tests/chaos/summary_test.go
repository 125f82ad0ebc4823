package chaos

import (
	"maps"
	"slices"
	"time"

	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// summarise prints what a run was.
func (c *chaos) summarise(d *apiv1.DescribeJobResponse, model platformtest.Model, r *platformtest.Comparison) {
	c.t.Helper()
	c.table()
	pointers, leaders := c.history.Pointers()
	refused := 0
	for _, j := range c.JobManagers {
		refused += len(j.Said(c.t, 0, "a decided write does not count"))
	}
	c.t.Logf("%d records in, %d results out: %d lost, %d doubled", model.Bids(), r.Records, r.Lost, r.Doubled)
	c.t.Logf("%d checkpoints under %d leaders, in order; attempt %d, %d restarts under the last leader; %d writes of deposed leaders refused",
		pointers, leaders, d.Attempt, d.Summary.Restarts, refused)
}

// byKind returns how long each kind took.
func (c *chaos) byKind() map[string][]struck {
	out := make(map[string][]struck)
	for _, s := range c.struck {
		out[s.name] = append(out[s.name], s)
	}
	return out
}

// table prints faults by kind and processes by what they took.
func (c *chaos) table() {
	c.t.Helper()
	c.t.Logf("%-42s %6s  %22s  %22s", "fault", "times", "strike to checkpoint", "healing to checkpoint")
	kinds := c.byKind()
	for _, name := range append(slices.Sorted(maps.Keys(kinds)), "all") {
		all := kinds[name]
		if name == "all" {
			all = c.struck
		}
		if len(all) == 0 {
			continue
		}
		lasted := spread(all, func(s struck) time.Duration { return s.lasted })
		recovers := spread(all, func(s struck) time.Duration { return s.recovers })
		c.t.Logf("%-42s %6d  %8s, max %8s  %8s, max %8s", name, len(all), lasted[0], lasted[1], recovers[0], recovers[1])
	}
	c.t.Logf("what processes took when all was calm, median of the first and of the last third of their life behind %s; flat is at most %d%% and %d MiB, %d goroutines, %d descriptors more",
		warmUp, growthPercent, residentSlack>>20, goroutineSlack, descriptorSlack)
	c.t.Logf("%-6s %8s %8s  %16s  %16s  %16s", "part", "process", "samples", figures[0].name, figures[1].name, figures[2].name)
	for _, l := range c.usage.long() {
		var of [6]int64
		for i, f := range figures {
			first, last := l.thirds(f)
			of[2*i], of[2*i+1] = first/f.unit, last/f.unit
		}
		c.t.Logf("%-6s %8d %8d  %6d -> %6d  %6d -> %6d  %6d -> %6d", l.part, l.pid, len(l.calm), of[0], of[1], of[2], of[3], of[4], of[5])
	}
}

// spread returns the median and the longest.
func spread(all []struck, of func(struck) time.Duration) [2]time.Duration {
	var out []time.Duration
	for _, s := range all {
		out = append(out, of(s).Round(10*time.Millisecond))
	}
	slices.Sort(out)
	return [2]time.Duration{out[len(out)/2], out[len(out)-1]}
}

// grown says which processes took more in the end than at first.
func (c *chaos) grown() (out []string) {
	lives := c.usage.long()
	if c.whole && c.lasts >= 30*time.Minute && len(lives) == 0 {
		return []string{"no process lived long enough to be judged"}
	}
	for _, l := range lives {
		out = append(out, l.grown()...)
	}
	return out
}
