package sdktest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

type named struct {
	Name string
	N    int64
}

// script reads and writes tables of SQL alone: its third statement has two sinks.
func script(e *sdk.Env) {
	e.SQL(`
		CREATE TABLE numbers (name STRING, n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'numbers', 'format' = 'json', 'properties.bootstrap.servers' = 'nowhere:1');
		CREATE TABLE more (name STRING, n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'more', 'format' = 'json', 'properties.bootstrap.servers' = 'nowhere:1');
		CREATE TABLE high (name STRING, n BIGINT) WITH ('connector' = 'print');
		CREATE TABLE low (name STRING, n BIGINT) WITH ('connector' = 'print');
		INSERT INTO high SELECT name, n FROM numbers WHERE n > 10`)
	e.Insert("both", `EXECUTE STATEMENT SET BEGIN
		INSERT INTO low SELECT name, n FROM numbers;
		INSERT INTO high SELECT name, n FROM more;
		END`)
}

// TestTablesOfSQL: a source and a sink that SQL names are called as their statement is.
func TestTablesOfSQL(t *testing.T) {
	p := sdktest.Start(t, script, sdktest.Options{Splits: map[string]int{"sql-1": 2}})
	sdktest.Push(p, "sql-1", named{"ten", 10}, named{"eleven", 11})
	sdktest.PushSplit(p, "sql-1", 1, named{"twelve", 12})
	p.End("sql-1")
	if diff := cmp.Diff([]named{{"eleven", 11}, {"twelve", 12}}, sdktest.Rows[named](p, "sql-1")); diff != "" {
		t.Error(diff)
	}
}

// TestRowsOfTables: a type stands in the columns of a table where its fields can hold them: NULL and types that none has by itself, but in the order of the columns.
func TestRowsOfTables(t *testing.T) {
	type reading struct {
		Sensor *string
		At     time.Time `millrace:"at_"` // TIMESTAMP_LTZ by itself
		Value  int64
	}
	type swapped struct {
		At     time.Time `millrace:"at_"`
		Sensor *string
		Value  int64
	}
	type optional struct {
		Sensor *string
		At     time.Time `millrace:"at_"`
		Value  *int64
	}
	r := &refusal{T: t}
	p := sdktest.Start(r, func(e *sdk.Env) {
		e.SQL(`
			CREATE TABLE readings (sensor STRING, at_ TIMESTAMP(3), ` + "`value`" + ` BIGINT NOT NULL) WITH ('connector' = 'kafka', 'topic' = 'readings', 'format' = 'json', 'properties.bootstrap.servers' = 'nowhere:1');
			CREATE TABLE copies (sensor STRING, at_ TIMESTAMP(3), ` + "`value`" + ` BIGINT NOT NULL) WITH ('connector' = 'print');
			INSERT INTO copies SELECT * FROM readings`)
	}, sdktest.Options{})
	oven, at := "oven", time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	in := []reading{{&oven, at, 95}, {nil, at, 5}}
	sdktest.Push(p, "sql-1", in...)
	if diff := cmp.Diff(in, sdktest.Rows[reading](p, "sql-1")); diff != "" {
		t.Error(diff)
	}
	for name, push := range map[string]func(){
		"another order":         func() { sdktest.Push(p, "sql-1", swapped{at, &oven, 1}) },
		"NULL where none is":    func() { sdktest.Push(p, "sql-1", optional{&oven, at, nil}) },
		"a column that is none": func() { sdktest.Push(p, "sql-1", named{"oven", 1}) },
	} {
		r.with = ""
		if push(); !strings.Contains(r.with, "reads") {
			t.Errorf("%s: %q", name, r.with)
		}
	}
}

// refusal is a T that keeps what a call is refused with.
type refusal struct {
	*testing.T
	with string
}

func (r *refusal) Fatalf(format string, args ...any) {
	r.with = strings.TrimSpace(format)
	for _, a := range args {
		if list, is := a.([]string); is {
			r.with += " " + strings.Join(list, " ")
		}
	}
}

// TestTablesOfSQLThatAreMany: a statement with several must be asked for one of them.
func TestTablesOfSQLThatAreMany(t *testing.T) {
	r := &refusal{T: t}
	p := sdktest.Start(r, script, sdktest.Options{})
	sdktest.Rows[named](p, "both")
	uids := strings.Fields(r.with)
	uids = uids[len(uids)-2:]
	for _, uid := range uids {
		if !strings.HasPrefix(uid, "both.sink-") {
			t.Errorf("the refusal names %q as a sink of the statement: %s", uid, r.with)
		}
	}
	r.with = ""
	if got := sdktest.Rows[named](p, uids[0]); len(got) > 0 || r.with != "" {
		t.Errorf("a sink by its uid: %v, %s", got, r.with)
	}
	if sdktest.Push(p, "both", named{}); !strings.Contains(r.with, "both.source-") {
		t.Errorf("a source of a statement with two: %s", r.with)
	}
}
