package json

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/types"
)

// TestConversions says what each type makes of each value: "!" is a refusal.
func TestConversions(t *testing.T) {
	sql, iso := Options{}, Options{TimestampFormat: ISO8601}
	type pairs = [][2]string
	timeType := types.Type{Kind: types.Time, Nullable: true, Precision: 3}
	cases := []struct {
		name string
		typ  types.Type
		opts Options
		want pairs
	}{
		{"bigint", types.Of(types.BigInt), sql, pairs{
			{`0`, `0`},
			{`-0`, `0`},
			{`-7`, `-7`},
			{`9223372036854775807`, `9223372036854775807`},
			{`-9223372036854775808`, `-9223372036854775808`},
			{`9223372036854775808`, `!`},
			{`" 12 "`, `12`},
			{`"+12"`, `12`},
			{`"++12"`, `!`},
			{`"1_000"`, `!`},
			{`""`, `!`},
			{`1.9`, `1`},
			{`-1.9`, `-1`},
			{`1.5e3`, `1500`},
			{`1e19`, `!`},
			{`9.223372036854775807e18`, `9223372036854775807`},
			{`"1.9"`, `!`},
			{`null`, `NULL`},
			{`true`, `!`},
			{`{}`, `!`},
			{`[1]`, `!`},
			{`-`, `!`},
			{`+1`, `!`},
			{`01`, `!`},
			{`1.`, `!`},
			{`.5`, `!`},
			{`1e`, `!`},
			{`NaN`, `!`},
			{`100000000000000000000000`, `!`},
			{`"` + "\u0000" + `"`, `!`},
		}},
		{"int", types.Of(types.Int), sql, pairs{
			{`2147483647`, `2147483647`}, {`2147483648`, `!`}, {`-2147483648`, `-2147483648`}, {`2.147483647e9`, `2147483647`}, {`2147483647.5`, `!`}, {`"7"`, `7`},
		}},
		{"smallint", types.Of(types.SmallInt), sql, pairs{{`32767`, `32767`}, {`32768`, `!`}, {`1.0`, `!`}, {`"-5"`, `-5`}}},
		{"tinyint", types.Of(types.TinyInt), sql, pairs{{`-128`, `-128`}, {`128`, `!`}, {`200`, `!`}, {`1e1`, `!`}, {`"5"`, `5`}}},
		{"boolean", types.Of(types.Boolean), sql, pairs{
			{`true`, `true`}, {`false`, `false`}, {`" TRUE "`, `true`}, {`"yes"`, `false`}, {`1`, `false`}, {`{}`, `!`}, {`tru`, `!`},
		}},
		{"double", types.Of(types.Double), sql, pairs{
			{`1`, `1`},
			{`0.1`, `0.1`},
			{`-1.5e-3`, `-0.0015`},
			{`1e999`, `+Inf`},
			{`" 2.5 "`, `2.5`},
			{`"NaN"`, `NaN`},
			{`"-Infinity"`, `-Inf`},
			{`"1e3d"`, `1000`},
			{`"0x1p4"`, `16`},
			{`"inf"`, `!`},
			{`"nan"`, `!`},
			{`"1_0"`, `!`},
			{`""`, `!`},
			{`".5"`, `0.5`},
			{`"5."`, `5`},
			{`"-"`, `!`},
			{`5e-324`, `5e-324`},
			{`123456789012345678`, `1.2345678901234568e+17`},
			{`9007199254740993`, `9.007199254740992e+15`},
		}},
		{"float", types.Of(types.Float), sql, pairs{{`0.1`, `0.1`}, {`16777217`, `1.6777216e+07`}, {`1e39`, `+Inf`}}},
		{"decimal", types.DecimalOf(5, 2), sql, pairs{
			{`1`, `100`},
			{`1.005`, `101`},
			{`-1.005`, `-101`},
			{`1.0049999`, `100`},
			{`999.99`, `99999`},
			{`999.995`, `NULL`},
			{`1000`, `NULL`},
			{`1e2`, `10000`},
			{`1e3`, `NULL`},
			{`12e-3`, `1`},
			{`5e-3`, `1`},
			{`4e-3`, `0`},
			{`1e-99999999999`, `0`},
			{`1e99999999999`, `NULL`},
			{`0e99999999999`, `0`},
			{`" 1.5 "`, `150`},
			{`"1.5d"`, `!`},
			{`"."`, `!`},
			{`"1..5"`, `!`},
			{`"+.5e+1"`, `500`},
			{`"1e"`, `!`},
			{`true`, `!`},
		}},
		{"decimal wide", types.DecimalOf(38, 0), sql, pairs{
			{`99999999999999999999999999999999999999`, `99999999999999999999999999999999999999`},
			{`-99999999999999999999999999999999999999`, `-99999999999999999999999999999999999999`},
			{`99999999999999999999999999999999999999.5`, `NULL`},
			{`100000000000000000000000000000000000000`, `NULL`},
			{`340282366920938463463374607431768211457`, `NULL`},
			{`1e37`, `10000000000000000000000000000000000000`},
		}},
		{"string", types.StringType(), sql, pairs{
			{`"x"`, `"x"`}, {`1.50`, `"1.50"`}, {`true`, `"true"`}, {`[1, "a"]`, `"[1,\"a\"]"`}, {`{}`, `"{}"`}, {`[1,]`, `!`}, {`[1}`, `!`}, {`{"a" 1}`, `!`},
		}},
		{"bytes", types.BytesType(), sql, pairs{{`"AAH/"`, `"\x00\x01\xff"`}, {`""`, `""`}, {`"A"`, `!`}, {`"A\u0041H/"`, `"\x00\x01\xff"`}, {`1`, `!`}}},
		{"date", types.Of(types.Date), sql, pairs{
			{`"1970-01-01"`, `0`},
			{`"1969-12-31"`, `-1`},
			{`"2024-02-29"`, `19782`},
			{`"2023-02-29"`, `!`},
			{`"0000-03-01"`, `-719468`},
			{`"+10000-01-01"`, `2932897`},
			{`"-0001-01-01"`, `-719893`},
			{`"10000-01-01"`, `!`},
			{`"2024-2-9"`, `!`},
			{`"2024-13-01"`, `!`},
			{`"2024-01-01 "`, `!`},
			{`19782`, `!`},
		}},
		{"time", timeType, sql, pairs{
			{`"00:00:00"`, `0`}, {`"23:59:59.9999"`, `86399999`}, {`"12:00"`, `!`}, {`"24:00:00"`, `0`}, {`"24:00:01"`, `!`}, {`"12:60:00"`, `!`}, {`"12:00:00."`, `43200000`},
		}},
		{"timestamp sql", types.TimestampOf(3), sql, pairs{
			{`"1970-01-01 00:00:00.001"`, `1`},
			{`"1970-01-01 00:00:01"`, `1000`},
			{`"1970-01-01 00:00:00.1"`, `100`},
			{`"1970-01-01 00:00:00.001999999"`, `1`},
			{`"1969-12-31 23:59:59.999"`, `-1`},
			{`"2023-02-31 00:00:00.000"`, `1677542400000`},
			{`"2023-02-32 00:00:00.000"`, `!`},
			{`"1970-01-01 24:00:00"`, `86400000`},
			{`"1970-01-01 25:00:00.000"`, `!`},
			{`"1970-01-01 00:00:60.000"`, `!`},
			{`"1970-01-01T00:00:00.001"`, `!`},
			{`"1970-01-01 00:00:00.00x"`, `!`},
			{`"1970-01-01 0:00:00.0001"`, `!`},
			{`"1970-01-01 00:00:00.001Z"`, `!`},
			{`"1970-01-01 \u00300:00:00.001"`, `1`},
			{`1`, `!`},
			{`"1970-01-0: 00:00:00.000"`, `!`},
			{`"1970-01-01 00:0:00:.000"`, `!`},
		}},
		{"timestamp seconds", types.TimestampOf(0), sql, pairs{{`"1970-01-01 00:00:01.999"`, `1000`}, {`"1969-12-31 23:59:59.999"`, `-1000`}}},
		{"timestamp nanos", types.TimestampOf(9), sql, pairs{
			{`"1970-01-01 00:00:00.123456789"`, `123456789`}, {`"1969-12-31 23:59:59.999999999"`, `-1`}, {`"1500-01-01 00:00:00"`, `!`}, {`"2262-04-12 00:00:00"`, `!`},
		}},
		{"timestamp_ltz sql", types.TimestampLTZOf(3), sql, pairs{{`"1970-01-01 00:00:00.001Z"`, `1`}, {`"1970-01-01 00:00:00.001"`, `!`}}},
		{"timestamp iso", types.TimestampOf(3), iso, pairs{
			{`"1970-01-01T00:00:00.001"`, `1`}, {`"1970-01-01t00:01"`, `60000`}, {`"1970-01-01 00:00:00"`, `!`}, {`"2023-02-31T00:00:00"`, `!`}, {`"1970-01-01T24:00:00"`, `!`},
		}},
		{"timestamp_ltz iso", types.TimestampLTZOf(6), iso, pairs{{`"1970-01-01T00:00:00.000001Z"`, `1`}, {`"1970-01-01T00:00:00+01:00"`, `!`}}},
		{"map", types.MapOf(types.StringType(), types.Of(types.Int)), sql, pairs{
			{`{}`, `[]`},
			{`{"a":1,"b":null}`, `[("a",1,),("b",NULL,),]`},
			{`{"a":1,"b":2,"a":3}`, `[("a",3,),("b",2,),]`},
			{`{"a":1,"\u0061":3}`, `[("a",3,),]`},
			{`{"a":1,"a":"x"}`, `!`},
			{`[]`, `!`},
			{`{"a":1`, `!`},
			{`{"a" 1}`, `!`},
			{`{1:1}`, `!`},
			{
				`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"a":2}`,
				`[("a",2,),("b",1,),("c",1,),("d",1,),("e",1,),("f",1,),("g",1,),("h",1,),("i",1,),("j",1,),("k",1,),("l",1,),("m",1,),("n",1,),("o",1,),("p",1,),("q",1,),]`,
			},
		}},
		{"array", types.ArrayOf(types.ArrayOf(types.Of(types.Int))), sql, pairs{
			{`[]`, `[]`}, {`[ [1 , 2] ,null,[ ] ]`, `[[1,2,],NULL,[],]`}, {`[1]`, `!`}, {`[[1],]`, `!`}, {`[[1]`, `!`}, {`[,]`, `!`},
		}},
		{"array of not null", types.ArrayOf(types.Of(types.Int).NotNull()), sql, pairs{{`[1,null]`, `!`}, {`[1]`, `[1,]`}}},
		{"null", types.Of(types.Null), sql, pairs{{`null`, `NULL`}, {`{"a":[1]}`, `NULL`}}},
		{"interval", types.Of(types.IntervalDayTime), sql, pairs{{`86400000`, `86400000`}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			schema := types.NewSchema(types.Field{Name: "v", Type: c.typ})
			for _, pair := range c.want {
				got := "!"
				if rows, err := decodeAll(t, schema, c.opts, `{"v":`+pair[0]+`}`); err == nil {
					got = rows[0]
				}
				if got != pair[1] {
					t.Errorf("%s: got %s, want %s", pair[0], got, pair[1])
				}
			}
		})
	}
}

