package sdktest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// command is what a row has a key's states do.
type command struct {
	Key  string
	Does string
	N    int64
}

// remembers is a job that keeps something in a state of each shape, and shows all of it.
func remembers(options ...sdk.StateOption) func(*sdk.Env) {
	return func(e *sdk.Env) {
		by := sdk.KeyByFields[string](sdk.From[command](e, "in", anywhere), "key")
		sdk.KeyedProcess(by, "states", func(s *sdk.Setup) sdk.Processor[string, command, string] {
			value, list := sdk.NewValue[int64](s, "value", options...), sdk.NewList[int64](s, "list", options...)
			plain, ordered := sdk.NewMap[int64, string](s, "map", options...), sdk.NewOrderedMap[int64, int64](s, "ordered", options...)
			return sdk.Processor[string, command, string]{Row: func(c *sdk.Context[string, string], o *command) error {
				switch o.Does {
				case "set":
					value.Set(o.N)
				case "add":
					list.Add(o.N)
				case "put":
					plain.Put(o.N, fmt.Sprint("v", o.N))
				case "order":
					ordered.Put(o.N, -o.N)
				case "delete":
					plain.Delete(o.N)
					ordered.Delete(o.N)
				case "show":
					v, ok := value.Get()
					p, there := plain.Get(o.N)
					least, _, some := ordered.First()
					greatest, _, _ := ordered.Last()
					var back, within []int64
					for k := range ordered.Backward() {
						back = append(back, k)
					}
					for k := range ordered.Range(2, 5) {
						within = append(within, k)
					}
					var keys []int64
					for k, v := range plain.All() {
						if v != fmt.Sprint("v", k) {
							return fmt.Errorf("%d has %s", k, v)
						}
						keys = append(keys, k)
					}
					c.Collect(fmt.Sprint(c.Key(), " ", v, ok, " ", slices.Collect(list.All()), list.Len(), " ", keys, plain.Len(), p, there, " ", back, ordered.Len(), least, greatest, some, within))
				}
				return nil
			}}
		}).To("out", anywhere)
	}
}

// remembered is the model of remembers.
type remembered struct {
	value   *dated
	list    []dated
	plain   []dated
	ordered []dated
}

type dated struct {
	n  int64
	at time.Time
}

func (r *remembered) does(o command, now time.Time) {
	put := func(m []dated) []dated {
		m = slices.DeleteFunc(m, func(d dated) bool { return d.n == o.N })
		return append(m, dated{o.N, now})
	}
	without := func(m []dated) []dated { return slices.DeleteFunc(m, func(d dated) bool { return d.n == o.N }) }
	switch o.Does {
	case "set":
		r.value = &dated{o.N, now}
	case "add":
		r.list = append(r.list, dated{o.N, now})
	case "put":
		r.plain = put(r.plain)
	case "order":
		r.ordered = put(r.ordered)
	case "delete":
		r.plain, r.ordered = without(r.plain), without(r.ordered)
	}
}

func (r *remembered) shows(o command, now time.Time, ttl time.Duration) string {
	young := func(m []dated, sorted bool) (out []int64) {
		for _, d := range m {
			if now.Before(d.at.Add(ttl)) {
				out = append(out, d.n)
			}
		}
		if sorted {
			slices.Sort(out)
		}
		return out
	}
	var v int64
	ok := r.value != nil && now.Before(r.value.at.Add(ttl))
	if ok {
		v = r.value.n
	}
	list, keys, ordered := young(r.list, false), young(r.plain, true), young(r.ordered, true)
	p, there := "", slices.Contains(keys, o.N)
	if there {
		p = fmt.Sprint("v", o.N)
	}
	var least, greatest int64
	var within []int64
	if len(ordered) > 0 {
		least, greatest = ordered[0], ordered[len(ordered)-1]
	}
	for _, k := range ordered {
		if k >= 2 && k < 5 {
			within = append(within, k)
		}
	}
	back := slices.Clone(ordered)
	slices.Reverse(back)
	return fmt.Sprint(o.Key, " ", v, ok, " ", list, len(list), " ", keys, len(keys), p, there, " ", back, len(ordered), least, greatest, len(ordered) > 0, within)
}

// TestTimeToLive: what was not written for the time is not there, in a state of whatever shape, over crashes and at another parallelism.
func TestTimeToLive(t *testing.T) {
	const ttl = time.Minute
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := sdktest.Start(t, remembers(sdk.TTL(ttl)), sdktest.Options{Parallelism: 2, Seed: seed})
		model := make(map[string]*remembered)
		var want []string
		for range 150 {
			o := command{fmt.Sprint("k", r.IntN(3)), []string{"set", "add", "put", "order", "delete", "show", "show"}[r.IntN(7)], r.Int64N(7)}
			m := model[o.Key]
			if m == nil {
				m = &remembered{}
				model[o.Key] = m
			}
			if m.does(o, p.Now()); o.Does == "show" {
				want = append(want, m.shows(o, p.Now(), ttl))
			}
			sdktest.Push(p, "in", o)
			switch r.IntN(12) {
			case 0, 1, 2:
				p.Advance(time.Duration(r.Int64N(int64(40 * time.Second))))
			case 3:
				p.Checkpoint() // rows that are read again are written again
				p.Crash()
			case 4:
				p.Rescale(1 + r.IntN(3))
			}
		}
		same(t, fmt.Sprint("seed ", seed), sorted(sdktest.Rows[string](p, "out")), sorted(want))
	}
}

