package rows_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

type place struct {
	City string
	Zip  *int32
}

type base struct {
	ID   int64
	Note *string
}

type everything struct {
	base
	Base2   base `millrace:"second"`
	Bool    bool
	Tiny    int8
	Small   int16
	Medium  int32
	Big     int64
	Plain   int
	Single  float32
	Double  float64
	Text    string
	Raw     []byte
	At      time.Time `millrace:"at,rowtime"`
	Local   time.Time `type:"TIMESTAMP(6)"`
	Fine    time.Time `type:"TIMESTAMP_LTZ(9)"`
	Took    time.Duration
	Clock   time.Duration `type:"TIME(3)"`
	Day     rows.Date
	Price   rows.Decimal  `type:"DECIMAL(10, 2)"`
	Wide    *rows.Decimal `type:"DECIMAL(30, 4)"`
	Code    string        `type:"CHAR(3)"`
	Short   string        `type:"VARCHAR(5)"`
	Tags    []string
	Maybe   *[]int64
	Places  []place
	Where   place
	Perhaps *place
	Counts  map[string]int64
	Skipped func() `millrace:"-"`
	hidden  int
}

func TestSchema(t *testing.T) {
	m, err := rows.Of(reflect.TypeFor[everything]())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range m.Schema.Fields {
		lines = append(lines, f.Name+" "+f.Type.String())
	}
	if want := "id BIGINT NOT NULL"; lines[0] != want {
		t.Errorf("%s, want %s", lines[0], want)
	}
	got := strings.Join(lines[2:], "\n")
	wanted := `second ROW<` + "`id` BIGINT NOT NULL, `note` STRING" + `> NOT NULL
bool BOOLEAN NOT NULL
tiny TINYINT NOT NULL
small SMALLINT NOT NULL
medium INT NOT NULL
big BIGINT NOT NULL
plain BIGINT NOT NULL
single FLOAT NOT NULL
double DOUBLE NOT NULL
text STRING NOT NULL
raw BYTES NOT NULL
at TIMESTAMP_LTZ(3) NOT NULL
local TIMESTAMP(6) NOT NULL
fine TIMESTAMP_LTZ(9) NOT NULL
took INTERVAL DAY TO SECOND NOT NULL
clock TIME(3) NOT NULL
day DATE NOT NULL
price DECIMAL(10, 2) NOT NULL
wide DECIMAL(30, 4)
code CHAR(3) NOT NULL
short VARCHAR(5) NOT NULL
tags ARRAY<STRING NOT NULL> NOT NULL
maybe ARRAY<BIGINT NOT NULL>
places ARRAY<ROW<` + "`city` STRING NOT NULL, `zip` INT" + `> NOT NULL> NOT NULL
where ROW<` + "`city` STRING NOT NULL, `zip` INT" + `> NOT NULL
perhaps ROW<` + "`city` STRING NOT NULL, `zip` INT" + `>
counts MAP<STRING NOT NULL, BIGINT NOT NULL> NOT NULL`
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
	if m.Schema.Fields[m.Rowtime].Name != "at" {
		t.Errorf("rowtime is column %d", m.Rowtime)
	}
}

func TestNames(t *testing.T) {
	m, err := rows.Of(reflect.TypeFor[struct {
		Auction, DateTime, URL, URLPath, UserID, A, AB string
		Ünder                                          string
	}]())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"auction", "dateTime", "url", "urlPath", "userID", "a", "ab", "ünder"}, m.Names()); diff != "" {
		t.Error(diff)
	}
}

