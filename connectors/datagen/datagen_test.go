package datagen

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/failure"
	"millrace/formats/formattest"
	"millrace/internal/clock"
	"millrace/options"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var orders = types.NewSchema(
	field("id", types.Of(types.BigInt)), field("price", types.DecimalOf(10, 2)), field("who", types.VarCharOf(12)), field("at", types.TimestampLTZOf(3)),
)

// since2020 is a source of jobs that all began at one time.
type since2020 struct{ connectors.Source }

func (s since2020) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	ctx.Clock = clock.NewManual(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	return s.Source.Enumerator(ctx)
}

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name   string
		given  map[string]string
		schema *types.Schema
	}{
		{"all types", map[string]string{"number-of-rows": "150", "fields.f12.null-rate": "0.5", "fields.f11.var-len": "true"}, formattest.AllTypes()},
		{"a sequence", map[string]string{"fields.id.kind": "sequence", "fields.id.start": "-5", "fields.id.end": "300", "splits": "3"}, orders},
		{"a sequence that nobody reads", map[string]string{"fields.n.kind": "sequence", "fields.n.start": "1", "fields.n.end": "200"}, orders},
		{"more splits than rows", map[string]string{"number-of-rows": "3", "splits": "5"}, orders},
		{"slow", map[string]string{"number-of-rows": "120", "rows-per-second": "4000"}, types.NewSchema(orders.Fields[:3]...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			source, err := open(c.given, c.schema)
			if err != nil {
				t.Fatal(err)
			}
			if c.name != "slow" {
				source = since2020{source}
			}
			connectortest.RunSource(t, connectortest.SourceCase{
				Open: func(*testing.T) connectors.Source { return source }, Schema: c.schema, Ordered: true,
			})
		})
	}
}

// stopped is a waker for whoever looks by itself.
type stopped struct{}

func (stopped) Wake() {}

// rowsAt returns the rows that are due at a time, of a job that began at 0.
func rowsAt(t *testing.T, given map[string]string, s *types.Schema, millis int64) []string {
	t.Helper()
	source, err := open(given, s)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	now := clock.NewManual(time.UnixMilli(millis))
	r, err := source.Reader(connectors.ReaderContext{Schema: s, Pool: &pool, Clock: now, Waker: stopped{}, RowsMax: 7})
	if err != nil {
		t.Fatal(err)
	}
	first := split{origin: origin{splits: 1}}
	if err := r.Assign([]connectors.SplitState{first.state()}); err != nil {
		t.Fatal(err)
	}
	r.NoMoreSplits()
	var rows []string
	for {
		b, status, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if b != nil {
			rows = append(rows, streamtest.Rows(b)...)
			b.Release()
		}
		if status != connectors.More {
			break
		}
	}
	if err := r.Close(); err != nil || pool.Live() != 0 {
		t.Errorf("close: %v, %d buffers left", err, pool.Live())
	}
	return rows
}

func TestRowsComeWhenTheyAreDue(t *testing.T) {
	s := types.NewSchema(field("at", types.TimestampOf(3)), field("day", types.Of(types.Date)), field("clock", types.Type{Kind: types.Time, Nullable: true, Precision: 0}))
	for millis, want := range map[int64]int{0: 1, 249: 1, 250: 2, 1000: 5, 2_000: 9, 1_000_000: 10} {
		rows := rowsAt(t, map[string]string{"rows-per-second": "4", "number-of-rows": "10"}, s, millis)
		if len(rows) != want {
			t.Fatalf("after %d ms there are %d rows, want %d", millis, len(rows), want)
		}
		for i, row := range rows {
			at := i * 250
			if want := fmt.Sprintf("+I 1970-01-01 00:00:0%d.%03d 1970-01-01 00:00:0%d", at/1000, at%1000, at/1000); row != want && !strings.HasPrefix(row, want) {
				t.Errorf("row %d is %s, want %s", i, row, want)
			}
		}
	}
}

