package sdk_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk"
)

// Everything that is wrong with a description is said at once, with the line of its call.
func TestProblems(t *testing.T) {
	env := sdk.NewEnv(nil, func(string) (string, bool) { return "", false })
	in := clicks(env)
	env.Require("TOKEN")
	sdk.From[struct{ C chan int }](env, "channels", nowhere).To("a", nowhere)
	list := sdk.KeyBy(in, func(c *click) []string { return []string{c.User} })
	sdk.KeyedProcess(list, "by-list", func(*sdk.Setup) sdk.Processor[[]string, click, string] { panic("is not called") }).To("b", nowhere)
	user := sdk.KeyByFields[string](in, "user")
	sdk.KeyByFields[int64](in, "user")
	sdk.KeyByFields[string](in, "usr")
	sdk.KeyedProcess(user, "", func(s *sdk.Setup) sdk.Processor[string, click, string] {
		sdk.NewValue[int64](s, "seen")
		sdk.NewValue[string](s, "seen")
		sdk.NewValue[func()](s, "what")
		return sdk.Processor[string, click, string]{}
	}).To("out", nowhere)
	sdk.KeyedProcess(user, "throws", func(*sdk.Setup) sdk.Processor[string, click, string] { explode(1); panic("behind") }).To("c", nowhere)
	sdk.Map(in, func(*click) (int64, error) { return 0, nil }, sdk.UID("clicks"), sdk.Watermark(time.Second)).To("d", nowhere)
	numbers := sdk.Map(in, func(*click) (int64, error) { return 0, nil })
	sdk.Windows(sdk.KeyBy(numbers, func(n *int64) int64 { return *n }), sdk.Tumble(time.Second))
	sdk.SideOutput[string](numbers, "late").To("e", nowhere)
	sdk.AggregateColumns[click](sdk.Windows(user, sdk.Tumble(time.Second)), "columns", sdk.Count("page")).To("f", nowhere) // that it goes nowhere then is not said
	_, _, err := env.Describe()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		if i := strings.Index(line, "problems_test.go:"); i == 2 {
			_, rest, _ := strings.Cut(line[i:], ": ")
			got = append(got, strings.TrimSpace(rest))
		}
	}
	want := []string{
		"the environment has no TOKEN; hint: set it where the job is submitted",
		"struct.C: a chan int has no type in SQL: leave the field out with `millrace:\"-\"`",
		"the key []string has no canonical form: value is ARRAY<STRING NOT NULL> NOT NULL; hint: a key is a number, a text, bytes, a time, or a struct of such: make a text of lists and maps",
		"column user is STRING NOT NULL, but the key int64 has BIGINT NOT NULL there",
		`sdk_test.click has no column "usr"; hint: its columns are user, page, at`,
		"the process has an empty uid; hint: give it a name that stays the same when the job changes",
		`two states are called "seen"; hint: a name is that of one state of the function`,
		"the state what: func(): a func() has no type in SQL: leave the field out with `millrace:\"-\"`",
		"process throws (problems_test.go:31): panic: boom 1",
		"the option Watermark has no meaning for the map clicks; hint: it is for a source whose type has a field tagged `millrace:\",rowtime\"`",
		`the uid "clicks" is that of the source at sdk_test.go:59 too; hint: a uid names one operator`,
		"int64 has no event time, and windows go by it; hint: tag its time.Time with `millrace:\",rowtime\"`",
		`the map map-1 has no side output "late" of string; hint: it has none`,
		"sdk_test.click does not go with the columns user, window_start, window_end, page: click.At is column at, which is not there",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, err)
	}
}

// Windows that can't be are refused in the words of the engine.
func TestWindowsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		w    sdk.Window
		want string
	}{
		{sdk.Hop(10*time.Second, 3*time.Second), "window slide 3s must be whole milliseconds, and the size 10s a multiple of it"},
		{sdk.Tumble(time.Microsecond), "window size 1µs must be whole milliseconds, at least 1"},
		{sdk.Tumble(time.Second).Offset(time.Minute), "window offset 1m0s must be whole milliseconds and smaller than the size 1s"},
		{sdk.Session(time.Microsecond), "window size 1µs must be whole milliseconds, at least 1"},
	} {
		env := sdk.NewEnv(nil, nil)
		totals(c.w, false)(env)
		if _, _, err := env.Describe(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// So are aggregates of windows that can't be, with what to do.
func TestAggregatesThatCannotBe(t *testing.T) {
	env := sdk.NewEnv(nil, nil)
	by := sdk.KeyByFields[string](clicks(env), "user")
	counts := sdk.Aggregator[string, click, int64, int64]{
		Add: func(n *int64, _ *click) error { *n++; return nil }, Result: func(_ sdk.WindowOf[string], n *int64) (int64, error) { return *n, nil },
	}
	sdk.Aggregate(sdk.Windows(by, sdk.Session(time.Second)), "sessions", counts).To("a", nowhere)
	sdk.Aggregate(sdk.Windows(by, sdk.Tumble(time.Second)), "nothing", sdk.Aggregator[string, click, int64, int64]{}).To("b", nowhere)
	sdk.Aggregate(sdk.Windows(by, sdk.Tumble(time.Second)).AllowedLateness(-time.Second), "less", counts).To("c", nowhere)
	sdk.Aggregate(sdk.Windows(by, sdk.Tumble(time.Second)).AllowedLateness(time.Microsecond), "little", counts).To("d", nowhere)
	type out struct{ N int64 }
	sdk.AggregateColumns[out](sdk.Windows(by, sdk.Tumble(time.Second)).AllowedLateness(time.Minute), "columns", sdk.Count("n")).To("e", nowhere)
	_, _, err := env.Describe()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		if at, rest, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasPrefix(at, "problems_test.go:") {
			got = append(got, rest)
		}
	}
	want := []string{
		"windows that are sessions need an Aggregator with Merge, since a row may come that makes one of two sessions; hint: give it a Merge that adds what another session has, or use AggregateColumns",
		"an Aggregator needs Add and Result",
		"an allowed lateness of -1s must be whole milliseconds, and not less than 0",
		"an allowed lateness of 1µs must be whole milliseconds, and not less than 0",
		"aggregates of columns give a window once, and have no allowed lateness; hint: use Aggregate with functions in Go, or have windows close later by the Watermark of the source",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, err)
	}
}

