package sdktest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/testutil/matrix"
	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// ms returns a time of the tests of windows, whose windows are milliseconds long.
func ms(n int) time.Time { return time.UnixMilli(int64(n)).UTC() }

// windowing is a job of windows.
type windowing struct {
	window         sdk.Window
	size, slide    int // slide is 0 of a session, whose size is the gap
	cumulates      bool
	lateness       int
	describesSizes string
}

// gathered is what a window has seen, in the order in which it came.
type gathered struct {
	User       string
	Start, End time.Time
	Pages      string
	Least      int64
}

// gathering is its accumulator: a column of each sort.
type gathering struct {
	Pages []int64
	Text  string
	Least *int64
}

func (g *gathering) add(page int64) {
	if g.Pages = append(g.Pages, page); g.Least == nil || *g.Least > page {
		g.Least = &page
	}
	g.Text += fmt.Sprint(page, " ")
}

func (w *windowing) job(e *sdk.Env) {
	clicks := sdk.From[click](e, "clicks", anywhere, sdk.Watermark(time.Hour)) // by itself event time stands still
	windows := sdk.Windows(sdk.KeyByFields[string](clicks, "user"), w.window).AllowedLateness(time.Duration(w.lateness) * time.Millisecond).KeepLate()
	out := sdk.Aggregate(windows, "gather", sdk.Aggregator[string, click, gathering, gathered]{
		Add: func(g *gathering, c *click) error { g.add(c.Page); return nil },
		Merge: func(g, other *gathering) error {
			for _, p := range other.Pages {
				g.add(p)
			}
			return nil
		},
		Result: func(w sdk.WindowOf[string], g *gathering) (gathered, error) {
			if want := strings.Trim(fmt.Sprint(g.Pages), "[]") + " "; want != g.Text {
				return gathered{}, fmt.Errorf("the accumulator has %q beside %v", g.Text, g.Pages)
			}
			return gathered{w.Key, w.Start, w.End, strings.TrimSpace(g.Text), *g.Least}, nil
		},
	})
	out.To("out", anywhere)
	sdk.Late[click](out).To("late", anywhere)
}

// plain does what the windows do row by row, with all that a user's windows ever saw.
type plain struct {
	*windowing
	watermark int
	windows   map[string][]*plainWindow // by user
	out       map[string][]gathered
	late      map[string][]click
}

type plainWindow struct {
	start, end int
	pages      []int64
	fired      bool
}

func newPlain(w *windowing) *plain {
	return &plain{windowing: w, watermark: -1 << 40, windows: map[string][]*plainWindow{}, out: map[string][]gathered{}, late: map[string][]click{}}
}

func (p *plain) gone(end int) bool   { return end-1+p.lateness <= p.watermark }
func (p *plain) closed(end int) bool { return end-1 <= p.watermark }

func (p *plain) push(c click) {
	t := int(c.At.UnixMilli())
	if p.slide == 0 {
		p.pushSession(c, t)
		return
	}
	late := true
	for end := t + 1; end <= t+p.size; end++ { // each time at which a window of the row may end, the earliest first
		start := end - p.size
		if p.cumulates {
			start = (end-1+1000*p.size)/p.size*p.size - 1000*p.size
		}
		if (end-start)%p.slide != 0 || !p.cumulates && (start+1000*p.slide)%p.slide != 0 || start > t || p.gone(end) {
			continue
		}
		late = false
		all := p.windows[c.User]
		i := slices.IndexFunc(all, func(w *plainWindow) bool { return w.end == end })
		if i < 0 {
			i = len(all)
			all = append(all, &plainWindow{start: start, end: end})
			p.windows[c.User] = all
		}
		p.add(all[i], c)
	}
	if late {
		p.late[c.User] = append(p.late[c.User], c)
	}
}

func (p *plain) pushSession(c click, t int) {
	now := &plainWindow{start: t, end: t + p.size}
	var rest, parts []*plainWindow
	for _, w := range p.windows[c.User] {
		if w.start <= t+p.size && w.end >= t {
			parts = append(parts, w)
		} else {
			rest = append(rest, w)
		}
	}
	slices.SortFunc(parts, func(a, b *plainWindow) int { return a.start - b.start })
	for _, w := range parts {
		now.start, now.end, now.pages = min(now.start, w.start), max(now.end, w.end), append(now.pages, w.pages...)
	}
	if p.gone(now.end) {
		p.late[c.User] = append(p.late[c.User], c)
		return
	}
	p.windows[c.User] = append(rest, now)
	p.add(now, c)
}

