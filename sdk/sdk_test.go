package sdk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/sdk"
	"millrace/statebackend/columnar"
	"millrace/types"
)

// one describes a job and returns the operator of a uid, as operatortest runs it.
func one(t testing.TB, uid string, describe func(*sdk.Env)) operatortest.Case {
	t.Helper()
	env := sdk.NewEnv(nil, nil)
	describe(env)
	g, functions, err := env.Describe()
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Vertices {
		for k := range g.Vertices[i].Operators {
			o := &g.Vertices[i].Operators[k]
			if o.UID != types.OperatorUID(uid) {
				continue
			}
			c := operatortest.Case{
				Name: uid, Spec: o, Backend: columnar.New(),
				New: func(spec *jobgraph.OperatorSpec) (operators.Operator, error) { return functions.Native(spec) },
			}
			for _, in := range o.Body.(*jobgraph.NativeSpec).Inputs {
				c.Inputs = append(c.Inputs, in.Schema)
				if len(in.Keys) > 0 {
					c.Keys = append(c.Keys, in.Keys)
				}
			}
			return c
		}
	}
	t.Fatalf("no operator %s", uid)
	return operatortest.Case{}
}

var nowhere = sdk.Connect{Name: "blackhole"}

type click struct {
	User string
	Page int64
	At   time.Time `millrace:"at,rowtime"`
}

func clicks(e *sdk.Env) *sdk.Stream[click] {
	return sdk.From[click](e, "clicks", sdk.Connect{Name: "values"})
}

func TestFilter(t *testing.T) {
	c := one(t, "even", func(e *sdk.Env) {
		clicks(e).Filter(func(c *click) bool { return c.Page%2 == 0 }, sdk.UID("even")).To("out", nowhere)
	})
	c.Script = "'a' 1 1970-01-01 00:00:00.001\n-D 'b' 2 1970-01-01 00:00:00.002\n'c' 4 1970-01-01 00:00:00.003\nwatermark 3\nend"
	c.Want = "-D 'b' 2 1970-01-01 00:00:00.002\n'c' 4 1970-01-01 00:00:00.003"
	c.Ordered, c.Counts = true, &operators.Counts{Filtered: 1}
	operatortest.Run(t, c)
}

type page struct {
	Name string
	N    *int32
}

func TestMapAndFlatMap(t *testing.T) {
	c := one(t, "map-1", func(e *sdk.Env) {
		sdk.Map(clicks(e), func(c *click) (page, error) {
			n := int32(c.Page)
			p := page{Name: strings.ToUpper(c.User)}
			if n > 1 {
				p.N = &n
			}
			return p, nil
		}).To("out", nowhere)
	})
	c.Script = "'a' 1 1970-01-01 00:00:00.001\n-D 'b' 2 1970-01-01 00:00:00.002"
	c.Want = "'A' NULL\n-D 'B' 2"
	c.Ordered = true
	operatortest.Run(t, c)

	c = one(t, "split", func(e *sdk.Env) {
		sdk.FlatMap(clicks(e), func(c *click, out *sdk.Collector[string]) error {
			for i := range c.Page {
				out.Collect(fmt.Sprint(c.User, i))
			}
			return nil
		}, sdk.UID("split")).To("out", nowhere)
	})
	c.Script = "'a' 3 1970-01-01 00:00:00.001\n-U 'b' 2 1970-01-01 00:00:00.002\n'c' 0 1970-01-01 00:00:00.002"
	c.Want = "'a0'\n'a1'\n'a2'\n-U 'b0'\n-U 'b1'"
	operatortest.Run(t, c)
}

func TestKeyBy(t *testing.T) {
	type key struct {
		First string
		Even  bool
	}
	c := one(t, "by", func(e *sdk.Env) {
		by := sdk.KeyBy(clicks(e), func(c *click) key { return key{c.User[:1], c.Page%2 == 0} }, sdk.UID("by"))
		sdk.KeyedProcess(by, "p", func(*sdk.Setup) sdk.Processor[key, click, int64] {
			return sdk.Processor[key, click, int64]{Row: func(*sdk.Context[key, int64], *click) error { return nil }}
		}).To("out", nowhere)
	})
	c.Script = "'ab' 1 1970-01-01 00:00:00.001\n+U 'b' 2 1970-01-01 00:00:00.002"
	c.Want = "'a' FALSE 'ab' 1 1970-01-01 00:00:00.001\n+U 'b' TRUE 'b' 2 1970-01-01 00:00:00.002"
	c.Ordered = true
	operatortest.Run(t, c)
}

