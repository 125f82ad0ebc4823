package files

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var (
	twoColumns = types.NewSchema(
		types.Field{Name: "dt", Type: types.StringType()},
		types.Field{Name: "id", Type: types.Of(types.BigInt)},
	)
	// The keys stand between other columns, and not in their own order.
	visits = types.NewSchema(
		types.Field{Name: "id", Type: types.Of(types.BigInt)},
		types.Field{Name: "hm", Type: types.StringType()},
		types.Field{Name: "name", Type: types.StringType()},
		types.Field{Name: "dt", Type: types.Of(types.Date)},
	)
	byDay = map[string]string{"format": "json", "partition.keys": "dt;hm"}
)

// readRows reads a table in one go.
func readRows(t *testing.T, s *types.Schema, given map[string]string) ([]string, error) {
	t.Helper()
	var rows []string
	err := readAll(t, openSource(t, s, given), s, nil, func(_ connectors.SplitID, b *stream.Batch) { rows = append(rows, streamtest.Rows(b)...) })
	return rows, err
}

func at(dir string, given map[string]string) map[string]string {
	out := map[string]string{"path": dir}
	maps.Copy(out, given)
	return out
}

// someVisits draws rows of few days and minutes, NULL among them.
func someVisits(r *rand.Rand, p *stream.Pool) *stream.Batch {
	var b strings.Builder
	for range 1 + r.IntN(50) {
		hm := []string{"NULL", "'12:00'", "'12:01'", "'a/b=c%'"}[r.IntN(4)]
		dt := []string{"NULL", "2024-01-01", "2024-12-31"}[r.IntN(3)]
		fmt.Fprintf(&b, "%d %s 'n%d' %s\n", r.IntN(1000), hm, r.IntN(9), dt)
	}
	batch, err := streamtest.Parse(p, visits, b.String())
	if err != nil {
		panic(err) // the text is wrong
	}
	defer batch.Release()
	return streamtest.Reencode(r, batch)
}

// The suite over a table with partitions: what is visible is what a source reads of the directories.
func TestPartitionedSinkConformance(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"large files": nil,
		"small files": {"sink.rolling-policy.file-size": "100 b"},
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
				dir := filepath.Join(t.TempDir(), "out")
				return connectortest.SinkCase{
					Sink: openSink(t, visits, at(dir, byDay), more), Schema: visits, Batch: someVisits,
					Visible: func(t *testing.T) []string {
						if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
							return nil
						}
						rows, err := readRows(t, visits, at(dir, byDay))
						if err != nil {
							t.Fatal(err)
						}
						return rows
					},
				}
			})
		})
	}
}

func TestPartitionedSourceConformance(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for f, day := range []string{"2024-01-01", "2024-01-02", "__DEFAULT_PARTITION__"} {
		for _, hm := range []string{"12%3A00", "x"} {
			var b strings.Builder
			for i := range 30 {
				fmt.Fprintf(&b, `{"name":"n%d","id":%d}`+"\n", f, i)
				text := map[string]string{"12%3A00": "12:00", "x": "x"}[hm]
				want = append(want, fmt.Sprintf("+I %d '%s' 'n%d' %s", i, text, f, strings.Replace(day, "__DEFAULT_PARTITION__", "NULL", 1)))
			}
			write(t, dir, "dt="+day+"/hm="+hm+"/part-0", b.String())
		}
	}
	write(t, dir, "stray", "not read")
	write(t, dir, "dt=2024-01-01/stray", "not read")
	write(t, dir, "other/hm=1/part-0", "not read")
	write(t, dir, "dt=2024-01-01/hm=x/_SUCCESS", "not read")
	write(t, dir, "dt=2024-01-01/hm=x/.staged", "not read")
	connectortest.RunSource(t, connectortest.SourceCase{
		Open:   func(t *testing.T) connectors.Source { return openSource(t, visits, at(dir, byDay)) },
		Schema: visits, Want: want, Ordered: true,
	})
}

// writeRows writes rows as one epoch, and returns what there is to commit.
func writeRows(t *testing.T, s connectors.Sink, schema *types.Schema, c clock.Clock, rows string) [][]byte {
	t.Helper()
	committables, err := tryRows(t, s, schema, c, rows)
	if err != nil {
		t.Fatal(err)
	}
	return committables
}

