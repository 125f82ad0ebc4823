package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk/sdktest"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func after(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func click(user string, minutes int) Click { return Click{User: user, Page: "/", At: after(minutes)} }

// steps have sessions that go on, that are over, and that a click out of order holds together.
var steps = []func(*sdktest.Pipeline){
	func(p *sdktest.Pipeline) {
		sdktest.Push(p, "clicks", click("ann", 0), click("bob", 1), click("ann", 20))
	},
	func(p *sdktest.Pipeline) { sdktest.PushSplit(p, "clicks", 1, click("ann", 45), click("bob", 50)) },
	func(p *sdktest.Pipeline) { sdktest.Push(p, "clicks", click("ann", 90)) },
	func(p *sdktest.Pipeline) { sdktest.PushSplit(p, "clicks", 1, click("ann", 49), click("ann", 70)) },
	func(p *sdktest.Pipeline) { p.Watermark("clicks", after(60)) },
	func(p *sdktest.Pipeline) { sdktest.Push(p, "clicks", click("bob", 55), click("cid", 100)) },
	func(p *sdktest.Pipeline) { p.End() },
}

func want() []Session {
	return []Session{
		{"ann", after(0), after(90), 6}, {"bob", after(1), after(1), 1}, {"bob", after(50), after(50), 1}, {"cid", after(100), after(100), 1},
	}
}

func check(t *testing.T, p *sdktest.Pipeline) {
	t.Helper()
	got := sdktest.Committed[Session](p, "sessions-out")
	slices.SortFunc(got, func(a, b Session) int {
		if n := strings.Compare(a.User, b.User); n != 0 {
			return n
		}
		return a.Start.Compare(b.Start)
	})
	if d := cmp.Diff(want(), got); d != "" {
		t.Errorf("sessions (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Click{click("bob", 55)}, sdktest.Committed[Click](p, "late-out")); d != "" {
		t.Errorf("late clicks (-want +got):\n%s", d)
	}
}

// Sessions are the same wherever the job crashes, from whichever checkpoint it goes on, and however wide it is.
func TestSessions(t *testing.T) {
	o := sdktest.Options{Parallelism: 2, Splits: map[string]int{"clicks": 2}}
	for seed := range uint64(3) {
		o.Seed = seed
		for crash := range len(steps) + 1 {
			p := sdktest.Start(t, job, o)
			for i, step := range steps {
				switch i {
				case crash:
					p.Crash()
				case crash / 2:
					p.Checkpoint()
				case 4:
					p.Rescale(3)
				}
				step(p)
			}
			if crash == len(steps) {
				p.Crash()
			}
			check(t, p)
		}
	}
}

func TestGap(t *testing.T) {
	p := sdktest.Start(t, job, sdktest.Options{Args: []string{"-gap", "5m"}})
	sdktest.Push(p, "clicks", click("ann", 0), click("ann", 4), click("ann", 9), click("ann", 30))
	got := sdktest.Take[Session](p, "sessions-out")
	if d := cmp.Diff([]Session{{"ann", after(0), after(4), 2}, {"ann", after(9), after(9), 1}}, got); d != "" {
		t.Errorf("sessions (-want +got):\n%s", d)
	}
}

func TestArguments(t *testing.T) {
	if err := sdktest.Refused(t, job, sdktest.Options{Args: []string{"-gap", "long"}}); !strings.Contains(err.Error(), "gap") {
		t.Error(err)
	}
}