func TestValuesKeepTheirBounds(t *testing.T) {
	s := types.NewSchema(
		field("n", types.Of(types.Int).NotNull()), field("d", types.DecimalOf(30, 1).NotNull()), field("f", types.Of(types.Double).NotNull()),
		field("s", types.VarCharOf(4).NotNull()), field("at", types.TimestampOf(0).NotNull()), field("maybe", types.Of(types.Boolean)),
	)
	given := map[string]string{
		"number-of-rows": "2000", "rows-per-second": "1000000", "fields.n.min": "-3", "fields.n.max": "4", "fields.d.min": "-0.5", "fields.d.max": "1",
		"fields.f.min": "-2", "fields.f.max": "-1.5", "fields.s.length": "3", "fields.s.var-len": "true", "fields.at.max-past": "3 s", "fields.maybe.null-rate": "0.25",
	}
	seen := make([]map[string]int, s.Len())
	for i := range seen {
		seen[i] = map[string]int{}
	}
	for _, row := range rowsAt(t, given, s, 1_000_000) {
		row = strings.ReplaceAll(strings.TrimPrefix(row, "+I "), "01 00", "01T00")
		row = strings.ReplaceAll(row, "31 23", "31T23")
		for i, value := range strings.Fields(row) {
			if s.Fields[i].Name == "s" {
				value = fmt.Sprint(len(value) - 2)
			}
			seen[i][value]++
		}
	}
	for i, want := range []int{8, 16, 0, 3, 3, 3} { // how many values each has, 0: many
		if n := len(seen[i]); n != want && want > 0 || n < 100 && want == 0 {
			t.Errorf("column %s has %d values, want %d: %v", s.Fields[i].Name, n, want, seen[i])
		}
	}
	for value := range seen[2] {
		if !strings.HasPrefix(value, "-1.") && value != "-2" {
			t.Errorf("double %s", value)
		}
	}
	if n := seen[5]["NULL"]; n < 400 || n > 600 {
		t.Errorf("%d of 2000 values are NULL, want about 500", n)
	}
}

// A column is the same whatever else is read, and other with another seed.
func TestColumnsAreIndependent(t *testing.T) {
	given := func(seed string) map[string]string { return map[string]string{"number-of-rows": "20", "seed": seed} }
	one := types.NewSchema(orders.Fields[2])
	alone, other := rowsAt(t, given("1"), one, 1_000_000), rowsAt(t, given("2"), one, 1_000_000)
	for i, row := range rowsAt(t, given("1"), orders, 1_000_000) {
		text := strings.Fields(row)[3]
		if alone[i] != "+I "+text || alone[i] == other[i] {
			t.Errorf("row %d is %s beside others, %s alone and %s of another seed", i, text, alone[i], other[i])
		}
	}
}

