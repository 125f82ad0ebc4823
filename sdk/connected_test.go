package sdk_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk"
	"millrace/sql/physical"
	sqlsession "millrace/sql/session"
	"millrace/stream"
	"millrace/taskmanager"
	"millrace/tests/sqltest"
	"millrace/types"
)

// own are a source and a sink of a program, under the names counter and ledger.
func own(g *gate, l *ledger) []sdk.MainOption {
	return []sdk.MainOption{sdk.Source("counter", g.source()), sdk.Sink("ledger", l.sink())}
}

// numbered returns what is in the ledger of the numbers up to one.
func numbered(until int) (out []string) {
	for i := range until {
		out = append(out, fmt.Sprint("+I ", i))
	}
	slices.Sort(out)
	return out
}

// TestOwnConnectors runs a source and a sink of the program on a cluster: by hand over the loss of a task manager, and by SQL.
func TestOwnConnectors(t *testing.T) {
	const until, pause = 200, 90
	g, l := newGate(), newLedger()
	jobs := map[string]func(*sdk.Env){
		"by hand": func(e *sdk.Env) {
			e.Configure(sdk.Job{Checkpoint: 20 * time.Millisecond, RestartDelay: 10 * time.Millisecond})
			from := sdk.Connect{Name: "counter", Options: map[string]string{"until": fmt.Sprint(until), "pause": fmt.Sprint(pause)}}
			sdk.From[int64](e, "numbers", from).To("out", sdk.Connect{Name: "ledger"})
		},
		"broken": func(e *sdk.Env) {
			e.Execute("SET 'restart-strategy.type' = 'none'")
			sdk.From[int64](e, "numbers", sdk.Connect{Name: "broken"}).To("out", sdk.Connect{Name: "ledger"})
		},
		"by SQL": func(e *sdk.Env) {
			e.SQL("CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'counter', 'until' = '50'); CREATE TABLE entries (n BIGINT) WITH ('connector' = 'ledger');" +
				"INSERT INTO entries SELECT n * 2 FROM numbers WHERE n < 3")
		},
	}
	p := sdk.ProgramOf("1", program(jobs), append(own(g, l), sdk.Source("broken", brokenSource))...)
	c, err := sqltest.Start(t.Context(), cluster.Options{Wiring: cluster.NewWiring(nil), Slots: 2, Program: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Ready(t)

	q := beginOwn(t, c, "by hand")
	defer q.Drop()
	q.Until(t, "the source has come to its pause", func() bool {
		select {
		case <-g.reached:
			return true
		default:
			return false
		}
	})
	q.UntilCheckpoint(t, "in the middle")
	c.Crash(t, types.TaskManagerID(q.Describe(t).Tasks[0].TaskManagerId))
	q.Until(t, "the source has been made again", func() bool {
		g.Lock()
		defer g.Unlock()
		return len(g.begins) > 1
	})
	close(g.open)
	if err := q.End(t); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbered(until), l.entries()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if last := g.begins[len(g.begins)-1]; last != pause {
		t.Errorf("readers began at %v, the last not where the checkpoint was", g.begins)
	}

	b := beginOwn(t, c, "broken")
	defer b.Drop()
	if err := b.End(t); err == nil || !strings.Contains(err.Error(), "source numbers: panic: there are no numbers") {
		t.Errorf("a source that panics fails its job by %v", err)
	}

	clear(l.committed)
	s := beginOwn(t, c, "by SQL")
	defer s.Drop()
	if err := s.End(t); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"+I 0", "+I 2", "+I 4"}, l.entries()); diff != "" {
		t.Errorf("rows of SQL (-want +got):\n%s", diff)
	}
}