func tryRows(t *testing.T, s connectors.Sink, schema *types.Schema, c clock.Clock, rows string) (committables [][]byte, err error) {
	t.Helper()
	var pool stream.Pool
	woken := make(waker, 1)
	w, err := s.Writer(connectors.WriterContext{
		Identity: connectors.Identity{Job: "j", Operator: "o", Attempt: 1, Parallelism: 1}, Schema: schema, Pool: &pool, Waker: woken, Clock: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil || pool.Live() != 0 {
			t.Errorf("close: %v, %d buffers left", err, pool.Live())
		}
	}()
	b := streamtest.Batch(t, &pool, schema, rows)
	defer b.Release()
	if err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Prepare(1); err != nil {
		return nil, err
	}
	for {
		committables, done, err := w.Prepared(1)
		if done {
			return committables, err
		}
		<-woken
	}
}

func commit(t *testing.T, s connectors.Sink, id types.CheckpointID, committables [][]byte) {
	t.Helper()
	c, err := s.Committer(connectors.CommitterContext{Identity: connectors.Identity{Job: "j", Operator: "o", Attempt: 1}, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(t.Context(), id, committables); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// tree returns the files below a directory with what is in them, sorted.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		out = append(out, fmt.Sprintf("%s: %s", name, strings.ReplaceAll(strings.TrimSuffix(string(content), "\n"), "\n", " | ")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDirectoriesAreHives(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, visits, at(dir, byDay))
	committables := writeRows(t, s, visits, clock.System(), `
		1 '12:00' 'a' 2024-01-01
		2 NULL 'b' 2024-01-01
		3 '' 'c' NULL
		4 'x y{z}' 'd' 2024-01-01
		5 '12:00' 'e' 2024-01-01`)
	for _, line := range tree(t, dir) {
		if !strings.HasPrefix(line, ".part-j-o-1-00000-") {
			t.Errorf("%s is there before the commit", line)
		}
	}
	commit(t, s, 1, committables)
	const part = "/part-j-o-00000-000000000001: "
	want := []string{
		"dt=2024-01-01/hm=12%3A00" + part + `{"id":1,"name":"a"} | {"id":5,"name":"e"}`,
		"dt=2024-01-01/hm=__DEFAULT_PARTITION__" + part + `{"id":2,"name":"b"}`,
		"dt=2024-01-01/hm=x y%7Bz}" + part + `{"id":4,"name":"d"}`,
		"dt=__DEFAULT_PARTITION__/hm=__DEFAULT_PARTITION__" + part + `{"id":3,"name":"c"}`,
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// All types whose values have a text come back from the names of directories.
func TestKeysOfEveryType(t *testing.T) {
	for _, c := range []struct {
		typ    types.Type
		values []string
	}{
		{types.StringType(), []string{"'x'", "'ü/%41'", "NULL", "' '"}},
		{types.Of(types.Boolean), []string{"true", "false", "NULL"}},
		{types.Of(types.TinyInt), []string{"-128", "127"}},
		{types.Of(types.SmallInt), []string{"-32768", "32767"}},
		{types.Of(types.Int), []string{"-2147483648", "0"}},
		{types.Of(types.BigInt), []string{"-9223372036854775808", "9223372036854775807"}},
		{types.DecimalOf(10, 2), []string{"-12.30", "0.05"}},
		{types.DecimalOf(38, 3), []string{"-12345678901234567890.123", "7.000"}},
		{types.Of(types.Float), []string{"1.5", "-3.25E10"}},
		{types.Of(types.Double), []string{"1.5", "1.0E-300"}},
		{types.Of(types.Date), []string{"1969-12-31", "2024-02-29", "NULL"}},
		{types.Of(types.Time), []string{"12:34:56", "00:00:00"}},
		{types.TimestampOf(3), []string{"2024-01-01 12:00:00.000", "1969-12-31 23:59:59.999"}},
		{types.TimestampOf(9), []string{"2024-01-01 12:00:00.123456789"}},
		{types.TimestampLTZOf(3), []string{"2024-01-01 12:00:00.500"}},
	} {
		t.Run(c.typ.String(), func(t *testing.T) {
			dir := t.TempDir()
			s := types.NewSchema(types.Field{Name: "k", Type: c.typ}, types.Field{Name: "v", Type: types.Of(types.Int)})
			var rows []string
			for i, v := range c.values {
				rows = append(rows, fmt.Sprintf("%s %d", v, i))
			}
			want := streamtest.Canonical(t, s, strings.Join(rows, "\n"))
			given := at(dir, map[string]string{"format": "json", "partition.keys": "k"})
			sink := openSink(t, s, given)
			commit(t, sink, 1, writeRows(t, sink, s, clock.System(), strings.Join(rows, "\n")))
			got, err := readRows(t, s, given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := streamtest.Diff(want, got, false); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// A job may read some of the columns alone: keys without records, records without keys.
func TestSomeColumns(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "dt=2024-01-01/hm=1/f", `{"id":1,"name":"a"}`+"\n"+`{"id":2,"name":"b"}`+"\n")
	write(t, dir, "dt=2024-01-02/hm=2/f", `{"id":3,"name":"c"}`)
	for columns, want := range map[string][]string{
		"dt":      {"+I 2024-01-01", "+I 2024-01-01", "+I 2024-01-02"},
		"name":    {"+I 'a'", "+I 'b'", "+I 'c'"},
		"hm name": {"+I '1' 'a'", "+I '1' 'b'", "+I '2' 'c'"},
	} {
		var fields []types.Field
		for name := range strings.FieldsSeq(columns) {
			fields = append(fields, visits.Fields[visits.Index(name)])
		}
		got, err := readRows(t, types.NewSchema(fields...), at(dir, byDay))
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", columns, err, diff)
		}
	}
}

// A full file is followed by another one of the same epoch; so is an old one.
func TestRolling(t *testing.T) {
	rows := "'a' 1\n'a' 22\n'a' 333\n'b' 4"
	for _, c := range []struct {
		name  string
		given map[string]string
		want  []string
	}{
		{"by size", map[string]string{"sink.rolling-policy.file-size": "17 b"}, []string{
			`dt=a/part-j-o-00000-000000000001: {"id":1} | {"id":22}`,
			`dt=a/part-j-o-00000-000000000001-1: {"id":333}`,
			`dt=b/part-j-o-00000-000000000001: {"id":4}`,
		}},
		{"not at all", nil, []string{
			`dt=a/part-j-o-00000-000000000001: {"id":1} | {"id":22} | {"id":333}`,
			`dt=b/part-j-o-00000-000000000001: {"id":4}`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openSink(t, twoColumns, map[string]string{"path": dir, "format": "json", "partition.keys": "dt"}, c.given)
			commit(t, s, 1, writeRows(t, s, twoColumns, clock.System(), rows))
			if diff := cmp.Diff(c.want, tree(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRollingByAge(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(clock.System().Now())
	s := newStage(root, connectors.Identity{Job: "j", Operator: "o", Attempt: 1}, now, rolling{bytes: 1 << 20, interval: 1000})
	for i, pass := range []int{0, 999, 1, 0} {
		now.Advance(time.Duration(pass))
		if err := s.write(piece{".", fmt.Appendf(nil, "%d\n", i)}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{".part-j-o-1-00000-0.inprogress: 0 | 1", ".part-j-o-1-00000-1.inprogress: 2 | 3"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := s.close(); err != nil || len(tree(t, dir)) > 0 {
		t.Errorf("close: %v, %v is left", err, tree(t, dir))
	}
}

// Of more directories than files may be open, each has one file all the same.
func TestMoreDirectoriesThanOpenFiles(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(root, connectors.Identity{Job: "j", Operator: "o", Attempt: 1}, clock.System(), rolling{bytes: 1 << 20, interval: 1 << 60})
	const dirs = openMax + openMax/2
	for round := range 2 {
		for d := range dirs {
			if err := s.write(piece{fmt.Sprintf("d=%d", d), fmt.Appendf(nil, "%d of %d\n", round, d)}); err != nil {
				t.Fatal(err)
			}
			if s.open.Len() > openMax {
				t.Fatalf("%d files are open", s.open.Len())
			}
		}
	}
	committables, err := s.seal(1, stream.NoWatermark)
	if err != nil {
		t.Fatal(err)
	}
	e, err := epochFilesOf(committables[0])
	if err != nil || len(e.files) != dirs {
		t.Fatalf("%d files of %d directories, %v", len(e.files), dirs, err)
	}
	for _, line := range tree(t, dir) {
		if !strings.Contains(line, ": 0 of ") || !strings.Contains(line, " | 1 of ") {
			t.Errorf("file %s", line)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

func TestTooManyDirectories(t *testing.T) {
	var b strings.Builder
	for i := range partsMax + 1 {
		fmt.Fprintf(&b, "'%d' 1\n", i)
	}
	given := map[string]string{"path": t.TempDir(), "format": "json", "partition.keys": "dt"}
	for rows, want := range map[string]string{
		b.String():                                        "partition by columns with fewer values",
		"'" + strings.Repeat("x", 255) + "' 1":            "shorter values",
		"'" + strings.Repeat("x", 251) + "%' 1":           "shorter values",
		"'" + strings.Repeat("x", 255-len("dt=")) + "' 1": "",
	} {
		_, err := tryRows(t, openSink(t, twoColumns, given), twoColumns, clock.System(), rows)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || failure.ClassOf(err).Domain != failure.DomainUser) {
			t.Errorf("%.40s...: error %v, want %q", rows, err, want)
		}
	}
}

func TestBadPartitions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "dt=yesterday/f", `{"id":1}`)
	days := types.NewSchema(types.Field{Name: "dt", Type: types.Of(types.Date)}, twoColumns.Fields[1])
	required := types.NewSchema(types.Field{Name: "dt", Type: types.StringType().NotNull()}, twoColumns.Fields[1])
	nested := types.NewSchema(types.Field{Name: "dt", Type: types.ArrayOf(types.Of(types.Int))}, twoColumns.Fields[1])
	null := t.TempDir()
	write(t, null, "dt=__DEFAULT_PARTITION__/f", `{"id":1}`)
	for _, c := range []struct {
		name, want string
		schema     *types.Schema
		given      map[string]string
		sink       bool
	}{
		{"no day", `column dt of its directory: "yesterday" is no value of the column's type, DATE`, days, at(dir, nil), false},
		{"NULL in NOT NULL", "NOT NULL", required, at(null, nil), false},
		{"a file", "is a directory, and this is a file", twoColumns, at(filepath.Join(dir, "dt=yesterday/f"), nil), false},
		{"a type without text", "can't stand in the name of a directory", nested, at(dir, nil), false},
		{"no such column", "no column is named day", twoColumns, at(dir, map[string]string{"partition.keys": "day"}), true},
		{"twice", "names dt twice", twoColumns, at(dir, map[string]string{"partition.keys": "dt;dt"}), true},
		{"all columns", "none is left", twoColumns, at(dir, map[string]string{"partition.keys": "dt;id"}), true},
		{"no default name", "partition.default-name", twoColumns, at(dir, map[string]string{"partition.default-name": ".."}), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := map[string]string{"format": "json", "partition.keys": "dt"}
			maps.Copy(given, c.given)
			var err error
			if c.sink {
				_, err = connector.Sink().Open(given, c.schema)
			} else {
				var s connectors.Source
				if s, err = connector.Source().Open(given, c.schema); err == nil {
					err = readAll(t, s, c.schema, nil, func(connectors.SplitID, *stream.Batch) {})
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainUser {
				t.Errorf("error %v of class %s, want %q", err, failure.ClassOf(err), c.want)
			}
		})
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "2024-01-01", "12:00", "%", "%4", "%41", "a/b", "\x00\x7f", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := escapeName(s)
		if got := unescapeName(name); got != s || strings.ContainsAny(name, "/\x00") {
			t.Errorf("%q is escaped as %q and comes back as %q", s, name, got)
		}
		_ = unescapeName(s)
	})
}