func (p *plain) add(w *plainWindow, c click) {
	w.pages = append(w.pages, c.Page)
	if w.fired = p.closed(w.end); w.fired {
		p.give(c.User, w)
	}
}

func (p *plain) give(user string, w *plainWindow) {
	pages := strings.Trim(fmt.Sprint(w.pages), "[]")
	p.out[user] = append(p.out[user], gathered{user, ms(w.start), ms(w.end), pages, slices.Min(w.pages)})
}

func (p *plain) advance(to int) {
	p.watermark = max(p.watermark, to)
	for user, all := range p.windows {
		slices.SortFunc(all, func(a, b *plainWindow) int { return a.end - b.end })
		for _, w := range all {
			if p.closed(w.end) && !w.fired {
				w.fired = true
				p.give(user, w)
			}
		}
		p.windows[user] = slices.DeleteFunc(all, func(w *plainWindow) bool { return p.gone(w.end) })
	}
}

// anyWindowing draws windows.
func anyWindowing(r *rand.Rand) *windowing {
	w := &windowing{size: 1 + r.IntN(12)}
	if r.IntN(3) > 0 {
		w.lateness = r.IntN(30)
	}
	of := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	switch r.IntN(5) {
	case 0:
		w.slide, w.window = w.size, sdk.Tumble(of(w.size))
	case 1:
		w.slide, w.size = w.size, w.size*(1+r.IntN(4))
		w.window = sdk.Hop(of(w.size), of(w.slide))
	case 2:
		w.slide, w.size, w.cumulates = w.size, w.size*(1+r.IntN(4)), true
		w.window = sdk.Cumulate(of(w.size), of(w.slide))
	default:
		w.window = sdk.Session(of(w.size))
	}
	w.describesSizes = fmt.Sprintf("%+v within %d", w.window, w.lateness)
	return w
}

// byUser deals rows out, in their order.
func byUser[R any](rows []R, user func(*R) string) map[string][]R {
	out := map[string][]R{}
	for i := range rows {
		out[user(&rows[i])] = append(out[user(&rows[i])], rows[i])
	}
	return out
}

// Windows give, for each key in the same order, what a plain model gives that takes one row after the other: however rows come together, wherever the job crashes, however wide it is.
func TestWindowsAreThoseOfAPlainModel(t *testing.T) {
	seed, runs := matrix.Seed(), uint64(60)
	if matrix.All() {
		runs = 600
	}
	for n := range runs {
		t.Run(fmt.Sprint(seed+n), func(t *testing.T) { againstPlain(t, rand.New(rand.NewPCG(seed+n, 7))) })
	}
}

func againstPlain(t *testing.T, r *rand.Rand) {
	w := anyWindowing(r)
	t.Log(w.describesSizes)
	p := sdktest.Start(t, w.job, sdktest.Options{Parallelism: 1 + r.IntN(3), Seed: r.Uint64N(3)})
	model := newPlain(w)
	now, users := 0, 1+r.IntN(4)
	for step := range 60 {
		now += r.IntN(12)
		switch k := r.IntN(12); {
		case k < 6:
			var in []click
			for i := range 1 + r.IntN(12) {
				back := r.IntN(12)
				if r.IntN(4) == 0 {
					back = r.IntN(60)
				}
				in = append(in, click{fmt.Sprint("u", r.IntN(users)), int64(100*step + i), ms(now - back)})
			}
			sdktest.Push(p, "clicks", in...)
			for _, c := range in {
				model.push(c)
			}
		case k < 9:
			at := now - r.IntN(14)
			p.Watermark("clicks", ms(at))
			model.advance(at)
		case k == 9:
			p.Crash()
		case k == 10:
			p.Checkpoint()
		case r.IntN(2) == 0:
			p.Rescale(1 + r.IntN(4))
		default:
			p.Upgrade(w.job)
		}
	}
	p.End()
	model.advance(1 << 40)
	same(t, "windows", byUser(sdktest.Committed[gathered](p, "out"), func(g *gathered) string { return g.User }), model.out)
	same(t, "late rows", byUser(sdktest.Committed[click](p, "late"), func(c *click) string { return c.User }), model.late)
}

