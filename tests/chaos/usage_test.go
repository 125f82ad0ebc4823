package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/tests/platformtest"
)

// usage is what a process takes.
type usage struct{ resident, goroutines, descriptors int64 }

// life is a process from its start to its end, by what it took while the platform was calm.
type life struct {
	part string
	pid  int
	seen time.Time // first
	calm []usage
}

const (
	// warmUp is how old a process is before it counts: it fills its caches.
	warmUp = 30 * time.Second
	// samplesLeast are so many that thirds of them mean something.
	samplesLeast = 45
)

// The most by which the median of the last third may exceed that of the first: a share, and what a change of roles brings (a
// leader has more than a standby, a task manager with tasks more than the spare one).
const (
	growthPercent   = 25
	residentSlack   = 96 << 20
	goroutineSlack  = 100
	descriptorSlack = 40
)

// sampler follows the processes of a platform. One goroutine at a time uses it.
type sampler struct {
	lives map[int]*life
}

// sample notes what every process takes while the platform is calm.
func (s *sampler) sample(ctx context.Context, p *platformtest.Platform, at time.Time) {
	for _, part := range p.All() {
		pid := part.PID()
		u, err := usageOf(pid)
		if err != nil {
			continue
		}
		l := s.lives[pid]
		if l == nil {
			l = &life{part: part.Name, pid: pid, seen: at}
			s.lives[pid] = l
		}
		if at.Sub(l.seen) < warmUp {
			continue
		}
		if u.goroutines = p.Figure(ctx, part, "go_goroutines"); ctx.Err() == nil {
			l.calm = append(l.calm, u)
		}
	}
}

// usageOf asks the system, which also answers for a process that is paused.
func usageOf(pid int) (usage, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return usage{}, err
	}
	_, after, _ := strings.Cut(string(status), "\nVmRSS:")
	text, _, _ := strings.Cut(after, "kB")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return usage{resident: kilobytes << 10, descriptors: int64(len(descriptors))}, err
}

// figure is one of the three.
type figure struct {
	name  string
	slack int64
	unit  int64
	of    func(usage) int64
}

var figures = []figure{
	{"resident MiB", residentSlack, 1 << 20, func(u usage) int64 { return u.resident }},
	{"goroutines", goroutineSlack, 1, func(u usage) int64 { return u.goroutines }},
	{"descriptors", descriptorSlack, 1, func(u usage) int64 { return u.descriptors }},
}

// thirds returns the medians of the first and of the last third.
func (l *life) thirds(f figure) (first, last int64) {
	third := len(l.calm) / 3
	return median(l.calm[:third], f.of), median(l.calm[len(l.calm)-third:], f.of)
}

func median(of []usage, figure func(usage) int64) int64 {
	var all []int64
	for _, u := range of {
		all = append(all, figure(u))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// grown says what a life has too much of in the end.
func (l *life) grown() (out []string) {
	for _, f := range figures {
		first, last := l.thirds(f)
		if last > first+first*growthPercent/100+f.slack {
			out = append(out, fmt.Sprintf("%s, process %d: %s grew from %d to %d", l.part, l.pid, f.name, first/f.unit, last/f.unit))
		}
	}
	return out
}

// long returns the lives that can be judged, in the order of parts and then of length.
func (s *sampler) long() (out []*life) {
	for _, l := range s.lives {
		if len(l.calm) >= samplesLeast {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b *life) int {
		if c := strings.Compare(a.part, b.part); c != 0 {
			return c
		}
		return len(b.calm) - len(a.calm)
	})
	return out
}

// TestGrowthIsFound is the test of the rule.
func TestGrowthIsFound(t *testing.T) {
	of := func(n int, at func(i int) usage) *life {
		l := &life{part: "p"}
		for i := range n {
			l.calm = append(l.calm, at(i))
		}
		return l
	}
	flat := usage{resident: 300 << 20, goroutines: 200, descriptors: 60}
	for name, c := range map[string]struct {
		at   func(i int) usage
		want int
	}{
		"flat":  {func(int) usage { return flat }, 0},
		"noise": {func(i int) usage { u := flat; u.resident += int64(i%7) * 20 << 20; return u }, 0},
		"a spike": {func(i int) usage {
			u := flat
			if i%10 == 9 {
				u.goroutines *= 10
			}
			return u
		}, 0},
		"memory":     {func(i int) usage { u := flat; u.resident += int64(i) * 4 << 20; return u }, 1},
		"goroutines": {func(i int) usage { u := flat; u.goroutines += 5 * int64(i); return u }, 1},
		"all":        {func(i int) usage { return usage{flat.resident + int64(i)*8<<20, 200 + 9*int64(i), 60 + 2*int64(i)} }, 3},
	} {
		if got := of(90, c.at).grown(); len(got) != c.want {
			t.Errorf("%s: %q, want %d", name, got, c.want)
		}
	}
}