func beginOwn(t *testing.T, c *sqltest.Cluster, name string) *sqltest.Query {
	t.Helper()
	g, _, err := c.Program.Describe([]string{name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !g.Natives() || len(g.Program.Sources) != 1 || !slices.Equal(g.Program.Sinks, []string{"ledger"}) {
		t.Errorf("the job has of its own: %v and %v", g.Program.Sources, g.Program.Sinks)
	}
	return c.Begin(t, &sqlsession.Job{Job: &physical.Job{Graph: g}}, func(*stream.Batch) error { return nil })
}

// TestJobWithoutOwnConnectors: a job of a program that has some, and uses none, runs anywhere.
func TestJobWithoutOwnConnectors(t *testing.T) {
	p := sdk.ProgramOf("1", func(e *sdk.Env) {
		sdk.From[int64](e, "numbers", sdk.Connect{Name: "datagen"}).To("out", nowhere)
	}, own(newGate(), newLedger())...)
	g, _, err := p.Describe(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Natives() || len(g.Program.Sources) > 0 || len(g.Program.Sinks) > 0 {
		t.Errorf("the job has of its own: %v and %v", g.Program.Sources, g.Program.Sinks)
	}
	g.Parallelism = 1
	if err := jobgraph.Validate(g, cluster.NewWiring(nil).Known()); err != nil {
		t.Error(err)
	}
}

// TestOwnConnectorsThatAreWrong: everything is said at once, with the place of the call.
func TestOwnConnectorsThatAreWrong(t *testing.T) {
	type wide struct{ A, B, C, D, E int64 }
	g, l := newGate(), newLedger()
	described := func(job func(*sdk.Env), more ...sdk.MainOption) error {
		t.Helper()
		_, _, err := sdk.ProgramOf("1", job, append(own(g, l), more...)...).Describe(nil, nil)
		if err == nil {
			t.Fatal("nothing is wrong")
		}
		if failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("it is not the user's: %v", err)
		}
		return err
	}
	names := described(func(e *sdk.Env) {
		sdk.From[int64](e, "numbers", sdk.Connect{Name: "counter"}).To("out", nowhere)
	}, sdk.Source("kafka", g.source()), sdk.Source("print", g.source()), sdk.Sink("program-view", l.sink()), sdk.Source("counter", g.source()),
		sdk.Sink("", l.sink()), sdk.Sink("a table", l.sink()), sdk.Sink("empty", connectors.SinkFactory{}))
	bad := described(func(e *sdk.Env) {
		in := sdk.From[int64](e, "untold", sdk.Connect{Name: "counter", Options: map[string]string{"untl": "3"}})
		in.To("marked", sdk.Connect{Name: "ledger", Options: map[string]string{"page": "1"}})
		texts := sdk.From[string](e, "texts", sdk.Connect{Name: "counter", Options: map[string]string{"until": "3"}})
		sdk.Map(texts, func(*string) (wide, error) { return wide{}, nil }).To("wide", sdk.Connect{Name: "ledger"})
		e.Execute("CREATE TABLE sums (s BIGINT) WITH ('connector' = 'ledger'); CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'counter', 'until' = '0')")
		e.Insert("insert", "INSERT INTO sums SELECT SUM(k) FROM (VALUES (1)) AS t (k)")
		sdk.Query[int64](e, "numbers", "SELECT n AS `value` FROM numbers WHERE n IS NOT NULL").To("numbers-out", nowhere)
		sdk.Query[int64](e, "sum", "SELECT COUNT(*) AS `value` FROM (VALUES (1)) AS t (k)").To("sum-out", sdk.Connect{Name: "ledger"})
	})
	options := described(func(e *sdk.Env) {
		in := sdk.From[int64](e, "untold", sdk.Connect{Name: "counter", Options: map[string]string{"untl": "3"}})
		in.To("marked", sdk.Connect{Name: "ledger", Options: map[string]string{"page": "1"}})
		texts := sdk.From[string](e, "texts", sdk.Connect{Name: "counter", Options: map[string]string{"until": "3"}})
		sdk.Map(texts, func(*string) (wide, error) { return wide{}, nil }).To("wide", sdk.Connect{Name: "ledger"})
	})
	for _, c := range []struct {
		err  error
		want []string
	}{
		{names, []string{
			"connected_test.go:", "the source kafka has the name of a built-in connector", "the source print has the name of a built-in connector", "the sink program-view has the name",
			"the program has another source counter", `"" can't name a sink`, `"a table" can't name a sink`, "the sink empty has nothing that opens it",
		}},
		{bad, []string{
			"connected_test.go:", "the stream has updates, and a sink of ledger takes rows that only come", "field until: 0 is less than 1",
		}},
		{options, []string{
			"connected_test.go:", "the source untold: untl: unknown option", "the sink marked: page: unknown option", "the source texts: it gives one column BIGINT",
			"the sink wide: panic: it has four columns",
		}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.err.Error(), want) {
				t.Errorf("nothing is said of %q:\n%v", want, c.err)
			}
		}
	}
	taken := sdk.ProgramOf("1", nil, sdk.Source("kafka", g.source()))
	if _, err := taskmanager.WithProgram(cluster.NewWiring(nil).Connectors, taken); err == nil || !strings.Contains(err.Error(), "the source kafka has the name of a built-in connector") {
		t.Errorf("a task manager says %v", err)
	}
}