// A job may go on from a savepoint with other windows.
func TestWindowsOfAnUpgrade(t *testing.T) {
	of := func(w sdk.Window, lateness int) *windowing { return &windowing{window: w, lateness: lateness} }
	const u = "u"
	got := func(start, end int, pages string, least int64) gathered {
		return gathered{u, ms(start), ms(end), pages, least}
	}
	tumble, session := sdk.Tumble(10*time.Millisecond), sdk.Session(10*time.Millisecond)
	for _, c := range []struct {
		name          string
		before, after *windowing
		then          func(*sdktest.Pipeline)
		want          []gathered
		late          []click
	}{
		{"less lateness, windows", of(tumble, 30), of(tumble, 0), func(p *sdktest.Pipeline) {
			sdktest.Push(p, "clicks", click{u, 9, ms(0)})
			p.Watermark("clicks", ms(25))
		}, []gathered{got(10, 20, "2 3", 2)}, []click{{u, 9, ms(0)}}},
		{"less lateness, a session", of(session, 30), of(session, 0), func(p *sdktest.Pipeline) {
			p.Watermark("clicks", ms(25))
			sdktest.Push(p, "clicks", click{u, 9, ms(0)})
		}, []gathered{got(12, 25, "2 3", 2)}, []click{{u, 9, ms(0)}}},
		{"less lateness and another gap", of(session, 30), of(sdk.Session(20*time.Millisecond), 0), func(p *sdktest.Pipeline) {
			p.Watermark("clicks", ms(25))
			sdktest.Push(p, "clicks", click{u, 9, ms(9)})
		}, []gathered{got(12, 25, "2 3", 2), got(0, 29, "1 9", 1)}, nil},
		{"more lateness, windows", of(tumble, 5), of(tumble, 30), func(p *sdktest.Pipeline) {
			p.Watermark("clicks", ms(38))
			sdktest.Push(p, "clicks", click{u, 9, ms(0)})
			p.Watermark("clicks", ms(39))
			sdktest.Push(p, "clicks", click{u, 10, ms(0)})
		}, []gathered{got(10, 20, "2 3", 2), got(0, 10, "1 9", 1)}, []click{{u, 10, ms(0)}}},
		{"more lateness, a session", of(session, 5), of(session, 30), func(p *sdktest.Pipeline) {
			p.Watermark("clicks", ms(38))
			sdktest.Push(p, "clicks", click{u, 9, ms(0)})
			p.Watermark("clicks", ms(39))
			sdktest.Push(p, "clicks", click{u, 10, ms(0)})
		}, []gathered{got(12, 25, "2 3", 2), got(0, 10, "1 9", 1)}, []click{{u, 10, ms(0)}}},
		{"another gap", of(session, 0), of(sdk.Session(20*time.Millisecond), 0), func(p *sdktest.Pipeline) {
			sdktest.Push(p, "clicks", click{u, 9, ms(25)}, click{u, 10, ms(46)})
		}, []gathered{got(12, 45, "2 3 9", 2), got(46, 66, "10", 10)}, nil},
		{"another size", of(tumble, 0), of(sdk.Tumble(20*time.Millisecond), 0), func(p *sdktest.Pipeline) {
			sdktest.Push(p, "clicks", click{u, 9, ms(11)}, click{u, 10, ms(21)})
		}, []gathered{got(0, 20, "2 3 9", 2), got(20, 40, "10", 10)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := sdktest.Start(t, c.before.job, sdktest.Options{})
			sdktest.Push(p, "clicks", click{u, 1, ms(0)}, click{u, 2, ms(12)}, click{u, 3, ms(15)})
			p.Watermark("clicks", ms(10))
			same(t, "windows before", sdktest.Take[gathered](p, "out"), []gathered{got(0, 10, "1", 1)})
			p.Upgrade(c.after.job)
			c.then(p)
			p.End()
			same(t, "windows", sdktest.Take[gathered](p, "out"), c.want)
			same(t, "late rows", sdktest.Take[click](p, "late"), c.late)
		})
	}
	p := sdktest.Start(t, of(tumble, 0).job, sdktest.Options{})
	sdktest.Push(p, "clicks", click{u, 1, ms(0)})
	err := p.Failure(func() { p.Upgrade(of(session, 0).job) })
	if err == nil || !strings.Contains(err.Error(), "table windows of operator gather") {
		t.Errorf("sessions in place of windows: %v", err)
	}
}

