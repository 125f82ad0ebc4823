package print

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/failure"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func TestSpecIsValid(t *testing.T) {
	if err := Spec.Validate(); err != nil {
		t.Error(err)
	}
}

// The suite sees what is printed: integers print as streamtest spells them.
func TestConformance(t *testing.T) {
	schema := types.NewSchema(
		types.Field{Name: "a", Type: types.Of(types.BigInt)},
		types.Field{Name: "b", Type: types.Of(types.Int)},
	)
	connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
		var out bytes.Buffer
		s, err := Factory(&out, nil).Open(nil, schema)
		if err != nil {
			t.Fatal(err)
		}
		return connectortest.SinkCase{Sink: s, Schema: schema, Visible: func(*testing.T) (rows []string) {
			for line := range strings.Lines(out.String()) {
				_, row, _ := strings.Cut(strings.TrimSpace(line), "> ")
				row = strings.NewReplacer("[", " ", ", ", " ", "]", "", "null", "NULL").Replace(row)
				rows = append(rows, row)
			}
			return rows
		}}
	})
}

func printed(t *testing.T, given map[string]string, id connectors.Identity, s *types.Schema, rows string) string {
	t.Helper()
	var out, other bytes.Buffer
	opened, err := Factory(&out, &other).Open(given, s)
	if err != nil {
		t.Fatal(err)
	}
	w, err := opened.Writer(connectors.WriterContext{Identity: id, Schema: s})
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	plain := streamtest.Batch(t, &pool, s, rows)
	defer plain.Release()
	b := streamtest.Reencode(rand.New(rand.NewPCG(1, 1)), plain)
	defer b.Release()
	if err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	return out.String() + other.String()
}

func TestRows(t *testing.T) {
	field := func(name string, typ types.Type) types.Field { return types.Field{Name: name, Type: typ} }
	for _, c := range []struct {
		typ  types.Type
		in   string
		want string
	}{
		{types.Of(types.Boolean), "TRUE", "true"},
		{types.Of(types.TinyInt), "-7", "-7"},
		{types.Of(types.SmallInt), "300", "300"},
		{types.Of(types.BigInt), "NULL", "null"},
		{types.Of(types.Double), "1", "1.0"},
		{types.Of(types.Double), "0.25", "0.25"},
		{types.Of(types.Double), "1e10", "1.0E10"},
		{types.Of(types.Double), "-1.5e-7", "-1.5E-7"},
		{types.Of(types.Float), "0.1", "0.1"},
		{types.DecimalOf(10, 2), "-0.05", "-0.05"},
		{types.DecimalOf(30, 2), "123456789012345678901234.50", "123456789012345678901234.50"},
		{types.DecimalOf(30, 0), "-12", "-12"},
		{types.StringType(), "'a, b'", "a, b"},
		{types.BytesType(), "X'00FF7F'", "[0, -1, 127]"},
		{types.Of(types.Date), "1969-12-31", "1969-12-31"},
		{types.Type{Kind: types.Time, Nullable: true, Precision: 3}, "01:02:03.400", "01:02:03.400"},
		{types.TimestampOf(3), "2024-01-01 10:00:00.000", "2024-01-01T10:00"},
		{types.TimestampOf(3), "2024-01-01 10:00:01.000", "2024-01-01T10:00:01"},
		{types.TimestampOf(6), "1969-12-31 23:59:59.000001", "1969-12-31T23:59:59.000001"},
		{types.TimestampLTZOf(3), "2024-01-01 10:00:00.500", "2024-01-01T10:00:00.500Z"},
		{types.ArrayOf(types.Of(types.Int)), "[1, NULL]", "[1, null]"},
		{types.MapOf(types.StringType(), types.Of(types.Int)), "{'a': 1, 'b': NULL}", "{a=1, b=null}"},
		{types.RowOf(field("x", types.Of(types.Int)), field("y", types.StringType())), "(1, 'z')", "+I[1, z]"},
	} {
		got := printed(t, nil, connectors.Identity{Parallelism: 1}, types.NewSchema(field("v", c.typ)), c.in)
		if want := "+I[" + c.want + "]\n"; got != want {
			t.Errorf("%s %s is printed as %q, want %q", c.typ, c.in, got, want)
		}
	}
}

func TestPrefixes(t *testing.T) {
	s := types.NewSchema(types.Field{Name: "v", Type: types.Of(types.Int)}, types.Field{Name: "w", Type: types.Of(types.Int)})
	named := map[string]string{"print-identifier": "bids", "standard-error": "true"}
	for _, c := range []struct {
		given       map[string]string
		parallelism int32
		want        string
	}{
		{nil, 1, "+I[1, 2]\n-D[3, null]\n"},
		{nil, 4, "3> +I[1, 2]\n3> -D[3, null]\n"},
		{named, 1, "bids> +I[1, 2]\nbids> -D[3, null]\n"},
		{named, 4, "bids:3> +I[1, 2]\nbids:3> -D[3, null]\n"},
	} {
		got := printed(t, c.given, connectors.Identity{Parallelism: c.parallelism, Subtask: 2}, s, "1 2\n-D 3 NULL")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	}
}

type broken struct{ error }

func (b broken) Write([]byte) (int, error) { return 0, b.error }

func TestBrokenPipe(t *testing.T) {
	s := types.NewSchema(types.Field{Name: "v", Type: types.Of(types.Int)})
	no := errors.New("broken pipe")
	opened, err := Factory(broken{no}, nil).Open(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	w, err := opened.Writer(connectors.WriterContext{})
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, s, "1")
	defer b.Release()
	if err := w.Write(b); !errors.Is(err, no) || failure.ClassOf(err).Domain != failure.DomainExternal {
		t.Errorf("error %v", err)
	}
}
