package values

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// every has a column of each type that a constant can have, with some of its values and how streamtest spells them.
var every = []struct {
	t      types.Type
	values []any
	texts  []string
}{
	{types.Of(types.Boolean), []any{true, false}, []string{"TRUE", "FALSE"}},
	{types.Of(types.TinyInt), []any{int64(-128), int64(127)}, []string{"-128", "127"}},
	{types.Of(types.SmallInt), []any{int64(-32768), int64(1)}, []string{"-32768", "1"}},
	{types.Of(types.Int), []any{int64(math.MinInt32), int64(7)}, []string{"-2147483648", "7"}},
	{types.Of(types.BigInt), []any{int64(math.MinInt64), int64(1<<53 + 1)}, []string{"-9223372036854775808", "9007199254740993"}},
	{types.Of(types.Float), []any{0.5, math.Inf(-1)}, []string{"0.5", "-Inf"}},
	{types.Of(types.Double), []any{math.NaN(), 1e300}, []string{"NaN", "1e+300"}},
	{types.DecimalOf(18, 3), []any{int64(-1), int64(1500)}, []string{"-0.001", "1.500"}},
	{types.DecimalOf(38, 2), []any{types.Int128{Lo: math.MaxUint64, Hi: -1}, types.Int128{Lo: 1, Hi: 1}}, []string{"-0.01", "184467440737095516.17"}},
	{types.StringType(), []any{"", `"<é>'`}, []string{"''", `'"<é>'''`}},
	{types.BytesType(), []any{[]byte{0, 255}, []byte{}}, []string{"X'00FF'", "X''"}},
	{types.Of(types.Date), []any{int64(-1), int64(0)}, []string{"1969-12-31", "1970-01-01"}},
	{types.TimestampOf(9), []any{int64(1), int64(-1)}, []string{"1970-01-01 00:00:00.000000001", "1969-12-31 23:59:59.999999999"}},
	{types.TimestampLTZOf(3), []any{int64(5), int64(1000)}, []string{"1970-01-01 00:00:00.005", "1970-01-01 00:00:01.000"}},
	{types.Of(types.IntervalDayTime), []any{int64(1500), int64(-1)}, []string{"1500", "-1"}},
}

// table returns the schema and the rows of every, with a row of NULLs.
func table() (*types.Schema, [][]*expr.Literal) {
	rows := make([][]*expr.Literal, 3)
	var fields []types.Field
	for i, c := range every {
		fields = append(fields, types.Field{Name: string(rune('a' + i)), Type: c.t})
		for r, v := range []any{c.values[0], c.values[1], nil} {
			rows[r] = append(rows[r], &expr.Literal{T: c.t, Value: v})
		}
	}
	return types.NewSchema(fields...), rows
}

func opened(t *testing.T, schema *types.Schema, rows [][]*expr.Literal) connectors.Source {
	t.Helper()
	given, err := jobgraph.EncodeValues(rows)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(given, schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	schema, rows := table()
	var want []string
	for r := range 2 {
		row := "+I"
		for _, c := range every {
			row += " " + c.texts[r]
		}
		want = append(want, row)
	}
	want = append(want, "+I"+strings.Repeat(" NULL", len(every)))
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(t *testing.T) connectors.Source { return opened(t, schema, rows) }, Schema: schema, Want: want, Ordered: true,
	})
}

// TestManyRows has more rows than fit into one option.
func TestManyRows(t *testing.T) {
	schema := types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt).NotNull()}, types.Field{Name: "s", Type: types.StringType()})
	var rows [][]*expr.Literal
	for i := range int64(1000) {
		rows = append(rows, []*expr.Literal{{T: schema.Fields[0].Type, Value: i}, {T: schema.Fields[1].Type, Value: strings.Repeat("x", 100)}})
	}
	given, err := jobgraph.EncodeValues(rows)
	if err != nil || len(given) < 3 {
		t.Fatalf("%d parts, %v", len(given), err)
	}
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(t *testing.T) connectors.Source { return opened(t, schema, rows) }, Schema: schema, Ordered: true,
	})
	got, err := jobgraph.DecodeValues(given, schema)
	if err != nil || len(got) != len(rows) {
		t.Fatalf("%d rows come back, %v", len(got), err)
	}
	if diff := cmp.Diff([]any{int64(999), strings.Repeat("x", 100)}, got[999]); diff != "" {
		t.Error(diff)
	}
}

func TestRowsThatAreNone(t *testing.T) {
	schema := types.NewSchema(types.Field{Name: "n", Type: types.Of(types.Int).NotNull()}, types.Field{Name: "s", Type: types.VarCharOf(2)})
	for want, given := range map[string]map[string]string{
		"rows.0: is no JSON array":         {"rows.0": "{}"},
		"rows.1: missing":                  {"rows.0": "[]", "rows.2": "[]"},
		"row 2: 1 values for 2 columns":    {"rows.0": `[[1,"a"],[1]]`},
		"column n":                         {"rows.0": `[[null,"a"]]`},
		"column s":                         {"rows.0": `[[1,7]]`},
		"rows.0: row 1: column n: strconv": {"rows.0": `[[1.5,"a"]]`},
		"is neither a number":              {"rows.0": `[[1,["a"]]]`},
		"row: unknown option":              {"row": "[]"},
	} {
		_, err := open(given, schema)
		if err == nil || !strings.Contains(err.Error(), want) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%v: error %v, want one of the user with %q", given, err, want)
		}
	}
}

func TestRowsThatAreTooLarge(t *testing.T) {
	row := []*expr.Literal{{T: types.StringType(), Value: strings.Repeat("x", 40_000)}}
	if _, err := jobgraph.EncodeValues([][]*expr.Literal{row}); err == nil || !strings.Contains(err.Error(), "row 1 of VALUES: ") {
		t.Errorf("a row of 40,000 bytes: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	schema, rows := table()
	given, err := jobgraph.EncodeValues(rows)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(given["rows.0"])
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = jobgraph.DecodeValues(map[string]string{"rows.0": text}, schema) // must not panic
	})
}