func draw(r *rand.Rand) everything {
	text := func() string { return strings.Repeat("ä", r.IntN(4)) + fmt.Sprint(r.IntN(1000)) }
	at := time.UnixMilli(r.Int64N(1<<42) - 1<<41).UTC()
	e := everything{
		base: base{ID: r.Int64()}, Base2: base{ID: 1}, Bool: r.IntN(2) == 0, Tiny: int8(r.Int32()), Small: int16(r.Int32()), Medium: r.Int32(), Big: r.Int64() - 1<<62, Plain: r.Int(),
		Single: r.Float32(), Double: r.NormFloat64(), Text: text(), Raw: []byte(text()), At: at,
		Local: at.Add(time.Duration(r.IntN(1e6)) * time.Microsecond), Fine: at.Add(time.Duration(r.IntN(1e9))),
		Took: time.Duration(r.Int64N(1e9)-5e8) * time.Millisecond, Clock: time.Duration(r.IntN(86_400_000)) * time.Millisecond, Day: rows.Date(r.IntN(40000) - 20000),
		Price: rows.DecimalOf(r.Int64N(2e9)-1e9, 2), Code: "abc", Short: text()[:1], Tags: []string{}, Places: []place{}, Where: place{City: text()}, Counts: map[string]int64{},
	}
	e.Short = "s"
	if r.IntN(2) == 0 {
		note := text()
		e.Note, e.Base2.Note = &note, &note
		wide, _ := rows.ParseDecimal(fmt.Sprintf("-%d%d.%04d", r.Int64N(1e12), r.Int64N(1e12), r.IntN(10000)))
		e.Wide, e.Maybe, e.Perhaps = &wide, &[]int64{r.Int64(), 2}, &place{City: "p"}
	}
	for range r.IntN(3) {
		zip := r.Int32()
		e.Tags, e.Places, e.Counts[text()] = append(e.Tags, text()), append(e.Places, place{text(), &zip}), r.Int64()
	}
	return e
}

var equal = []cmp.Option{
	cmp.AllowUnexported(everything{}, base{}, rows.Decimal{}), cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".Skipped" || p.Last().String() == ".hidden"
	}, cmp.Ignore()),
}

// Rows go in and out of columns as they were, whatever the encoding and the selection.
func TestRoundTrip(t *testing.T) {
	m, err := rows.Of(reflect.TypeFor[everything]())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		var pool stream.Pool
		in := make([]everything, 1+r.IntN(300))
		for i := range in {
			in[i] = draw(r)
		}
		b := batchOf(t, &pool, m, in)
		for i, b := range []*stream.Batch{b, streamtest.Reencode(r, b)} {
			tile := rows.NewTile[everything](m, nil)
			var out []everything
			for from := 0; from < b.Rows(); from += rows.TileRows {
				some, err := tile.Read(b, from, min(from+rows.TileRows, b.Rows()))
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, some...)
			}
			if diff := cmp.Diff(in, out, equal...); diff != "" {
				t.Fatalf("round %d, batch %d: %s", round, i, diff)
			}
			b.Release()
		}
		if n := pool.Live(); n != 0 {
			t.Fatalf("%d buffers are left", n)
		}
	}
}

func batchOf[T any](t testing.TB, pool *stream.Pool, m *rows.Mapping, in []T) *stream.Batch {
	t.Helper()
	builders := make([]stream.Builder, m.Schema.Len())
	b := pool.NewBatch(m.Schema, len(in))
	for i, f := range m.Schema.Fields {
		builders[i].Init(pool, f.Type, len(in))
	}
	if err := rows.Append(m, in, builders); err != nil {
		t.Fatal(err)
	}
	for i := range builders {
		b.Columns[i] = builders[i].Finish()
	}
	return b
}