func TestMissingFields(t *testing.T) {
	open := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.Int)}, types.Field{Name: "b", Type: types.Of(types.Int)})
	strict := types.NewSchema(open.Fields[0], types.Field{Name: "b", Type: types.Of(types.Int).NotNull()})
	for _, c := range []struct {
		name   string
		schema *types.Schema
		opts   Options
		in     string
		want   string
	}{
		{"null by default", open, Options{}, `{"a":1}`, ""},
		{"refused by option", open, Options{FailOnMissingField: true}, `{"a":1}`, "column b, byte 6: field is missing"},
		{"null is not missing", open, Options{FailOnMissingField: true}, `{"a":1,"b":null}`, ""},
		{"not null", strict, Options{}, `{"a":1}`, "column b, byte 6: field is missing and its column is NOT NULL"},
		{"null in not null", strict, Options{}, `{"b":null}`, "column b, byte 5: NULL in a NOT NULL column"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if _, err := decodeAll(t, c.schema, c.opts, c.in); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestIgnoreParseErrors(t *testing.T) {
	schema := types.NewSchema(
		types.Field{Name: "a", Type: types.Of(types.Int)},
		types.Field{Name: "l", Type: types.ArrayOf(types.RowOf(types.Field{Name: "x", Type: types.Of(types.Int)}, types.Field{Name: "y", Type: types.Of(types.Int).NotNull()}))},
		types.Field{Name: "n", Type: types.Of(types.Int).NotNull()},
	)
	d, err := NewDecoder(schema, Options{IgnoreParseErrors: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeWith(t, d, schema,
		`{"a":"x","n":1}`, // a value
		`{"a":1,"l":[{"x":[2],"y":3},{"x":1,"y":"?"}],"n":2}`, // a nested one; a row that lacks its NOT NULL
		`{"a":1,"n":"?"}`,                    // a NOT NULL column: no row
		`{"a":{"deep":[1,"}"]},"l":7,"n":3}`, // wrong kinds of value
		`not json`, `{"a":"broken`, `{"l":[{"x":1,]}`, ``,
		`{"l":[],"n":4}`,
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"NULL NULL 1", "1 [(NULL,3,),NULL,] 2", "NULL NULL 3", "NULL [] 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Ignored{Records: 4, Values: 5}, d.Ignored()); diff != "" {
		t.Error(diff)
	}
}

func TestControlCharactersAllowed(t *testing.T) {
	schema := types.NewSchema(types.Field{Name: "s", Type: types.StringType()})
	got, err := decodeAll(t, schema, Options{AllowControlCharacters: true}, "{\"s\":\"a\tb\n\"}")
	if err != nil || got[0] != `"a\tb\n"` {
		t.Errorf("got %q, %v", got, err)
	}
}

// Records that change the order, the set and the spelling of their keys must
// not confuse the guess.
func TestGuessFollowsTheRecords(t *testing.T) {
	schema := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.Int)}, types.Field{Name: "longer_than_sixteen_bytes", Type: types.Of(types.Int)})
	got, err := decodeAll(t, schema, Options{},
		`{"a":1,"longer_than_sixteen_bytes":2}`, `{"longer_than_sixteen_bytes":3,"a":4}`, `{"z":0,"a":5}`, `{"a":6,"z":0}`, `{"a" : 7, "longer_than_sixteen_bytes" : 8}`,
		`{"aa":0,"a":9}`, `{"longer_than_sixteen_byteS":0,"longer_than_sixteen_bytes":1}`, `{"y":1,"x":2,"w":{"a":3},"a":10}`, `{}`, `{"a":11,"longer_than_sixteen_bytes":12}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1 2", "4 3", "5 NULL", "6 NULL", "7 8", "9 NULL", "NULL 1", "10 NULL", "NULL NULL", "11 12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDepthIsBounded(t *testing.T) {
	schema := types.NewSchema(types.Field{Name: "s", Type: types.StringType()})
	nest := func(n int, name string) string {
		open, end := make([]byte, n), make([]byte, n)
		for i := range n {
			open[i], end[i] = '[', ']'
		}
		return `{"` + name + `":` + string(open) + string(end) + `}`
	}
	for _, name := range []string{"s", "unread"} {
		if _, err := decodeAll(t, schema, Options{}, nest(depthMax-1, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := decodeAll(t, schema, Options{}, nest(depthMax, name)); err == nil {
			t.Errorf("%s: %d levels accepted", name, depthMax+1)
		}
	}
}

func TestSchemasRefused(t *testing.T) {
	for _, typ := range []types.Type{types.MapOf(types.Of(types.Int), types.Of(types.Int)), types.ArrayOf(types.MapOf(types.BytesType(), types.Of(types.Int))), {}} {
		s := types.NewSchema(types.Field{Name: "v", Type: typ})
		if _, err := NewDecoder(s, Options{}); err == nil {
			t.Errorf("decoder of %s", s)
		}
		if _, err := NewEncoder(s, Options{}); err == nil {
			t.Errorf("encoder of %s", s)
		}
	}
	ok := types.NewSchema(types.Field{Name: "v", Type: types.Of(types.Int)})
	if _, err := NewDecoder(ok, Options{FailOnMissingField: true, IgnoreParseErrors: true}); err == nil {
		t.Error("options that exclude each other accepted")
	}
}
