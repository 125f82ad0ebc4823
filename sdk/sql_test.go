package sdk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/cmd/command/script"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/sdk"
	"millrace/sql/physical"
	sqlsession "millrace/sql/session"
	"millrace/stream"
	"millrace/tests/sqltest"
	"millrace/types"
)

// numbers are rows that SQL makes: k from 0 to 39, a text, and a time a second behind the one before.
func numbers(e *sdk.Env) {
	var rows []string
	for i := range 40 {
		name := fmt.Sprintf("'%c'", 'a'+i%3)
		if i%10 == 9 {
			name = "CAST(NULL AS STRING)"
		}
		rows = append(rows, fmt.Sprintf("(CAST(%d AS BIGINT), %s, TO_TIMESTAMP_LTZ(%d, 3))", i, name, 1000*i))
	}
	e.Execute("CREATE TEMPORARY VIEW numbers AS SELECT * FROM (VALUES " + strings.Join(rows, ", ") + ") AS t (k, name, moment)")
}

type number struct {
	K      int64
	Name   *string
	Moment time.Time
}

// program has each job of a test under the argument that names it.
func program(jobs map[string]func(*sdk.Env)) func(*sdk.Env) {
	return func(e *sdk.Env) {
		jobs[e.Args()[0]](e)
	}
}

// collected runs a job that ends in the sink collect, and returns its rows, sorted, those that were taken back left out.
func collected(t *testing.T, c *sqltest.Cluster, name string, columns *types.Schema) ([]string, error) {
	t.Helper()
	g, _, err := c.Program.Describe([]string{name}, nil)
	if err != nil {
		return nil, err
	}
	texts, err := script.NewTexts(columns, c.Wiring.Functions, kernel.Session{})
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	q := c.Begin(t, &sqlsession.Job{Job: &physical.Job{Graph: g}, Query: columns}, func(b *stream.Batch) error {
		return texts.Each(b, func(kind stream.RowKind, cells []*string) error {
			row := make([]string, len(cells))
			for i, cell := range cells {
				if row[i] = "NULL"; cell != nil {
					row[i] = *cell
				}
			}
			if text := strings.Join(row, " "); kind.Retracts() {
				count[text]--
			} else {
				count[text]++
			}
			return nil
		})
	})
	defer q.Drop()
	if err := q.End(t); err != nil {
		return nil, err
	}
	var out []string
	for row, n := range count {
		out = append(out, slices.Repeat([]string{row}, max(0, n))...)
	}
	slices.Sort(out)
	return out, nil
}

var collect = sdk.Connect{Name: "collect"}