type session struct {
	User   string
	Clicks int64
	Pages  string
}

// Sessions end when no click has come for 10 ms of event time.
func sessions(e *sdk.Env) {
	type state struct {
		Clicks int64
		Until  time.Time
	}
	by := sdk.KeyByFields[string](clicks(e), "user")
	sdk.KeyedProcess(by, "sessions", func(s *sdk.Setup) sdk.Processor[string, click, session] {
		open := sdk.NewValue[state](s, "open")
		pages := sdk.NewList[int64](s, "pages")
		late := sdk.NewSide[click](s, "late")
		return sdk.Processor[string, click, session]{
			Row: func(c *sdk.Context[string, session], click *click) error {
				if w := c.Watermark(); !w.IsZero() && !click.At.After(w) {
					late.Collect(*click)
					return nil
				}
				now, ok := open.Get()
				if ok {
					c.DeleteTimer(now.Until)
				}
				if until := click.At.Add(10 * time.Millisecond); until.After(now.Until) {
					now.Until = until
				}
				now.Clicks++
				open.Set(now)
				pages.Add(click.Page)
				c.SetTimer(now.Until)
				return nil
			},
			Timer: func(c *sdk.Context[string, session], timer sdk.Timer) error {
				now, ok := open.Get()
				if !ok || !timer.At.Equal(now.Until) {
					return fmt.Errorf("a timer at %s, and the session ends at %s", timer.At, now.Until)
				}
				var seen []string
				for p := range pages.All() {
					seen = append(seen, fmt.Sprint(p))
				}
				c.Collect(session{c.Key(), now.Clicks, strings.Join(seen, " ")})
				open.Clear()
				pages.Clear()
				return nil
			},
		}
	}).To("out", nowhere)
}

func TestKeyedProcess(t *testing.T) {
	c := one(t, "sessions", sessions)
	c.Script = `
		'a' 1 1970-01-01 00:00:00.001
		'b' 2 1970-01-01 00:00:00.005
		'a' 3 1970-01-01 00:00:00.004
		'a' 9 1970-01-01 00:00:00.002
		watermark 13
		'a' 4 1970-01-01 00:00:00.013
		'a' 5 1970-01-01 00:00:00.014
		watermark 24
		'a' 6 1970-01-01 00:00:00.025
		watermark 30
		'b' 7 1970-01-01 00:00:00.031
		end`
	c.Want = "'b' 1 '2'\n'a' 4 '1 3 9 5'\n'a' 1 '6'\n'b' 1 '7'"
	c.Late = "'a' 4 1970-01-01 00:00:00.013"
	operatortest.Run(t, c)
}

func TestFailuresNameFunctionAndRow(t *testing.T) {
	for name, f := range map[string]struct {
		mapping func(*click) (int64, error)
		want    []string
	}{
		"error": {func(*click) (int64, error) { return 0, errors.New("no such page") }, []string{"map m (sdk_test.go:", "): no such page\n  in task v/0, row {User:a Page:1 At:1970-01-01"}},
		"panic": {func(c *click) (int64, error) { return explode(c.Page), nil }, []string{"map m (sdk_test.go:", "): panic: boom 1\nmillrace/sdk_test.explode\n", "\n  in task v/0, row {User:a"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := one(t, "m", func(e *sdk.Env) { sdk.Map(clicks(e), f.mapping, sdk.UID("m")).To("out", nowhere) })
			err := runOne(t, c, "'a' 1 1970-01-01 00:00:00.001")
			for _, want := range f.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nhas no %q", err, want)
				}
			}
		})
	}
}

func explode(n int64) int64 { panic(fmt.Sprint("boom ", n)) }
