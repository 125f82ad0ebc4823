package csv

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/formats"
	"millrace/formats/formattest"
	"millrace/options"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func optionsOf(t testing.TB, given map[string]string) Options {
	t.Helper()
	v, err := options.Parse(Spec, given)
	if err != nil {
		t.Fatal(err)
	}
	o, err := OptionsOf(v, "")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// expressible are the columns of formattest's that CSV has a form for.
func expressible() *types.Schema {
	out := &types.Schema{}
	for _, f := range formattest.AllTypes().Fields {
		var problems failure.Problems
		check(f.Name, f.Type, false, &problems)
		if problems.Err() == nil && f.Type.Kind != types.Null {
			out.Fields = append(out.Fields, f)
		}
	}
	number := types.RowOf(types.Field{Name: "a", Type: types.Of(types.BigInt)}, types.Field{Name: "b", Type: types.TimestampOf(3)})
	out.Fields = append(out.Fields, types.Field{Name: "row", Type: number})
	return out
}

func TestConformance(t *testing.T) {
	one := types.NewSchema(types.Field{Name: "one", Type: types.StringType()})
	for name, given := range map[string]map[string]string{
		"default":       {"null-literal": "n/a"},
		"tabs":          {"null-literal": `NULL`, "field-delimiter": `\t`, "quote-character": "'", "array-element-delimiter": "|"},
		"escape":        {"null-literal": "n/a", "escape-character": `\`},
		"escape alone":  {"null-literal": "n/a", "escape-character": `\`, "disable-quote-character": "true", "field-delimiter": "\u0001"},
		"odd delimiter": {"null-literal": "n/a", "field-delimiter": ":", "allow-comments": "true", "write-bigdecimal-in-scientific-notation": "false"},
	} {
		opts := optionsOf(t, given)
		columns := expressible()
		if opts.Quote == 0 { // there is no form for a list of NULL, nor for a record of an empty text
			columns.Fields = slices.DeleteFunc(columns.Fields, func(f types.Field) bool { return f.Type.Kind == types.Array })
		}
		schemas := []*types.Schema{columns, formattest.NotNull(columns)}
		if opts.Quote != 0 {
			schemas = append(schemas, one)
		}
		t.Run(name, func(t *testing.T) {
			formattest.Run(t, formattest.Format{
				NewDecoder: func(s *types.Schema) (formats.Decoder, error) { return NewDecoder(s, opts) },
				NewEncoder: func(s *types.Schema) (formats.Encoder, error) { return NewEncoder(s, opts) },
				Schemas:    schemas,
				Bad:        [][]byte{[]byte(strings.Repeat("x"+string(opts.Delimiter), 100)), []byte("x\ny")},
			})
		})
	}
}

var bidSchema = types.NewSchema(
	types.Field{Name: "id", Type: types.Of(types.BigInt)},
	types.Field{Name: "name", Type: types.StringType()},
	types.Field{Name: "at", Type: types.TimestampOf(3)},
)

// decoded returns the rows of the payloads, and what was refused.
func decoded(t *testing.T, s *types.Schema, o Options, payloads ...string) (rows []string) {
	t.Helper()
	d, err := NewDecoder(s, o)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	for _, p := range payloads {
		out := formats.NewRows(&pool, s, 1)
		_, err := d.Decode([][]byte{[]byte(p)}, out, 10)
		b := out.Finish()
		rows = append(rows, streamtest.Rows(b)...)
		b.Release()
		if bad, ok := errors.AsType[*formats.RecordError](err); ok {
			rows = append(rows, bad.Error())
		}
	}
	return rows
}

func TestDecode(t *testing.T) {
	numbers := types.NewSchema(
		types.Field{Name: "list", Type: types.ArrayOf(types.Of(types.Int))},
		types.Field{Name: "row", Type: types.RowOf(types.Field{Name: "a", Type: types.StringType()}, types.Field{Name: "b", Type: types.Of(types.Double)})},
	)
	for _, c := range []struct {
		name    string
		schema  *types.Schema
		given   map[string]string
		payload string
		want    string
	}{
		{"plain", bidSchema, nil, "1,a b,2024-01-01 00:00:01.5", "+I 1 'a b' 2024-01-01 00:00:01.500"},
		{"line end", bidSchema, nil, "1,a,2024-01-01 00:00:01\r\n", "+I 1 'a' 2024-01-01 00:00:01.000"},
		{"quotes", bidSchema, nil, `" 1 ", "a,""b""` + "\n" + `c" ,"2024-01-01 00:00:01"`, "+I 1 'a,\"b\"\nc' 2024-01-01 00:00:01.000"},
		{"blanks stay in text", bidSchema, nil, "1, a ,2024-01-01 00:00:01", "+I 1 ' a ' 2024-01-01 00:00:01.000"},
		{"no quotes", bidSchema, map[string]string{"disable-quote-character": "true"}, `1,"a",2024-01-01 00:00:01`, `+I 1 '"a"' 2024-01-01 00:00:01.000`},
		{"other characters", bidSchema, map[string]string{"field-delimiter": ";", "quote-character": "|", "array-element-delimiter": ","}, `1;|a;|||;2024-01-01 00:00:01`, `+I 1 'a;|' 2024-01-01 00:00:01.000`},
		{"escapes", bidSchema, map[string]string{"escape-character": `\`}, `1,a\,\n\\,"2024-01-01 \00:00:01"`, "column at, byte 10: not a timestamp"},
		{"escapes in quotes", bidSchema, map[string]string{"escape-character": `\`}, `1,"a\"b\tc",2024-01-01 00:00:01`, "+I 1 'a\"b\tc' 2024-01-01 00:00:01.000"},
		{"null literal", bidSchema, map[string]string{"null-literal": "n/a"}, `n/a,"n/a",n/a`, "+I NULL 'n/a' NULL"},
		{"empty null literal", bidSchema, map[string]string{"null-literal": ""}, `,"",`, "+I NULL '' NULL"},
		{"no null literal", bidSchema, nil, ",,", "column id, byte 0: not an integer"},
		{"comment", bidSchema, map[string]string{"allow-comments": "true"}, "#1,2,3", ""},
		{"nothing", bidSchema, nil, "", ""},
		{"too few", bidSchema, nil, "1,a", "column at, byte 3: fewer fields than expected"},
		{"too many", bidSchema, nil, "1,a,2024-01-01 00:00:01,", "byte 24: more fields than expected"},
		{"two records", bidSchema, nil, "1,a,2024-01-01 00:00:01\n2,b,2024-01-01 00:00:01", "column at, byte 4: a line break outside of quotes: a payload is one record"},
		{"open quote", bidSchema, nil, `1,"a,2024-01-01 00:00:01`, "column name, byte 2: the quote is not closed"},
		{"bytes behind a quote", bidSchema, nil, `1,"a"b,2024-01-01 00:00:01`, "column name, byte 5: more bytes behind the closing quote"},
		{"escape at the end", bidSchema, map[string]string{"escape-character": `\`}, `1,a,2024\`, "column at, byte 8: nothing behind the escape character"},
		{"ignored", bidSchema, map[string]string{"ignore-parse-errors": "true"}, "x,a", "+I NULL 'a' NULL"},
		{"ignored extras", bidSchema, map[string]string{"ignore-parse-errors": "true"}, "1,a,2024-01-01 00:00:01,5", "+I 1 'a' 2024-01-01 00:00:01.000"},
		{"named columns", bidSchema, map[string]string{"columns": "at;skipped;id;name"}, `2024-01-01 00:00:01,"x,",7,a`, "+I 7 'a' 2024-01-01 00:00:01.000"},
		{"nested", numbers, nil, "1; 2;-3,x y;1e3", "+I [1, 2, -3] ('x y', 1000)"},
		{"empty list", numbers, map[string]string{"null-literal": "-"}, ",-;-", "+I [] (NULL, NULL)"},
		{"wrong element", numbers, map[string]string{"ignore-parse-errors": "true"}, "1;x,a;2;3", "+I NULL NULL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			if diff := cmp.Diff(want, decoded(t, c.schema, optionsOf(t, c.given), c.payload)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func encoded(t *testing.T, s *types.Schema, o Options, rows string) (string, error) {
	t.Helper()
	e, err := NewEncoder(s, o)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, s, rows)
	defer b.Release()
	out := formats.Payloads{Data: []byte("kept"), Ends: []int{4}}
	err = e.Encode(b, &out)
	if string(out.At(0)) != "kept" || err != nil && out.Len() != 1 {
		t.Errorf("what was there before became %q, %d payloads", out.At(0), out.Len())
	}
	if err != nil {
		return "", err
	}
	return string(out.At(1)), nil
}

func TestEncode(t *testing.T) {
	texts := types.NewSchema(types.Field{Name: "a", Type: types.StringType()}, types.Field{Name: "b", Type: types.StringType()})
	list := types.NewSchema(types.Field{Name: "a", Type: types.ArrayOf(types.StringType())}, types.Field{Name: "b", Type: types.StringType()})
	for _, c := range []struct {
		name, row, want string
		schema          *types.Schema
		given           map[string]string
	}{
		{"plain", "'a' 'b c'", "a,b c", texts, nil},
		{"quoted", `'a,"' ' b'`, `"a,"""," b"`, texts, nil},
		{"NULL", "NULL 'b'", ",b", texts, nil},
		{"null literal", "NULL 'n/a'", `n/a,"n/a"`, texts, map[string]string{"null-literal": "n/a"}},
		{"escape", `'a,\' 'b'`, `a\,\\,b`, texts, map[string]string{"disable-quote-character": "true", "escape-character": `\`}},
		{"comment", "'#a' '#b'", `"#a",#b`, texts, map[string]string{"allow-comments": "true"}},
		{"list", "['x', NULL, 'y,z'] 'b'", `"x;;y,z",b`, list, nil},
		{"fields that no column fills", "'a' 'b'", "b,,a", texts, map[string]string{"columns": "b;c;a"}},
		{"a delimiter without quotes", "'a,' 'b'", "ERROR column a: without quotes csv has no form", texts, map[string]string{"disable-quote-character": "true"}},
		{"a literal without quotes", "'n/a' 'b'", "ERROR column a: without quotes csv has no form", texts, map[string]string{"disable-quote-character": "true", "null-literal": "n/a"}},
		{"an element with a delimiter", "['x;y'] 'b'", "ERROR column a: csv has no form for the element", list, nil},
		{"one empty element", "[''] 'b'", "ERROR column a: csv has no form for an ARRAY of one empty element", list, nil},
		{"a retraction", "-D 'a' 'b'", "ERROR csv has no form for a row of kind -D", texts, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := encoded(t, c.schema, optionsOf(t, c.given), c.row)
			want, fails := strings.CutPrefix(c.want, "ERROR ")
			if fails && (err == nil || !strings.Contains(err.Error(), want) || failure.ClassOf(err).Domain != failure.DomainUser) {
				t.Errorf("error %v, want one of the user with %q", err, want)
			}
			if !fails && (err != nil || got != want) {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestBadOptionsAndSchemas(t *testing.T) {
	if err := Spec.Validate(); err != nil {
		t.Error(err)
	}
	for want, given := range map[string]map[string]string{
		"field-delimiter: must be one character":     {"field-delimiter": "||"},
		"quote-character: can't be given":            {"quote-character": "'", "disable-quote-character": "true"},
		"escape-character: must be one":              {"escape-character": "é"},
		`quote-character: ',' is field-delimiter`:    {"quote-character": ","},
		`field-delimiter: '\n' is a line end`:        {"field-delimiter": `\n`},
		`null-literal: contains ',', which is field`: {"null-literal": "a,b"},
	} {
		v, err := options.Parse(Spec, given)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = OptionsOf(v, ""); err == nil || !strings.Contains(err.Error(), want) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%v: error %v, want one of the user with %q", given, err, want)
		}
	}
	column := func(t types.Type) *types.Schema { return types.NewSchema(types.Field{Name: "c", Type: t}) }
	for _, c := range []struct {
		schema *types.Schema
		given  map[string]string
		want   string
	}{
		{column(types.MapOf(types.StringType(), types.StringType())), nil, "no form for MAP"},
		{column(types.ArrayOf(types.ArrayOf(types.StringType()))), nil, "within another type"},
		{column(types.StringType()), map[string]string{"columns": "a;b"}, "does not name the column c"},
		{column(types.StringType()), map[string]string{"columns": "c;b;c"}, "names c twice"},
	} {
		_, err := NewDecoder(c.schema, optionsOf(t, c.given))
		if _, other := NewEncoder(c.schema, optionsOf(t, c.given)); err == nil || other == nil || err.Error() != other.Error() || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.schema, err, c.want)
		}
	}
}