// A type stands for columns of other types and orders that its fields can have.
func TestOver(t *testing.T) {
	type row struct {
		Start time.Time
		Price rows.Decimal `type:"DECIMAL(10, 2)"`
		Name  string
		Where place
	}
	m, err := rows.Of(reflect.TypeFor[row]())
	if err != nil {
		t.Fatal(err)
	}
	s := types.NewSchema(
		types.Field{Name: "where", Type: m.Schema.Fields[3].Type}, types.Field{Name: "name", Type: types.Type{Kind: types.Char, Length: 4, Nullable: true}},
		types.Field{Name: "more", Type: types.Of(types.Int)}, types.Field{Name: "start", Type: types.TimestampOf(3)}, types.Field{Name: "price", Type: types.DecimalOf(10, 2)},
	)
	over, at, err := m.Over(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 4, 1, 0}, at); diff != "" {
		t.Error(diff)
	}
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, s, `
		('city', 1) 'abcd' 1 1970-01-01 00:00:01.000 1.50
		('city', NULL) NULL 1 1970-01-01 00:00:01.000 1.50
	`)
	defer b.Release()
	tile := rows.NewTile[row](over, at)
	got, err := tile.Read(b, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	zip := int32(1)
	if diff := cmp.Diff([]row{{time.Unix(1, 0).UTC(), rows.DecimalOf(150, 2), "abcd", place{"city", &zip}}}, got, cmp.AllowUnexported(rows.Decimal{})); diff != "" {
		t.Error(diff)
	}
	_, err = tile.Read(b, 0, 2)
	if want := "column name is NULL, and row.Name has no NULL: make the field a pointer"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	wrong := types.NewSchema(types.Field{Name: "start", Type: types.Of(types.BigInt)}, types.Field{Name: "price", Type: types.DecimalOf(11, 2)}, types.Field{Name: "name", Type: types.Of(types.Int)})
	_, _, err = m.Over(wrong)
	want := "rows_test.row does not go with the columns start, price, name: row.Start: column start is BIGINT: a time.Time is no BIGINT: it can be TIMESTAMP_LTZ or TIMESTAMP; " +
		"row.Price: column price is DECIMAL(11, 2): the field is DECIMAL(10, 2) NOT NULL by its tag; row.Name: column name is INT: a string is no INT: it can be VARCHAR or CHAR; " +
		"row.Where is column where, which is not there"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestRefused(t *testing.T) {
	type loop struct{ Next []loop }
	for _, c := range []struct {
		of   reflect.Type
		want string
	}{
		{reflect.TypeFor[struct{ C chan int }](), "chan int has no type in SQL: leave the field out"},
		{reflect.TypeFor[struct{ N uint32 }](), "a uint32 has no type in SQL, whose numbers have a sign: use a signed integer"},
		{reflect.TypeFor[struct{ N [3]int }](), "use a slice"},
		{reflect.TypeFor[struct{ P rows.Decimal }](), "a Decimal needs its digits"},
		{reflect.TypeFor[struct {
			S string `type:"INT"`
		}](), "a string is no INT: it can be VARCHAR or CHAR"},
		{reflect.TypeFor[struct {
			S string `type:"VARCHAR("`
		}](), `the tag type:"VARCHAR("`},
		{reflect.TypeFor[struct {
			S string `millrace:"s,key"`
		}](), "has no option key"},
		{reflect.TypeFor[struct {
			At time.Time `millrace:"at,rowtime" type:"TIMESTAMP(6)"`
		}](), "event time is a time.Time of TIMESTAMP_LTZ or TIMESTAMP(0) to (3), not TIMESTAMP(6) NOT NULL"},
		{reflect.TypeFor[struct {
			A time.Time `millrace:"a,rowtime"`
			B time.Time `millrace:"b,rowtime"`
		}](), "are both rowtime"},
		{reflect.TypeFor[struct {
			A int64
			B int64 `millrace:"a"`
		}](), "are both column a"},
		{reflect.TypeFor[struct{ hidden int }](), "has no exported fields"},
		{reflect.TypeFor[struct {
			hidden int `millrace:"h"`
		}](), "is tagged, but not exported"},
		{reflect.TypeFor[loop](), "contains itself"},
		{reflect.TypeFor[struct{ P **int64 }](), "points to a pointer"},
		{reflect.TypeFor[*everything](), "leave the pointer out"},
	} {
		_, err := rows.Of(c.of)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.of, err, c.want)
		}
	}
}