func start(t *testing.T, jobs map[string]func(*sdk.Env)) *sqltest.Cluster {
	t.Helper()
	c, err := sqltest.Start(t.Context(), cluster.Options{Wiring: cluster.NewWiring(nil), Slots: 2, Program: sdk.ProgramOf("1", program(jobs))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Ready(t)
	return c
}

type tallied struct {
	Name string
	N    int64
}

type tally struct {
	Sum   int64
	Names map[string]int64
	Last  *string
}

// functions registers one of each kind.
func functions(e *sdk.Env) {
	sdk.ScalarFunc(e, "twice", func(n int64) (int64, error) {
		switch n {
		case 1007:
			return 0, errors.New("it is seven")
		case 1008:
			panic("it is eight")
		}
		return 2 * n, nil
	})
	sdk.ScalarFunc2(e, "or_else", func(s *string, other string) (string, error) {
		if s == nil {
			return other, nil
		}
		return *s, nil
	})
	sdk.ScalarFunc(e, "is_null", func(s *string) (bool, error) { return s == nil, nil })
	sdk.ScalarFunc(e, "shown", func(row struct {
		K int64
		S string
	},
	) (*string, error) {
		if row.K > 2 {
			return nil, nil
		}
		text := fmt.Sprint(row.S, row.K)
		return &text, nil
	})
	sdk.ScalarBatch[int64](e, "tenfold", func(args *sdk.Batch, out []int64) error {
		for i, n := range sdk.Argument[int64](0).In(args) {
			out[i] = 10 * n
		}
		return nil
	})
	sdk.TableFunc(e, "letters", func(s string, emit func(tallied)) error {
		for i, c := range s {
			emit(tallied{string(c), int64(i)})
		}
		return nil
	})
	sdk.AggregateFunc(e, "sum_go", sdk.AggregateOf[int64, int64, *int64]{
		Add:     func(acc *int64, n int64) error { *acc += n + 1; return nil },
		Retract: func(acc *int64, n int64) error { *acc -= n + 1; return nil },
		Merge:   func(acc, other *int64) error { *acc += *other; return nil },
		Result:  func(acc *int64) (*int64, error) { return acc, nil },
	})
	sdk.AggregateFunc(e, "sour", sdk.AggregateOf[int64, int64, int64]{
		Add: func(acc *int64, n int64) error { *acc = n; return nil },
		Result: func(acc *int64) (int64, error) {
			switch *acc {
			case 7:
				return 0, errors.New("too sour")
			case 8:
				panic("far too sour")
			}
			return *acc, nil
		},
	})
	sdk.AggregateFunc(e, "tally", sdk.AggregateOf[struct {
		K    int64
		Name *string
	}, tally, string]{
		Add: func(acc *tally, v struct {
			K    int64
			Name *string
		},
		) error {
			if v.K == 2000 {
				return errors.New("enough")
			}
			acc.Sum += v.K
			if v.Name != nil {
				if acc.Names == nil {
					acc.Names = make(map[string]int64)
				}
				acc.Names[*v.Name]++
				acc.Last = v.Name
			}
			return nil
		},
		Result: func(acc *tally) (string, error) {
			return fmt.Sprint(acc.Sum, " ", len(acc.Names), " ", acc.Last != nil), nil
		},
	})
}

// TestSQL: queries over streams of the program, streams of queries, and functions of the program in both.
func TestSQL(t *testing.T) {
	totals := types.NewSchema(types.Field{Name: "name", Type: types.StringType()}, types.Field{Name: "n", Type: types.Of(types.BigInt)})
	query := func(text string) func(*sdk.Env) {
		return func(e *sdk.Env) {
			functions(e)
			numbers(e)
			sdk.Query[tallied](e, "q", text).To("out", collect)
		}
	}
	cases := []struct {
		name string
		job  func(*sdk.Env)
		want []string
	}{
		{"query", query("SELECT or_else(name, 'none') AS name, COUNT(*) AS n FROM numbers GROUP BY name"), []string{"a 12", "b 12", "c 12", "none 4"}},
		{"through Go", func(e *sdk.Env) {
			numbers(e)
			even := sdk.Query[number](e, "numbers", "SELECT * FROM numbers").Filter(func(n *number) bool { return n.K%2 == 0 && n.Name != nil })
			doubled := sdk.Map(even, func(n *number) (tallied, error) { return tallied{*n.Name, 2 * n.K}, nil })
			e.View("doubled", doubled)
			sdk.Query[tallied](e, "sums", "SELECT name, SUM(n) AS n FROM doubled WHERE n < 40 GROUP BY name").To("out", collect)
		}, []string{"a 72", "b 60", "c 48"}},
		{"updates through Go", func(e *sdk.Env) {
			numbers(e)
			counts := sdk.Query[tallied](e, "counts", "SELECT COALESCE(name, 'none') AS name, COUNT(*) AS n FROM numbers GROUP BY COALESCE(name, 'none')")
			e.View("counts", sdk.Map(counts, func(c *tallied) (tallied, error) { return tallied{strings.ToUpper(c.Name), c.N}, nil }))
			sdk.Query[tallied](e, "all", "SELECT MAX(name) AS name, SUM(n) AS n FROM counts").To("out", collect)
		}, []string{"NONE 40"}},
		{"scalar of a struct", query("SELECT SHOWN(k, 'x') AS name, TWICE(TENFOLD(k)) AS n FROM numbers WHERE k < 5 AND SHOWN(k, name) IS NOT NULL"), []string{"x0 0", "x1 20", "x2 40"}},
		{"of NULL", query("SELECT name, n FROM (SELECT 'yes' AS name, COUNT(*) AS n FROM numbers WHERE IS_NULL(name)) AS t"), []string{"yes 4"}},
		{"table", query("SELECT l.name, l.n + k AS n FROM numbers AS t, LATERAL TABLE(LETTERS(CONCAT(t.name, 'x'))) AS l WHERE k < 3"), []string{"a 0", "b 1", "c 2", "x 1", "x 2", "x 3"}},
		{"aggregate", query("SELECT 'all' AS name, SUM_GO(k) - COUNT(*) AS n FROM numbers"), []string{"all 780"}},
		{"aggregate of groups", query("SELECT COALESCE(name, 'none') AS name, SUM_GO(k) AS n FROM numbers GROUP BY COALESCE(name, 'none')"), []string{"a 237", "b 240", "c 243", "none 100"}},
		{"aggregate of changes", query("SELECT 'all' AS name, SUM_GO(n) AS n FROM (SELECT name, COUNT(*) AS n FROM numbers GROUP BY name)"), []string{"all 44"}},
		{"over rows", query("SELECT name, n FROM (SELECT name, SUM_GO(k) OVER (ORDER BY k) AS n, k FROM numbers) AS t WHERE k >= 37 AND name IS NOT NULL"), []string{"b 741", "c 780"}},
		{"aggregate of several", query("SELECT TALLY(k, name) AS name, COUNT(*) AS n FROM numbers GROUP BY k / 20"), []string{"190 3 true 20", "590 3 true 20"}},
	}
	jobs := make(map[string]func(*sdk.Env))
	for _, c := range cases {
		jobs[c.name] = c.job
	}
	c := start(t, jobs)
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			got, err := collected(t, c, x.name, totals)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(x.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFunctionsThatFail: the job says of which call.
func TestFunctionsThatFail(t *testing.T) {
	totals := types.NewSchema(types.Field{Name: "name", Type: types.StringType()}, types.Field{Name: "n", Type: types.Of(types.BigInt)})
	cases := map[string]struct {
		text string
		want []string
	}{
		"error":                       {"SELECT name, TWICE(k + 1000) AS n FROM numbers WHERE k < 8", []string{"function TWICE(1007): it is seven"}},
		"panic":                       {"SELECT name, TWICE(k + 1001) AS n FROM numbers WHERE k = 7", []string{"function TWICE(1008): panic: it is eight", "sql_test.go:"}},
		"over rows":                   {"SELECT TALLY(100 * k, name) OVER (ORDER BY k) AS name, k AS n FROM numbers", []string{"function TALLY(2000, 'c'): enough"}},
		"result over rows":            {"SELECT name, SOUR(k) OVER (ORDER BY k) AS n FROM numbers", []string{"over aggregate", "function SOUR(7): the result: too sour"}},
		"panic in a result over rows": {"SELECT name, SOUR(k) OVER (ORDER BY k DESC) AS n FROM numbers", []string{"function SOUR(8): panic: far too sour", "sql_test.go:"}},
		"aggregate":                   {"SELECT TALLY(100 * k, name) AS name, COUNT(*) AS n FROM numbers", []string{"function TALLY(2000, "}},
	}
	jobs := make(map[string]func(*sdk.Env))
	for name, x := range cases {
		jobs[name] = func(e *sdk.Env) {
			functions(e)
			numbers(e)
			e.Execute("SET 'restart-strategy.type' = 'none'")
			sdk.Query[tallied](e, "q", x.text).To("out", collect)
		}
	}
	c := start(t, jobs)
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := collected(t, c, name, totals)
			for _, want := range x.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nhas no %q", err, want)
				}
			}
		})
	}
}

