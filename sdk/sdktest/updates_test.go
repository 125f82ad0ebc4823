package sdktest_test

import (
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/options"
	"millrace/sdk"
	"millrace/sdk/sdktest"
	"millrace/types"
)

// level is a row of a table of levels by name.
type level struct {
	Name  string
	Level int64
}

// latest describes a table of the last level of each name, and what SQL counts in it: none of a name whose level is 0.
func latest(options ...sdk.Option) func(*sdk.Env) {
	return func(e *sdk.Env) {
		levels := sdk.KeyByFields[string](sdk.From[level](e, "levels", anywhere), "name")
		table := sdk.KeyedProcess(levels, "latest", func(s *sdk.Setup) sdk.Processor[string, level, level] {
			last := sdk.NewValue[level](s, "last")
			return sdk.Processor[string, level, level]{Row: func(c *sdk.Context[string, level], l *level) error {
				before, ok := last.Get()
				last.Set(*l)
				switch {
				case !ok:
					c.Collect(*l)
				case l.Level == 0:
					c.CollectAs(sdk.Delete, before)
					last.Clear()
				default:
					c.CollectAs(sdk.UpdateBefore, before)
					c.CollectAs(sdk.UpdateAfter, *l)
				}
				return nil
			}}
		}, options...)
		table.To("table", anywhere)
		e.View("latest", table)
		sdk.Query[level](e, "sums", "SELECT 'all' AS name, SUM(level) AS level FROM latest").To("sums-out", anywhere)
	}
}

// TestUpdatesOfAProcess: a function that says that it gives updates makes a table, which SQL reads as one.
func TestUpdatesOfAProcess(t *testing.T) {
	p := sdktest.Start(t, latest(sdk.Updates()), sdktest.Options{})
	for _, l := range []level{{"a", 1}, {"b", 10}, {"a", 2}, {"b", 0}} {
		sdktest.Push(p, "levels", l)
	}
	same(t, "table", sdktest.Changes[level](p, "table"), []sdktest.Change[level]{
		{Kind: sdk.Insert, Row: level{"a", 1}},
		{Kind: sdk.Insert, Row: level{"b", 10}},
		{Kind: sdk.UpdateBefore, Row: level{"a", 1}},
		{Kind: sdk.UpdateAfter, Row: level{"a", 2}},
		{Kind: sdk.Delete, Row: level{"b", 10}},
	})
	sums := sdktest.Changes[level](p, "sums-out")
	same(t, "sum", sums[len(sums)-1:], []sdktest.Change[level]{{Kind: sdk.UpdateAfter, Row: level{"all", 2}}})
}

// TestUpdatesThatNobodySpokeOf fail the job, with what helps: who reads the stream takes its rows for such as only come.
func TestUpdatesThatNobodySpokeOf(t *testing.T) {
	p := sdktest.Start(t, latest(), sdktest.Options{})
	sdktest.Push(p, "levels", level{"a", 1})
	err := p.Failure(func() { sdktest.Push(p, "levels", level{"a", 2}) })
	if want := "process latest"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "sdk.Updates()") {
		t.Errorf("%v has no %q", err, want)
	}
}