func TestValuesThatDoNotFit(t *testing.T) {
	type row struct {
		Price rows.Decimal `type:"DECIMAL(4, 2)"`
		Name  string       `type:"VARCHAR(3)"`
		Code  []byte       `type:"BINARY(2)"`
	}
	m, err := rows.Of(reflect.TypeFor[row]())
	if err != nil {
		t.Fatal(err)
	}
	good := row{Price: rows.DecimalOf(12345, 3), Name: "äöü", Code: []byte{1, 2}}
	for _, c := range []struct {
		row  row
		want string
	}{
		{good, ""},
		{row{Price: rows.DecimalOf(100, 0), Code: []byte{1, 2}}, "row.Price: 100 does not fit into DECIMAL(4, 2)"},
		{row{Name: "abcd", Code: []byte{1, 2}}, "row.Name: a value of length 4 is no VARCHAR(3)"},
		{row{Code: []byte{1}}, "row.Code: a value of length 1 is no BINARY(2)"},
	} {
		var pool stream.Pool
		builders := make([]stream.Builder, m.Schema.Len())
		for i, f := range m.Schema.Fields {
			builders[i].Init(&pool, f.Type, 1)
		}
		err := rows.Append(m, []row{c.row}, builders)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.row, err, c.want)
		}
		if c.want == "" {
			v := builders[0].Finish()
			if got := stream.Value[int64](&v, 0); got != 1235 {
				t.Errorf("12.345 is %d, want 12.35", got)
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, text := range []string{"0", "-0.05", "12.50", "99999999999999999999999999999999999999", "-17014118346046923173.687303715884105728", "7"} {
		d, err := rows.ParseDecimal(text)
		if err != nil || d.String() != text {
			t.Errorf("%s is %s: %v", text, d, err)
		}
	}
	for _, text := range []string{"", "-", "1e3", "1.2.3", ".", "999999999999999999999999999999999999990"} {
		if d, err := rows.ParseDecimal(text); err == nil {
			t.Errorf("%q is %s", text, d)
		}
	}
	one, _ := rows.ParseDecimal("1.0")
	if rows.DecimalOf(100, 2).Cmp(one) != 0 || one.Float64() != 1 || rows.DecimalOf(-1, 0).Cmp(one) != -1 {
		t.Error("1.00 is not 1.0")
	}
	if d := rows.DateOf(time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC)); d.String() != "1969-12-31" || d != -1 {
		t.Errorf("%s, %d", d, d)
	}
}

type bid struct {
	Auction, Bidder, Price int64
	Channel                string
	URL                    int32
	Extra                  float64
	Ok                     bool
	DateTime               time.Time
}

func BenchmarkBid(b *testing.B) {
	m, err := rows.Of(reflect.TypeFor[bid]())
	if err != nil {
		b.Fatal(err)
	}
	var pool stream.Pool
	in := make([]bid, stream.RowsMax)
	for i := range in {
		in[i] = bid{Auction: int64(i), Channel: "channel-" + fmt.Sprint(i%10), DateTime: time.UnixMilli(int64(i)).UTC()}
	}
	batch := batchOf(b, &pool, m, in)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		tile, n := rows.NewTile[bid](m, nil), 0
		for b.Loop() {
			for from := 0; from < stream.RowsMax; from += rows.TileRows {
				some, err := tile.Read(batch, from, from+rows.TileRows)
				if err != nil {
					b.Fatal(err)
				}
				n += len(some)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		builders := make([]stream.Builder, m.Schema.Len())
		for i, f := range m.Schema.Fields {
			builders[i].Init(&pool, f.Type, stream.RowsMax)
		}
		n := 0
		for b.Loop() {
			for from := 0; from < stream.RowsMax; from += rows.TileRows {
				if err := rows.Append(m, in[from:from+rows.TileRows], builders); err != nil {
					b.Fatal(err)
				}
			}
			for i := range builders {
				v := builders[i].Finish()
				v.Release()
			}
			n += stream.RowsMax
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
	})
}