type perWindow struct {
	User  string
	Pages int64
	End   time.Time `millrace:"end"`
	Last  time.Time `millrace:"last,rowtime"`
}

// TestGraphOfSQL: a query stands in the vertex of the stream that it reads, and its event time goes on.
func TestGraphOfSQL(t *testing.T) {
	env := sdk.NewEnv(nil, nil)
	env.SQL("SET 'table.exec.state.ttl' = '1 h'; SET 'execution.checkpointing.interval' = '3 s'; CREATE TABLE pages (page BIGINT, n BIGINT) WITH ('connector' = 'print')")
	long := clicks(env).Filter(func(c *click) bool { return c.Page > 0 }, sdk.UID("long"))
	env.View("clicks", long)
	windows := sdk.Query[perWindow](env, "windows", "SELECT `user`, COUNT(*) AS pages, window_end AS `end`, window_time AS `last`"+`
		 FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(`+"`at`), INTERVAL '1' MINUTE)) GROUP BY `user`, window_start, window_end, window_time")
	env.View("windows", windows)
	sdk.Query[tallied](env, "hours", "SELECT `user` AS name, SUM(pages) AS n FROM TABLE(TUMBLE(TABLE windows, DESCRIPTOR(`last`), INTERVAL '1' HOUR)) GROUP BY `user`, window_start, window_end").To("hours-out", nowhere)
	env.Insert("pages", "INSERT INTO pages SELECT page, COUNT(*) FROM clicks GROUP BY page")
	checkGraph(t, env, "sql")
}