// What a function of a window says is said with its row.
func TestMergeFails(t *testing.T) {
	p := sdktest.Start(t, func(e *sdk.Env) {
		windows := sdk.Windows(sdk.KeyByFields[string](sdk.From[click](e, "clicks", anywhere, sdk.Watermark(time.Hour)), "user"), sdk.Session(10*time.Millisecond))
		sdk.Aggregate(windows, "visits", sdk.Aggregator[string, click, int64, visit]{
			Add:    func(n *int64, _ *click) error { *n++; return nil },
			Merge:  func(*int64, *int64) error { return errors.New("these two don't go together") },
			Result: func(w sdk.WindowOf[string], n *int64) (visit, error) { return visit{w.Key, *n}, nil },
		}).To("out", anywhere)
	}, sdktest.Options{})
	sdktest.Push(p, "clicks", click{"ann", 1, ms(0)}, click{"ann", 2, ms(15)})
	err := p.Failure(func() { sdktest.Push(p, "clicks", click{"ann", 3, ms(7)}) })
	for _, want := range []string{"aggregate visits (windows_test.go:", "these two don't go together", "row {User:ann Page:3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nhas no %q", err, want)
		}
	}
}

// Accumulators of sessions gain fields and widen them, those of the last session of a key and of the others.
func TestAccumulatorsOfSessionsEvolve(t *testing.T) {
	type before struct {
		N    int32
		Text string
	}
	type after struct {
		Text string
		N    int64
		Last *int64
	}
	job := func(aggregate func(*sdk.Windowed[string, click]) *sdk.Stream[string]) func(*sdk.Env) {
		return func(e *sdk.Env) {
			clicks := sdk.From[click](e, "clicks", anywhere, sdk.Watermark(time.Hour))
			aggregate(sdk.Windows(sdk.KeyByFields[string](clicks, "user"), sdk.Session(10*time.Millisecond))).To("out", anywhere)
		}
	}
	p := sdktest.Start(t, job(func(w *sdk.Windowed[string, click]) *sdk.Stream[string] {
		return sdk.Aggregate(w, "texts", sdk.Aggregator[string, click, before, string]{
			Add:    func(b *before, c *click) error { b.N, b.Text = b.N+1, b.Text+fmt.Sprint(" ", c.Page); return nil },
			Merge:  func(*before, *before) error { return errors.New("no two sessions are one") },
			Result: func(_ sdk.WindowOf[string], b *before) (string, error) { return b.Text, nil },
		})
	}), sdktest.Options{})
	sdktest.Push(p, "clicks", click{"u", 1, ms(0)}, click{"u", 2, ms(30)}, click{"u", 3, ms(60)}, click{"u", 4, ms(61)})
	p.Upgrade(job(func(w *sdk.Windowed[string, click]) *sdk.Stream[string] {
		return sdk.Aggregate(w, "texts", sdk.Aggregator[string, click, after, string]{
			Add: func(a *after, c *click) error {
				a.N, a.Text, a.Last = a.N+1, a.Text+fmt.Sprint(" ", c.Page), &c.Page
				return nil
			},
			Merge: func(*after, *after) error { return errors.New("no two sessions are one") },
			Result: func(_ sdk.WindowOf[string], a *after) (string, error) {
				if a.Last == nil {
					return fmt.Sprint(a.N, a.Text), nil
				}
				return fmt.Sprint(a.N, a.Text, " last ", *a.Last), nil
			},
		})
	}))
	sdktest.Push(p, "clicks", click{"u", 5, ms(31)}, click{"u", 6, ms(62)})
	p.End()
	same(t, "sessions", sdktest.Rows[string](p, "out"), []string{"1 1", "2 2 5 last 5", "3 3 4 6 last 6"})
}
