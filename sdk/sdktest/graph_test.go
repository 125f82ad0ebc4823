package sdktest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

type rule struct {
	Page  int64
	Price int64
}

type charge struct {
	User  string
	Total int64
}

// Each click costs what the rule of its page says; totals are those of the user.
func charges(e *sdk.Env) {
	clicks := sdk.Union(sdk.From[click](e, "web", anywhere), sdk.From[click](e, "app", anywhere))
	rules := sdk.From[rule](e, "rules", anywhere, sdk.Parallelism(1))
	sdk.BroadcastProcess(sdk.KeyByFields[string](clicks, "user"), rules, "charges", func(s *sdk.Setup) sdk.BroadcastProcessor[string, click, rule, charge] {
		prices := sdk.NewBroadcast[int64, int64](s, "prices")
		total := sdk.NewValue[int64](s, "total")
		return sdk.BroadcastProcessor[string, click, rule, charge]{
			Row: func(c *sdk.Context[string, charge], click *click) error {
				price, _ := prices.Get(click.Page)
				sum, _ := total.Get()
				total.Set(sum + price)
				c.Collect(charge{c.Key(), sum + price})
				return nil
			},
			Broadcast: func(_ *sdk.Context[string, charge], r *rule) error {
				prices.Put(r.Page, r.Price)
				return nil
			},
		}
	}).To("out", anywhere)
}

// State by key, and what every task has, are the same at another parallelism, and behind a crash there.
func TestRescale(t *testing.T) {
	for _, way := range [][]int{{1, 3, 2}, {4, 1, 5}} {
		t.Run(fmt.Sprint(way), func(t *testing.T) {
			p := sdktest.Start(t, charges, sdktest.Options{Parallelism: way[0]})
			sdktest.Push(p, "rules", rule{1, 10}, rule{2, 7})
			var want []charge
			click1 := func(source, user string, page int64, total int64) {
				sdktest.Push(p, source, click{user, page, at(1)})
				want = append(want, charge{user, total})
			}
			click1("web", "ann", 1, 10)
			click1("app", "bob", 2, 7)
			click1("app", "ann", 2, 17)
			p.Rescale(way[1])
			click1("web", "ann", 1, 27)
			click1("web", "cid", 2, 7)
			p.Crash()
			click1("web", "bob", 1, 17)
			p.Rescale(way[2])
			sdktest.Push(p, "rules", rule{1, 100})
			for i := range 20 {
				click1("web", fmt.Sprint("user", i), 1, 100)
			}
			p.End()
			same(t, "charges", sorted(sdktest.Committed[charge](p, "out")), sorted(want))
		})
	}
}

type reading struct {
	Sensor string
	Value  float64
}

// An alarm is given when a sensor has been silent for a minute; what is known of it is forgotten after an hour.
func silence(e *sdk.Env) {
	by := sdk.KeyByFields[string](sdk.From[reading](e, "readings", anywhere), "sensor")
	sdk.KeyedProcess(by, "silence", func(s *sdk.Setup) sdk.Processor[string, reading, string] {
		last := sdk.NewValue[float64](s, "last", sdk.TTL(time.Hour))
		until := sdk.NewValue[time.Time](s, "until")
		return sdk.Processor[string, reading, string]{
			Row: func(c *sdk.Context[string, string], r *reading) error {
				if was, ok := last.Get(); ok {
					c.Collect(fmt.Sprintf("%s went by %g", r.Sensor, r.Value-was))
				}
				last.Set(r.Value)
				if old, ok := until.Get(); ok {
					c.DeleteClockTimer(old)
				}
				at := c.Now().Add(time.Minute)
				until.Set(at)
				c.SetClockTimer(at)
				return nil
			},
			Timer: func(c *sdk.Context[string, string], timer sdk.Timer) error {
				until.Clear()
				c.Collect(fmt.Sprintf("%s is silent at %s", c.Key(), timer.At.Format(time.TimeOnly)))
				return nil
			},
		}
	}).To("alarms", anywhere)
}

func TestProcessingTime(t *testing.T) {
	p := sdktest.Start(t, silence, sdktest.Options{Parallelism: 2, Now: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)})
	sdktest.Push(p, "readings", reading{"a", 1}, reading{"b", 2})
	p.Advance(40 * time.Second)
	sdktest.Push(p, "readings", reading{"a", 4})
	same(t, "so far", sdktest.Take[string](p, "alarms"), []string{"a went by 3"})
	p.Advance(30 * time.Second)
	same(t, "b is silent", sdktest.Take[string](p, "alarms"), []string{"b is silent at 12:01:00"})
	p.Checkpoint()
	p.Crash()
	p.Advance(31 * time.Second)
	same(t, "a is silent", sdktest.Take[string](p, "alarms"), []string{"a is silent at 12:01:40"})
	p.Advance(2 * time.Hour)
	sdktest.Push(p, "readings", reading{"a", 9})
	same(t, "nothing is known of a", sdktest.Take[string](p, "alarms"), nil)
	if got := p.Now(); !got.Equal(time.Date(2030, 5, 1, 14, 1, 41, 0, time.UTC)) {
		t.Errorf("it is %s", got)
	}
}

