package script

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func TestVariables(t *testing.T) {
	text := "CREATE TABLE t (a INT) WITH ('topic' = '${TOPIC}', 'x' = '${a.b-c_1}${TOPIC}', 'y' = '$TOPIC ${} ${no name} ${open');"
	if diff := cmp.Diff([]string{"TOPIC", "a.b-c_1"}, Variables(text)); diff != "" {
		t.Error(diff)
	}
	got, err := Substitute(text, map[string]string{"TOPIC": "bids", "a.b-c_1": "${TOPIC}", "unused": "x"})
	if err != nil {
		t.Fatal(err)
	}
	want := "CREATE TABLE t (a INT) WITH ('topic' = 'bids', 'x' = '${TOPIC}bids', 'y' = '$TOPIC ${} ${no name} ${open');"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values are not looked into again: %s", diff)
	}
}

func TestOnlyVariable(t *testing.T) {
	for name, want := range map[string]bool{"TOPIC": true, "T_2": true, "Topic": false, "parallelism": false, "A.B": false, "2": false, "": false, "T T": false} {
		if OnlyVariable(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}

// TestMissingVariables names all of them, with their places.
func TestMissingVariables(t *testing.T) {
	_, err := Substitute("a ${TOPIC}\nb ${TOPICS}\n", map[string]string{"TOPICS_": "x"})
	if failure.ClassOf(err).Domain != failure.DomainUser {
		t.Fatalf("%v is not the user's", err)
	}
	for _, part := range []string{"at 1:3: the variable ${TOPIC} has no value", "at 2:3: the variable ${TOPICS}", "there is a value for TOPICS_"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

var columns = types.NewSchema(
	types.Field{Name: "id", Type: types.Of(types.BigInt).NotNull()},
	types.Field{Name: "name", Type: types.StringType()},
	types.Field{Name: "at", Type: types.TimestampOf(3)},
	types.Field{Name: "price", Type: types.DecimalOf(10, 2)},
	types.Field{Name: "ok", Type: types.Of(types.Boolean)},
)

const rows = `+I 1 'Ada, "A."' 2024-01-31 10:00:00.250 12.50 true
-U 1 'Ada, "A."' 2024-01-31 10:00:00.250 12.50 true
+U 20 'two words' NULL 3.00 false
+I 3 '数据' 2024-01-31 10:00:01.000 NULL NULL`

// TestForms writes the same rows in every form, as changes and as rows alone.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		name    string
		form    Form
		changes bool
		want    string
	}{
		{"table", Table, false, `
+----+-----------+-------------------------+--------+--------+
| id | name      | at                      | price  | ok     |
+----+-----------+-------------------------+--------+--------+
|  1 | Ada, "A." | 2024-01-31 10:00:00.250 |  12.50 | TRUE   |
|  1 | Ada, "A." | 2024-01-31 10:00:00.250 |  12.50 | TRUE   |
| 20 | two words | <NULL>                  |   3.00 | FALSE  |
|  3 | 数据      | 2024-01-31 10:00:01.000 | <NULL> | <NULL> |
+----+-----------+-------------------------+--------+--------+
4 rows in set
`},
		{"csv with changes", CSV, true, `
op,id,name,at,price,ok
+I,1,"Ada, ""A.""",2024-01-31 10:00:00.250,12.50,TRUE
-U,1,"Ada, ""A.""",2024-01-31 10:00:00.250,12.50,TRUE
+U,20,two words,,3.00,FALSE
+I,3,数据,2024-01-31 10:00:01.000,,
`},
		{"json with changes", JSON, true, `
{"op":"+I","id":1,"name":"Ada, \"A.\"","at":"2024-01-31 10:00:00.25","price":12.50,"ok":true}
{"op":"-U","id":1,"name":"Ada, \"A.\"","at":"2024-01-31 10:00:00.25","price":12.50,"ok":true}
{"op":"+U","id":20,"name":"two words","at":null,"price":3.00,"ok":false}
{"op":"+I","id":3,"name":"数据","at":"2024-01-31 10:00:01","price":null,"ok":null}
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			a, err := newAnswer(c.form, &out, columns, c.changes, expr.Builtins(), kernel.Session{})
			if err != nil {
				t.Fatal(err)
			}
			var pool stream.Pool
			b := streamtest.Batch(t, &pool, columns, rows)
			if err := a.batch(b); err != nil {
				t.Fatal(err)
			}
			b.Release()
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), out.String()); diff != "" {
				t.Error(diff)
			}
			if pool.Live() != 0 {
				t.Errorf("%d buffers are out", pool.Live())
			}
		})
	}
}
