package analyze_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"millrace/catalog"
	"millrace/sql/analyze"
	"millrace/sql/parser"
	"millrace/sql/plan"
)

// analyzed parses and analyzes one statement.
func (e *environment) analyzed(t testing.TB, text string) (analyze.Result, error) {
	t.Helper()
	s, err := parser.ParseStatement(text)
	if err != nil {
		t.Fatalf("%.80s: %v", text, err)
	}
	return analyze.Statement(e.input(t, text), s)
}

// apply runs a statement that changes the catalog.
func (e *environment) apply(t testing.TB, text string) {
	t.Helper()
	r, err := e.analyzed(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.store.Apply(t.Context(), r.(*analyze.Changes).List...); err != nil {
		t.Fatal(err)
	}
}

const logTable = "CREATE TABLE t (a INT, b INT) WITH ('connector' = 'log')"

func TestLimits(t *testing.T) {
	wide := "CREATE TABLE w (" + strings.Repeat("c%d INT, ", analyze.ColumnsMax) + "last INT) WITH ('connector' = 'log')"
	numbers := make([]any, analyze.ColumnsMax)
	for i := range numbers {
		numbers[i] = i
	}
	cases := []struct{ name, text, want string }{
		{"columns of a table", fmt.Sprintf(wide, numbers...), "at most 4096 columns"},
		{"columns of a query", "SELECT " + strings.Repeat("*, ", analyze.ColumnsMax/2) + "a FROM t", "4097 columns, more than 4096"},
		{"columns of a join", "SELECT 1 FROM (SELECT " + strings.Repeat("*, ", analyze.ColumnsMax/4) + "a FROM t) AS x, (SELECT " + strings.Repeat("*, ", analyze.ColumnsMax/4) + "a FROM t) AS y", "4098 columns, more than 4096"},
		{"columns of all operations", "SELECT 1 FROM t" + crossJoins(analyze.ColumnsMax/2-1), "more than 500000 columns together"},
		{"depth of an expression", "SELECT a" + strings.Repeat(" + a", 600) + " FROM t", "nested deeper than 500"},
		{"operands of CASE", "SELECT " + strings.Repeat("CASE ", 20) + "a" + strings.Repeat(" WHEN 1 THEN 1 WHEN 2 THEN 2 END", 20) + " FROM t", "more than 200000 expressions"},
		{"depth of queries", "SELECT a FROM " + strings.Repeat("(SELECT a FROM ", 110) + "t" + strings.Repeat(")", 110), "nested deeper than 100"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := newEnvironment(t)
			env.apply(t, logTable)
			_, err := env.analyzed(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %.200v, want one with %q", err, c.want)
			}
		})
	}
}

func crossJoins(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", t AS t%d", i)
	}
	return b.String()
}

// TestLongChainsAreFine: what is long without being deep has its own bounds.
func TestLongChainsAreFine(t *testing.T) {
	env := newEnvironment(t)
	env.apply(t, logTable)
	for _, text := range []string{
		"SELECT a FROM t WHERE a = 1" + strings.Repeat(" OR a = 1", 3000),
		"SELECT a FROM t WHERE a = 1" + strings.Repeat(" AND a = 1", 3000),
		"SELECT a FROM t WHERE a IN (1" + strings.Repeat(", 1", 3000) + ")",
		"SELECT a FROM t" + strings.Repeat(" UNION ALL SELECT a FROM t", 3000),
	} {
		if _, err := env.analyzed(t, text); err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// TestViewsWithinViews: each view reads the one before it twice, which is one node; a chain that is too deep is refused.
func TestViewsWithinViews(t *testing.T) {
	env := newEnvironment(t)
	env.apply(t, logTable)
	env.apply(t, "CREATE VIEW v0 AS SELECT a FROM t")
	for i := 1; i < analyze.ViewDepthMax; i++ {
		env.apply(t, fmt.Sprintf("CREATE VIEW v%d AS SELECT x.a FROM v%d AS x JOIN v%d AS y ON x.a = y.a", i, i-1, i-1))
	}
	r, err := env.analyzed(t, fmt.Sprintf("SELECT * FROM v%d", analyze.ViewDepthMax-1))
	if err != nil {
		t.Fatal(err)
	}
	nodes := 0
	plan.Walk(r.(*analyze.Query).Roots[0], func(plan.Node) { nodes++ })
	if most := 3 * analyze.ViewDepthMax; nodes > most {
		t.Errorf("%d nodes, want at most %d", nodes, most)
	}
	env.apply(t, fmt.Sprintf("CREATE VIEW deep AS SELECT a FROM v%d", analyze.ViewDepthMax-1))
	_, err = env.analyzed(t, "SELECT * FROM deep")
	if err == nil || !strings.Contains(err.Error(), "views stand within views more than 32 deep") {
		t.Errorf("got %v", err)
	}
}

func TestUnresolvedNamesThePath(t *testing.T) {
	env := newEnvironment(t)
	for text, want := range map[string]analyze.Unresolved{
		"SELECT * FROM d.t":         {Path: catalog.Path{Catalog: "default_catalog", Database: "d", Name: "t"}},
		"SELECT f(1)":               {Path: catalog.Path{Catalog: "default_catalog", Database: "default_database", Name: "f"}, Function: true},
		"INSERT INTO x SELECT 1":    {Path: catalog.Path{Catalog: "default_catalog", Database: "default_database", Name: "x"}},
		"CREATE TABLE y LIKE c.d.e": {Path: catalog.Path{Catalog: "c", Database: "d", Name: "e"}},
	} {
		_, err := env.analyzed(t, text)
		var got *analyze.Unresolved
		if !errors.As(err, &got) || got.Path != want.Path || got.Function != want.Function {
			t.Errorf("%s: got %v, want the path %s", text, err, want.Path)
		}
	}
}