// Event time is that of the split that is behind, and of the source that is.
func TestEventTime(t *testing.T) {
	p := sdktest.Start(t, func(e *sdk.Env) {
		a := sdk.From[click](e, "a", anywhere, sdk.Watermark(time.Second))
		b := sdk.From[click](e, "b", anywhere, sdk.Idle(time.Minute))
		sdk.KeyedProcess(sdk.KeyByFields[string](sdk.Union(a, b), "user"), "p", func(*sdk.Setup) sdk.Processor[string, click, string] {
			return sdk.Processor[string, click, string]{
				Row: func(c *sdk.Context[string, string], click *click) error {
					c.SetTimer(click.At)
					return nil
				},
				Timer: func(c *sdk.Context[string, string], timer sdk.Timer) error {
					c.Collect(fmt.Sprintf("%s %s", c.Key(), timer.At.Format("05")))
					return nil
				},
			}
		}).To("out", anywhere)
	}, sdktest.Options{Splits: map[string]int{"a": 2}})
	take := func(want ...string) {
		t.Helper()
		same(t, "timers", sdktest.Take[string](p, "out"), want)
	}
	sdktest.PushSplit(p, "a", 0, click{"ann", 1, at(10)}, click{"ann", 1, at(20)})
	sdktest.PushSplit(p, "a", 1, click{"bob", 1, at(12)})
	take() // of b nothing is known
	p.Watermark("b", at(30))
	take("ann 10")
	p.Watermark("a", at(15))
	take("bob 12")
	sdktest.PushSplit(p, "a", 1, click{"bob", 2, at(40)})
	take()
	sdktest.PushSplit(p, "a", 0, click{"ann", 2, at(45)})
	take("ann 20")
	sdktest.PushSplit(p, "a", 1, click{"bob", 3, at(50)})
	take() // a is at 44 s, b where it was
	p.Advance(2 * time.Minute)
	take("bob 40") // b is idle
	p.Checkpoint()
	p.End("b")
	p.Crash()
	p.End()
	take("ann 45", "bob 50")
}

// What a job gives that goes by keys is the same whatever the seed; one seed is always the same.
func TestSeed(t *testing.T) {
	run := func(seed uint64) []session {
		p := sdktest.Start(t, sessions, sdktest.Options{Parallelism: 3, Seed: seed})
		for i := range 200 {
			sdktest.Push(p, "clicks", click{fmt.Sprint("user", i%17), int64(i), at(i / 4)})
		}
		p.End()
		return sdktest.Rows[session](p, "out")
	}
	want := run(0)
	for seed := range uint64(5) {
		got := run(seed)
		same(t, fmt.Sprint("seed ", seed), sorted(got), sorted(want))
		same(t, fmt.Sprint("seed again ", seed), run(seed), got)
	}
}

type total struct {
	User string
	Sum  int64
}

// totals keeps a T of each user, which add changes.
func totals[S any](name string, add func(*S) int64) func(*sdk.Env) {
	return func(e *sdk.Env) {
		by := sdk.KeyByFields[string](sdk.From[click](e, "clicks", anywhere), "user")
		sdk.KeyedProcess(by, "totals", func(s *sdk.Setup) sdk.Processor[string, click, total] {
			kept := sdk.NewValue[S](s, name)
			return sdk.Processor[string, click, total]{Row: func(c *sdk.Context[string, total], _ *click) error {
				v, _ := kept.Get()
				n := add(&v)
				kept.Set(v)
				c.Collect(total{c.Key(), n})
				return nil
			}}
		}).To("out", anywhere)
	}
}

func TestUpgrade(t *testing.T) {
	one := totals("total", func(n *int64) int64 { *n++; return *n })
	ten := totals("total", func(n *int64) int64 { *n += 10; return *n })
	p := sdktest.Start(t, one, sdktest.Options{Parallelism: 2})
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)}, click{"ann", 1, at(1)})
	p.Upgrade(ten)
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)})
	p.Crash()
	for name, c := range map[string]struct {
		job  func(*sdk.Env)
		want []string
	}{
		"another type": {totals("total", func(s *string) int64 { *s += "x"; return 0 }), []string{"total"}},
		"another name": {totals("sum", func(n *int64) int64 { return *n }), []string{"table total of operator totals"}},
		"no job":       {func(*sdk.Env) {}, []string{"the new job can't run"}},
	} {
		err := p.Failure(func() { p.Upgrade(c.job) })
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nhas no %q", name, err, want)
			}
		}
	}
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)})
	same(t, "totals", sdktest.Rows[total](p, "out"), []total{{"ann", 1}, {"ann", 2}, {"ann", 12}, {"ann", 22}})
}