// TestTimeToLiveIsSwept: what is too old is deleted, whether or not anybody asks for its key: a version of the program without a time to live has nothing of it.
func TestTimeToLiveIsSwept(t *testing.T) {
	p := sdktest.Start(t, remembers(sdk.TTL(time.Minute)), sdktest.Options{})
	for i := range int64(200) {
		for _, does := range []string{"set", "add", "put", "order"} {
			sdktest.Push(p, "in", command{fmt.Sprint("k", i), does, i})
		}
	}
	p.Advance(time.Minute)
	for range 20 { // each has some rows looked at
		sdktest.Push(p, "in", command{"other", "set", 1})
	}
	p.Upgrade(remembers())
	var want []string
	for i := range int64(200) {
		o := command{fmt.Sprint("k", i), "show", i}
		sdktest.Push(p, "in", o)
		want = append(want, (&remembered{}).shows(o, p.Now(), 0))
	}
	same(t, "what is left", sorted(sdktest.Rows[string](p, "out")), sorted(want))
}

// TestTimeToLiveIsAdded: what was kept before the state had a time to live is kept, and begins to age with the program that gives it one.
func TestTimeToLiveIsAdded(t *testing.T) {
	p := sdktest.Start(t, remembers(), sdktest.Options{})
	var m remembered
	for _, does := range []string{"set", "add", "put", "order"} {
		o := command{"k", does, 3}
		m.does(o, p.Now())
		sdktest.Push(p, "in", o)
	}
	p.Advance(time.Hour)
	p.Upgrade(remembers(sdk.TTL(time.Minute)))
	p.Checkpoint() // the next one has what changes alone
	show := command{"k", "show", 3}
	sdktest.Push(p, "in", show, show)
	p.Checkpoint()
	p.Crash()
	p.Advance(59 * time.Second)
	sdktest.Push(p, "in", show)
	whole := m.shows(show, p.Now(), 2*time.Hour)
	same(t, "before it is too old", sdktest.Take[string](p, "out"), []string{whole, whole, whole})
	p.Advance(time.Second)
	sdktest.Push(p, "in", show)
	same(t, "when it is", sdktest.Take[string](p, "out"), []string{(&remembered{}).shows(show, p.Now(), 0)})
}

type word struct{ Word, Says string }

// translates is a job with a broadcast state of words.
func translates(options ...sdk.StateOption) func(*sdk.Env) {
	return func(e *sdk.Env) {
		words := sdk.From[word](e, "words", anywhere)
		by := sdk.KeyByFields[string](sdk.From[command](e, "in", anywhere), "key")
		sdk.BroadcastProcess(by, words, "translate", func(s *sdk.Setup) sdk.BroadcastProcessor[string, command, word, string] {
			known := sdk.NewBroadcast[string, string](s, "known", options...)
			return sdk.BroadcastProcessor[string, command, word, string]{
				Row: func(c *sdk.Context[string, string], o *command) error {
					says, ok := known.Get(o.Does)
					var all []string
					for w := range known.All() {
						all = append(all, w)
					}
					c.Collect(fmt.Sprint(says, ok, known.Len(), all))
					return nil
				},
				Broadcast: func(c *sdk.Context[string, string], w *word) error {
					known.Put(w.Word, w.Says)
					return nil
				},
			}
		}).To("out", anywhere)
	}
}

// TestTimeToLiveOfBroadcastState: entries age one by one, those from before there was a time to live from then on.
func TestTimeToLiveOfBroadcastState(t *testing.T) {
	p := sdktest.Start(t, translates(), sdktest.Options{})
	sdktest.Push(p, "words", word{"eau", "water"})
	p.Advance(time.Hour)
	p.Upgrade(translates(sdk.TTL(time.Minute)))
	ask := func(what, want string) {
		t.Helper()
		sdktest.Push(p, "in", command{Key: "k", Does: what})
		same(t, what, sdktest.Take[string](p, "out"), []string{want})
	}
	ask("eau", "watertrue 1 [eau]")
	p.Advance(30 * time.Second)
	sdktest.Push(p, "words", word{"feu", "fire"})
	ask("feu", "firetrue 2 [eau feu]")
	p.Checkpoint()
	p.Crash()
	p.Rescale(3)
	p.Advance(30 * time.Second)
	ask("eau", "false 1 [feu]")
	ask("feu", "firetrue 1 [feu]")
	p.Upgrade(translates()) // times are no concern of it
	p.Advance(time.Hour)
	sdktest.Push(p, "in", command{Key: "k", Does: "feu"})
	if got := sdktest.Take[string](p, "out"); len(got) != 1 || !strings.HasPrefix(got[0], "firetrue ") {
		t.Errorf("without a time to live it knows %v", got)
	}
}

// TestTimeToLiveThatIsNone: a time to live that nothing could have is refused.
func TestTimeToLiveThatIsNone(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second, time.Microsecond} {
		err := sdktest.Refused(t, remembers(sdk.TTL(d)), sdktest.Options{})
		for _, name := range []string{"value", "list", "map", "ordered"} {
			if want := fmt.Sprintf("the state %s has a time to live of %s", name, d); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v lacks %q", err, want)
			}
		}
	}
}