// A stream with updates goes where they are understood.
func TestUpdatesNeedAPlace(t *testing.T) {
	env := sdk.NewEnv(nil, nil)
	env.View("clicks", clicks(env))
	type count struct {
		User string
		N    int64
	}
	counts := sdk.Query[count](env, "counts", "SELECT `user`, COUNT(*) AS n FROM clicks GROUP BY `user`")
	counts.To("appends", sdk.Kafka{Topic: "t", Brokers: "localhost:9092"})
	counts.To("configured", sdk.Kafka{Topic: "t"}) // whose brokers are those of the cluster
	counts.To("upserts", sdk.Connect{Name: "blackhole"})
	_, _, err := env.Describe()
	want := "the stream has updates, and a sink of kafka takes rows that only come; hint: "
	if err == nil || strings.Count(err.Error(), want) != 2 || strings.Contains(err.Error(), "blackhole") {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestOneProblemIsSaidOnce: that the stream of what was refused goes nowhere is no problem of its own, nor that a job which was given up has no streams.
func TestOneProblemIsSaidOnce(t *testing.T) {
	type bad struct{ C chan int }
	for name, describe := range map[string]func(*sdk.Env, *sdk.Stream[click]){
		"KeyByFields, no column":    func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.KeyByFields[string](s, "usr") },
		"KeyByFields, another type": func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.KeyByFields[int64](s, "user") },
		"KeyByFields, no key":       func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.KeyByFields[bad](s, "user") },
		"KeyByFields, too many":     func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.KeyByFields[string](s, "user", "page") },
		"KeyBy":                     func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.KeyBy(s, func(*click) bad { return bad{} }) },
		"Map":                       func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.Map(s, func(*click) (bad, error) { return bad{}, nil }) },
		"MapBatch": func(_ *sdk.Env, s *sdk.Stream[click]) {
			sdk.MapBatch[bad](s, func(*sdk.Batch, *sdk.Columns) error { return nil })
		},
		"Async": func(_ *sdk.Env, s *sdk.Stream[click]) {
			sdk.Async(s, "ask", func(context.Context, click) (bad, error) { return bad{}, nil }, sdk.Calls[click, bad]{})
		},
		"Process": func(_ *sdk.Env, s *sdk.Stream[click]) {
			sdk.Process(s, func(*sdk.Setup) func(*sdk.Context[struct{}, bad], *click) error { return nil })
		},
		"Process that throws": func(_ *sdk.Env, s *sdk.Stream[click]) {
			sdk.Process(s, func(*sdk.Setup) func(*sdk.Context[struct{}, int64], *click) error { explode(1); return nil })
		},
		"Join": func(_ *sdk.Env, s *sdk.Stream[click]) {
			k := sdk.KeyByFields[string](s, "user")
			sdk.Join(sdk.InnerJoin, k, k, "join", sdk.Ever(0), func(*click, *click) (bad, error) { return bad{}, nil })
		},
		"JoinWindows": func(_ *sdk.Env, s *sdk.Stream[click]) {
			timeless := sdk.KeyBy(sdk.Map(s, func(*click) (int64, error) { return 0, nil }), func(n *int64) int64 { return *n })
			sdk.JoinWindows(sdk.InnerJoin, timeless, timeless, "join", sdk.Tumble(time.Second), func(*int64, *int64) (int64, error) { return 0, nil })
		},
		"SideOutput": func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.SideOutput[string](s, "late") },
		"Late":       func(_ *sdk.Env, s *sdk.Stream[click]) { sdk.Late[click](s) },
		"View":       func(e *sdk.Env, s *sdk.Stream[click]) { e.View("", s) },
		"given up":   nil,
	} {
		env := sdk.NewEnv(nil, nil)
		if describe == nil {
			env.Problemf("the arguments are wrong")
		} else {
			describe(env, clicks(env))
		}
		_, _, err := env.Describe()
		if err == nil || strings.Contains(err.Error(), "problems:") {
			t.Errorf("%s: not one problem, but %v", name, err)
		}
	}
}