// What is kept of a user, in one version of a program and the next.
type (
	narrow struct {
		Old   string
		Clubs []string
		Count int32
		Least int64
	}
	wide struct {
		Since *int64 // added
		Count int64  // wider
		Least *int64 // may be nil
		Mine  int16  // added
		Clubs []string
	}
)

// Fields that were added begin at nothing, and those that became wider have their values: at another parallelism, too, and behind a crash. There is no way back.
func TestUpgradeOfFields(t *testing.T) {
	first := totals("total", func(n *narrow) int64 {
		n.Count, n.Least, n.Old, n.Clubs = n.Count+1, 7, "left behind", append(n.Clubs, "club")
		return int64(n.Count)
	})
	second := totals("total", func(w *wide) int64 {
		w.Count, w.Mine = w.Count+1, w.Mine+1
		if w.Since == nil {
			since := w.Count
			w.Since = &since
		}
		if w.Least == nil {
			w.Least = new(int64)
		}
		return w.Count*10000 + int64(w.Mine)*1000 + *w.Since*100 + *w.Least*10 + int64(len(w.Clubs))
	})
	p := sdktest.Start(t, first, sdktest.Options{Parallelism: 2})
	ann, bob := click{"ann", 1, at(1)}, click{"bob", 1, at(1)}
	sdktest.Push(p, "clicks", ann, ann)
	same(t, "the first version", sdktest.Take[total](p, "out"), []total{{"ann", 1}, {"ann", 2}})
	p.Upgrade(second)
	sdktest.Push(p, "clicks", ann, bob)
	want := []total{{"ann", 3_1_3_7_2}, {"bob", 1_1_1_0_0}}
	same(t, "the second version", sorted(sdktest.Take[total](p, "out")), want)
	p.Crash()
	p.Rescale(3)
	sdktest.Push(p, "clicks", ann, bob)
	same(t, "behind a crash", sorted(sdktest.Rows[total](p, "out"))[2:], []total{{"ann", 3_1_3_7_2}, {"ann", 4_2_3_7_2}, {"bob", 1_1_1_0_0}, {"bob", 2_2_1_0_0}})
	err := p.Failure(func() { p.Upgrade(first) })
	for _, want := range []string{
		"state of table total of operator totals", "column count is INT, in the snapshot BIGINT, which does not widen to it",
		"column least is NOT NULL, in the snapshot it may be NULL",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nhas no %q", err, want)
		}
	}
}

// State is left behind where the test allows that.
func TestUpgradeDrops(t *testing.T) {
	p := sdktest.Start(t, totals("total", func(n *int64) int64 { *n++; return *n }), sdktest.Options{AllowDropped: true})
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)})
	p.Upgrade(totals("sum", func(n *int64) int64 { *n++; return *n }))
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)})
	same(t, "totals", sdktest.Rows[total](p, "out"), []total{{"ann", 1}, {"ann", 1}})
}

// What a function keeps in a variable is lost in a crash, and its test shows that.
func TestCrashFindsVariables(t *testing.T) {
	numbered := func(e *sdk.Env) {
		in := sdk.From[int64](e, "in", anywhere)
		sdk.Process(in, func(*sdk.Setup) func(*sdk.Context[struct{}, int64], *int64) error {
			var n int64
			return func(c *sdk.Context[struct{}, int64], _ *int64) error {
				n++
				c.Collect(n)
				return nil
			}
		}).To("out", anywhere)
	}
	p := sdktest.Start(t, numbered, sdktest.Options{})
	sdktest.Push(p, "in", int64(7), int64(7))
	p.Checkpoint()
	sdktest.Push(p, "in", int64(7))
	same(t, "rows", sdktest.Rows[int64](p, "out"), []int64{1, 2, 3})
	p.Crash()
	same(t, "behind a crash", sdktest.Rows[int64](p, "out"), []int64{1, 2, 1})
}

// A job that has ended may be upgraded, and reads on.
func TestUpgradeBehindTheEnd(t *testing.T) {
	p := sdktest.Start(t, sessions, sdktest.Options{})
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)})
	p.End()
	same(t, "sessions", sdktest.Take[session](p, "out"), []session{{"ann", 1, "1"}})
	p.Upgrade(sessions)
	sdktest.Push(p, "clicks", click{"ann", 2, at(2)})
	p.End()
	same(t, "sessions", sdktest.Take[session](p, "out"), []session{{"ann", 1, "2"}})
	same(t, "late", sdktest.Rows[click](p, "late"), nil)
}