// TestSQLThatIsWrong: all that is wrong is said at once, with the place in the program, and that in the text.
func TestSQLThatIsWrong(t *testing.T) {
	type wrong struct {
		User string
		Page string
		When time.Time
	}
	type untimed struct {
		User string
		Soon time.Time `millrace:"soon,rowtime"`
	}
	env := sdk.NewEnv(nil, nil)
	env.View("clicks", clicks(env))
	env.View("clicks", clicks2(env))
	sdk.Query[wrong](env, "q1", "SELECT `user`, page, `at` FROM clicks")
	sdk.Query[untimed](env, "q2", "SELECT `user`, `at` + INTERVAL '1' SECOND AS soon FROM clicks")
	sdk.Query[tallied](env, "q3", "SELECT `user` AS name,\n  COUNT(*) AS n FROM click")
	sdk.Query[tallied](env, "q4", "SELECT `user` AS name, TWICE(page) AS n FROM clicks").To("fine", nowhere)
	sdk.ScalarFunc(env, "twice", func(n int64) (int64, error) { return n, nil })
	sdk.ScalarFunc(env, "Twice", func(n int64) (int64, error) { return n, nil })
	sdk.ScalarFunc(env, "abs", func(n int64) (int64, error) { return n, nil })
	sdk.ScalarFunc(env, "no_type", func(chan int) (int64, error) { return 0, nil })
	sdk.AggregateFunc(env, "half", sdk.AggregateOf[int64, int64, int64]{})
	env.Execute("CREATE TABLE t (a INT) WITH ('connector' = 'program-view')")
	env.Insert("q1", "INSERT INTO clicks SELECT * FROM clicks")
	env.Insert("q5", "INSERT INTO nothing SELECT * FROM clicks")
	_, _, err := env.Describe()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"sql_test.go:", "table default_catalog.default_database.clicks exists already",
		"the query q1: sdk_test.wrong does not go with the columns user, page, at: wrong.Page: column page is BIGINT NOT NULL", "wrong.When is column when, which is not there",
		"the rowtime of sdk_test.untimed is column soon, which is no event time in the query q2",
		"table or view default_catalog.default_database.click does not exist; hint: did you mean clicks?\n    COUNT(*) AS n FROM click\n", "                     ^",
		"function default_catalog.default_database.TWICE does not exist",
		"there is a function TWICE already", "there is a function ABS already", "the arguments of the function no_type", "the aggregate function half needs Add and Result",
		"two queries are named q1", "program-view is for the views of the program alone", "table default_catalog.default_database.nothing does not exist",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %q:\n%v", want, err)
		}
	}
}

func clicks2(e *sdk.Env) *sdk.Stream[click] {
	return sdk.From[click](e, "more-clicks", sdk.Connect{Name: "values"})
}

// TestZoneOfSQL: a job has one time zone, whoever says it.
func TestZoneOfSQL(t *testing.T) {
	env := sdk.NewEnv(nil, nil)
	env.Execute("SET 'table.local-time-zone' = 'Europe/Berlin'; SET 'pipeline.name' = 'named'; SET 'restart-strategy.type' = 'none'")
	numbers(env)
	sdk.Query[tallied](env, "q", "SELECT name, k AS n FROM numbers").To("out", nowhere)
	g, _, err := env.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if g.Zone != "Europe/Berlin" || g.Name != "named" || g.Restart.Strategy != jobgraph.RestartNone {
		t.Errorf("the job %s is in %q, and restarts %v", g.Name, g.Zone, g.Restart)
	}
	env.Configure(sdk.Job{Zone: "Asia/Tokyo"})
	if _, _, err = env.Describe(); err == nil || !strings.Contains(err.Error(), "its queries were planned in Europe/Berlin") {
		t.Errorf("%v, want that there are two zones", err)
	}
}