func TestSequences(t *testing.T) {
	s := types.NewSchema(field("a", types.Of(types.TinyInt)), field("b", types.VarCharOf(2)), field("c", types.DecimalOf(5, 2)), field("d", types.Of(types.Double)), field("e", types.Of(types.Float)))
	given := map[string]string{}
	for _, f := range s.Fields {
		given["fields."+f.Name+".kind"], given["fields."+f.Name+".start"], given["fields."+f.Name+".end"] = "sequence", "-1", "10"
	}
	given["fields.d.end"] = "1"
	want := "+I -1 '-1' -1.00 -1 -1\n+I 0 '0' 0.00 0 0\n+I 1 '1' 1.00 1 1"
	if got := strings.Join(rowsAt(t, given, s, 1_000_000), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBadOptions(t *testing.T) {
	for _, s := range []options.Spec{Spec, FieldSpec} {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
	s := types.NewSchema(
		field("n", types.Of(types.TinyInt).NotNull()), field("s", types.VarCharOf(5)), field("c", types.Type{Kind: types.Char, Length: 2, Nullable: true}),
		field("d", types.DecimalOf(3, 1)), field("f", types.Of(types.Float)), field("l", types.ArrayOf(types.StringType())), field("b", types.Of(types.Boolean)),
	)
	for want, given := range map[string]string{
		"minn: unknown option":                "n.minn=3",
		"fields.x: names no column":           "x=3",
		`fields.n.max: "128" is no TINYINT`:   "n.max=128",
		"5 is more than max, 4":               "n.min=5 n.max=4",
		"fields.d.max: \"100\" is no DECIMAL": "d.max=100",
		"fields.d.min: is more than max":      "d.min=2 d.max=1",
		"fields.f.max: \"1e99\" is no FLOAT":  "f.max=1e99",
		"fields.f.min: 2 is more than max":    "f.min=2 f.max=1",
		"fields.s.length: 6 does not fit":     "s.length=6",
		"fields.c.length: 1 does not fit":     "c.length=1",
		"fields.c.var-len: CHAR(2) has one":   "c.var-len=true",
		"the column is NOT NULL":              "n.null-rate=0.1",
		"must be from 0 to 1, not 2":          "s.null-rate=2",
		"a sequence needs start and end":      "n.kind=sequence n.start=1",
		"ends at 1, before it begins at 2":    "n.kind=sequence n.start=2 n.end=1",
		"from 1 to 128 does not fit TINYINT":  "n.kind=sequence n.start=1 n.end=128",
		"from 1 to 100 does not fit DECIMAL":  "d.kind=sequence d.start=1 d.end=100",
		"-99999 to 1 does not fit VARCHAR(5)": "s.kind=sequence s.start=-99999 s.end=1",
		"there is no sequence of BOOLEAN":     "b.kind=sequence b.start=1 b.end=2",
		"a row would have":                    "l.length=1000000 l.element.length=1000",
	} {
		m := map[string]string{}
		for o := range strings.FieldsSeq(given) {
			key, value, _ := strings.Cut(o, "=")
			m["fields."+key] = value
		}
		if _, err := open(m, s); err == nil || !strings.Contains(err.Error(), want) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: error %v, want one of the user with %q", given, err, want)
		}
	}
}

func TestTraits(t *testing.T) {
	for _, c := range []struct {
		given map[string]string
		want  bool
	}{
		{nil, false},
		{map[string]string{"number-of-rows": "3"}, true},
		{map[string]string{"fields.a.kind": "sequence", "fields.a.start": "1", "fields.a.end": "2"}, true},
	} {
		v, err := options.Parse(Spec, c.given)
		if err != nil {
			t.Fatal(err)
		}
		if got := traits(v).Bounded; got != c.want {
			t.Errorf("%v: bounded is %t", c.given, got)
		}
	}
}

func FuzzSplitState(f *testing.F) {
	whole := split{origin: origin{splits: 3, start: 1}, index: 2, next: 1235}
	f.Add(whole.state().State)
	f.Add(whole.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if o, err := decodeOrigin(p); err == nil {
			if again, err := decodeOrigin(o.encode()); err != nil || again != o {
				t.Errorf("origin %v comes back as %v, %v", o, again, err)
			}
		}
		s, err := decodeSplit(connectors.SplitState{ID: "x", State: p})
		if err != nil {
			return
		}
		if again, err := decodeSplit(s.state()); err != nil || again != s {
			t.Errorf("split %v comes back as %v, %v", s, again, err)
		}
	})
}

// BenchmarkRows reports rows a second and core of three and of all columns.
func BenchmarkRows(b *testing.B) {
	for name, s := range map[string]*types.Schema{"orders": orders, "ids": types.NewSchema(orders.Fields[0])} {
		b.Run(name, func(b *testing.B) {
			source, err := open(map[string]string{"rows-per-second": "1000000000000"}, s)
			if err != nil {
				b.Fatal(err)
			}
			var pool stream.Pool
			r, err := source.Reader(connectors.ReaderContext{Schema: s, Pool: &pool, Clock: clock.System(), Waker: stopped{}, RowsMax: stream.RowsMax})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			first := split{origin: origin{splits: 1}}
			if err := r.Assign([]connectors.SplitState{first.state()}); err != nil {
				b.Fatal(err)
			}
			rows := 0
			b.ReportAllocs()
			for b.Loop() {
				batch, _, err := r.Read()
				if err != nil {
					b.Fatal(err)
				}
				rows += batch.Rows()
				batch.Release()
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