func TestChanges(t *testing.T) {
	p := sdktest.Start(t, doubled, sdktest.Options{})
	in := []sdktest.Change[int64]{{Kind: sdk.Insert, Row: 1}, {Kind: sdk.UpdateBefore, Row: 1}, {Kind: sdk.UpdateAfter, Row: 2}}
	want := []sdktest.Change[int64]{{Kind: sdk.Insert, Row: 2}, {Kind: sdk.UpdateBefore, Row: 2}, {Kind: sdk.UpdateAfter, Row: 4}}
	sdktest.PushChanges(p, "in", in...)
	same(t, "changes", sdktest.TakeChanges[int64](p, "out"), want)
	same(t, "changes", sdktest.TakeChanges[int64](p, "out"), nil)
	same(t, "changes", sdktest.Changes[int64](p, "out"), want)
}

// What can't be is refused, and the job runs on.
func TestRescaleRefused(t *testing.T) {
	p := sdktest.Start(t, charges, sdktest.Options{})
	if err := p.Failure(func() { p.Rescale(1000) }); err == nil || !strings.Contains(err.Error(), "parallelism 1000") {
		t.Error(err)
	}
	sdktest.Push(p, "web", click{"ann", 1, at(1)})
	same(t, "charges", sdktest.Rows[charge](p, "out"), []charge{{"ann", 0}})
}

type visit struct {
	User  string
	Pages int64
}

// Windows of the SDK run as they are.
func TestWindows(t *testing.T) {
	p := sdktest.Start(t, func(e *sdk.Env) {
		clicks := sdk.From[click](e, "clicks", anywhere, sdk.Watermark(2*time.Second))
		windows := sdk.Windows(sdk.KeyByFields[string](clicks, "user"), sdk.Tumble(10*time.Second))
		sdk.Aggregate(windows, "visits", sdk.Aggregator[string, click, int64, visit]{
			Add:    func(n *int64, _ *click) error { *n++; return nil },
			Result: func(w sdk.WindowOf[string], n *int64) (visit, error) { return visit{w.Key, *n}, nil },
		}).To("out", anywhere)
	}, sdktest.Options{Parallelism: 3})
	sdktest.Push(p, "clicks", click{"ann", 1, at(1)}, click{"bob", 1, at(9)}, click{"ann", 2, at(11)})
	p.Checkpoint()
	p.Crash()
	p.Rescale(2)
	same(t, "visits", sdktest.Take[visit](p, "out"), nil)
	sdktest.Push(p, "clicks", click{"ann", 3, at(12)})
	same(t, "visits", sorted(sdktest.Take[visit](p, "out")), []visit{{"ann", 1}, {"bob", 1}})
	p.Crash()
	p.End()
	same(t, "visits", sorted(sdktest.Committed[visit](p, "out")), []visit{{"ann", 1}, {"ann", 2}, {"bob", 1}})
}

// TestIdleAtItsTime: a split that has been silent for the time of Idle is left out then, and not when it is looked at next.
func TestIdleAtItsTime(t *testing.T) {
	p := sdktest.Start(t, func(e *sdk.Env) {
		clicks := sdk.From[click](e, "clicks", anywhere, sdk.Idle(30*time.Second))
		times := sdk.KeyedProcess(sdk.KeyByFields[string](clicks, "user"), "times", func(*sdk.Setup) sdk.Processor[string, click, string] {
			return sdk.Processor[string, click, string]{
				Row: func(c *sdk.Context[string, string], r *click) error { c.SetTimer(r.At); return nil },
				Timer: func(c *sdk.Context[string, string], _ sdk.Timer) error {
					c.Collect(c.Key())
					return nil
				},
			}
		})
		times.To("out", anywhere)
	}, sdktest.Options{Splits: map[string]int{"clicks": 2}})
	sdktest.PushSplit(p, "clicks", 1, click{"ann", 1, at(1)})
	sdktest.PushSplit(p, "clicks", 0, click{"bob", 1, at(2)}, click{"cy", 1, at(100)})
	p.Advance(20 * time.Second)
	sdktest.PushSplit(p, "clicks", 0, click{"dora", 1, at(101)})
	p.Advance(10*time.Second - time.Millisecond)
	same(t, "before", sdktest.Take[string](p, "out"), nil)
	p.Advance(time.Millisecond)
	same(t, "at its time", sdktest.Take[string](p, "out"), []string{"ann", "bob", "cy"})
}