// TestProcessOfUpdates: a function of a stream with updates makes rows of them that only come, and a table only if it says so.
func TestProcessOfUpdates(t *testing.T) {
	told := func(c *sdk.Context[struct{}, level], l *level) error {
		c.Collect(*l)
		return nil
	}
	p := sdktest.Start(t, func(e *sdk.Env) {
		e.View("levels", sdk.From[level](e, "levels", anywhere))
		sums := sdk.Query[level](e, "sums", "SELECT name, SUM(level) AS level FROM levels GROUP BY name")
		log := sdk.Process(sums, func(s *sdk.Setup) func(*sdk.Context[struct{}, string], *level) error {
			aside := sdk.NewSide[level](s, "aside")
			return func(c *sdk.Context[struct{}, string], l *level) error {
				c.Collect(c.Kind().String())
				aside.Collect(*l)
				return nil
			}
		})
		log.To("log", sdk.Kafka{Topic: "log", Format: "raw", Brokers: "nowhere:1"}) // which takes no updates
		sdk.SideOutput[level](log, "aside").To("aside", anywhere)
		sdk.Process(sums, func(*sdk.Setup) func(*sdk.Context[struct{}, level], *level) error { return told }, sdk.Updates()).To("same", anywhere)
	}, sdktest.Options{})
	sdktest.Push(p, "levels", level{"a", 1})
	sdktest.Push(p, "levels", level{"a", 2})
	same(t, "log", sdktest.Rows[string](p, "log"), []string{"+I", "-U", "+U"})
	same(t, "aside", sdktest.Rows[level](p, "aside"), []level{{"a", 1}, {"a", 1}, {"a", 3}})
	same(t, "same", sdktest.Changes[level](p, "same"), []sdktest.Change[level]{
		{Kind: sdk.Insert, Row: level{"a", 1}}, {Kind: sdk.UpdateBefore, Row: level{"a", 1}}, {Kind: sdk.UpdateAfter, Row: level{"a", 3}},
	})
}

// TestUpdatesForASinkByKey: a sink that replaces rows by their key gets no -U, and hears of a row whose key changes by a -D.
func TestUpdatesForASinkByKey(t *testing.T) {
	store := sdk.Sink("store", connectors.SinkFactory{
		Open: func(map[string]string, *types.Schema) (connectors.Sink, error) {
			return struct{ connectors.Sink }{}, nil
		},
		Traits: func(options.Values) connectors.SinkTraits { return connectors.SinkTraits{Changelog: connectors.Upsert} },
	})
	for _, parallelism := range []int{1, 3} {
		p := sdktest.Start(t, func(e *sdk.Env) {
			e.View("levels", sdk.From[level](e, "levels", anywhere))
			sums := sdk.Query[level](e, "sums", "SELECT name, SUM(level) AS level FROM levels GROUP BY name")
			sums.To("by-name", sdk.Connect{Name: "store"}, sdk.PrimaryKey("name"))
			sums.To("by-level", sdk.Connect{Name: "store"}, sdk.PrimaryKey("level"))
		}, sdktest.Options{Program: []sdk.MainOption{store}, Parallelism: parallelism})
		sdktest.Push(p, "levels", level{"a", 1})
		sdktest.Push(p, "levels", level{"a", 2})
		p.Rescale(2)
		sdktest.Push(p, "levels", level{"a", 3})
		for sink, key := range map[string]func(level) any{"by-name": func(l level) any { return l.Name }, "by-level": func(l level) any { return l.Level }} {
			table := make(map[any]level)
			for _, c := range sdktest.Changes[level](p, sink) {
				switch c.Kind {
				case sdk.UpdateBefore:
					t.Errorf("%s: %v", sink, c)
				case sdk.Delete:
					delete(table, key(c.Row))
				default:
					table[key(c.Row)] = c.Row
				}
			}
			if want := (level{"a", 6}); len(table) != 1 || table[key(want)] != want {
				t.Errorf("%s: the sink has %v", sink, table)
			}
		}
	}
}

// TestUpdatesNeedASinkForThem: where a function gives updates is known before the job runs.
func TestUpdatesNeedASinkForThem(t *testing.T) {
	err := sdktest.Refused(t, func(e *sdk.Env) {
		in := sdk.From[level](e, "levels", anywhere)
		process := func(*sdk.Setup) func(*sdk.Context[struct{}, level], *level) error {
			return func(*sdk.Context[struct{}, level], *level) error { return nil }
		}
		sdk.Process(in, process, sdk.Updates()).To("out", sdk.Kafka{Topic: "out", Brokers: "nowhere:1"})
		sdk.Map(in, func(l *level) (level, error) { return *l, nil }, sdk.Updates()).To("mapped", anywhere)
	}, sdktest.Options{})
	for _, want := range []string{"the stream has updates, and a sink of kafka takes rows that only come", "the option Updates has no meaning for the map "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nhas no %q", err, want)
		}
	}
}
