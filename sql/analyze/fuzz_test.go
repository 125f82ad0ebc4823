package analyze_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/sql/analyze"
	"millrace/sql/parser"
)

// FuzzStatement analyzes whatever parses, in a catalog that has something of each kind: the analyzer does not panic, its
// errors are the user's with a place, its plans print and their expressions are whole.
func FuzzStatement(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	env := newFuzzEnvironment(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range parser.ParseScript(text) {
			if p.Err != nil {
				continue
			}
			r, err := analyze.Statement(env.input(t, text), p.Statement)
			var placed *parser.Error
			switch {
			case err == nil:
			case !errors.As(err, &placed) || failure.ClassOf(err).Domain != failure.DomainUser:
				t.Errorf("the error %v is not the user's, with a place", err)
			}
			if q, ok := r.(*analyze.Query); ok && err == nil {
				printQuery(t, &strings.Builder{}, q)
			}
		}
	})
}

func newFuzzEnvironment(f *testing.F) *environment {
	f.Helper()
	env := newEnvironment(f)
	for _, text := range []string{
		"CREATE TABLE a (id INT, name STRING, price DECIMAL(10, 2), ok BOOLEAN, tags ARRAY<STRING>, r ROW<x INT, y ROW<z STRING>>, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'log')",
		"CREATE TABLE b (id INT NOT NULL, link INT, price BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'kv')",
		"CREATE TABLE s (id BIGINT, name STRING) WITH ('connector' = 'out')",
		"CREATE VIEW v AS SELECT id, ts FROM a",
		"CREATE FUNCTION words AS 'Words'",
	} {
		env.apply(f, text)
	}
	return env
}

// seeds are the statements of the scripts.
func seeds(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("testdata/scripts/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	var out []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\nrun\n")[1:] {
			statements, _, _ := strings.Cut(block, "\n----")
			out = append(out, strings.Split(statements, ";\n")...)
		}
	}
	return out
}
