package files

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/failure"
	"millrace/formats"
	"millrace/formats/json"
	"millrace/formats/raw"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/options"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var connector = &Connector{Formats: formats.Registry{
	"json": {
		Options: json.Spec.Prefixed("json."),
		Decoder: func(s *types.Schema, v options.Values) (formats.Decoder, error) {
			return json.NewDecoder(s, json.OptionsOf(v, "json."))
		},
		Encoder: func(s *types.Schema, v options.Values) (formats.Encoder, error) {
			return json.NewEncoder(s, json.OptionsOf(v, "json."))
		},
	},
	"raw": {
		Decoder: func(s *types.Schema, _ options.Values) (formats.Decoder, error) { return raw.NewDecoder(s) },
		Encoder: func(s *types.Schema, _ options.Values) (formats.Encoder, error) { return raw.NewEncoder(s) },
	},
	"none": {},
}}

var (
	schema = types.NewSchema(
		types.Field{Name: "id", Type: types.Of(types.BigInt)},
		types.Field{Name: "name", Type: types.StringType()},
		types.Field{Name: "at", Type: types.TimestampOf(3)},
	)
	text = types.NewSchema(types.Field{Name: "line", Type: types.StringType()})
)

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func openSource(t *testing.T, s *types.Schema, given map[string]string) connectors.Source {
	t.Helper()
	source, err := connector.Source().Open(given, s)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// openSink opens a sink with the options of all maps.
func openSink(t *testing.T, s *types.Schema, given ...map[string]string) connectors.Sink {
	t.Helper()
	all := map[string]string{}
	for _, g := range given {
		maps.Copy(all, g)
	}
	opened, err := connector.Sink().Open(all, s)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestSourceConformance(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for f, lines := range []int{40, 0, 200, 3} {
		var b strings.Builder
		for i := range lines {
			fmt.Fprintf(&b, `{"id":%d,"name":"%s","at":"2024-01-01 00:00:0%d"}%s`, i, strings.Repeat("x", i%30), f, []string{"\n", "\r\n"}[i%2])
			want = append(want, fmt.Sprintf("+I %d '%s' 2024-01-01 00:00:0%d.000", i, strings.Repeat("x", i%30), f))
		}
		write(t, dir, fmt.Sprintf("sub%d/part-%d", f%2, f), b.String())
	}
	write(t, dir, "no-last-line-end", `{"id":7}`)
	want = append(want, "+I 7 NULL NULL")
	write(t, dir, ".hidden", "not read")
	write(t, dir, "_SUCCESS", "not read")
	write(t, dir, "part-1.inprogress", "not read")
	write(t, dir, ".staging/part-1", "not read")
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(t *testing.T) connectors.Source {
			return openSource(t, schema, map[string]string{"path": dir, "format": "json"})
		},
		Schema: schema, Want: want, Ordered: true,
	})
}

// Lines of all lengths around the size of a piece, more than a reader reads ahead.
func TestLinesAcrossPieces(t *testing.T) {
	dir := t.TempDir()
	for f, sizes := range [][]int{{chunkBytes - 1, chunkBytes, chunkBytes + 1, 5, 3 * chunkBytes}, {1, 2 * chunkBytes, 0, chunkBytes / 2, chunkBytes / 2, 9}} {
		var b strings.Builder
		for i, n := range sizes {
			b.WriteString(strings.Repeat(string(rune('a'+i)), n) + "\n")
		}
		write(t, dir, fmt.Sprint("f", f), b.String())
	}
	got := lengths(t, openSource(t, text, map[string]string{"path": dir, "format": "raw"}))
	want := map[connectors.SplitID][]int{
		"f0": {chunkBytes - 1, chunkBytes, chunkBytes + 1, 5, 3 * chunkBytes},
		"f1": {1, 2 * chunkBytes, 0, chunkBytes / 2, chunkBytes / 2, 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lengths of lines (-want +got):\n%s", diff)
	}
}

func lengths(t *testing.T, source connectors.Source) map[connectors.SplitID][]int {
	t.Helper()
	got := map[connectors.SplitID][]int{}
	r := readAll(t, source, text, nil, func(id connectors.SplitID, b *stream.Batch) {
		for i := range b.Rows() {
			got[id] = append(got[id], len(b.Columns[0].Bytes(b.Row(i))))
		}
	})
	if r != nil {
		t.Fatal(r)
	}
	return got
}

// deadLetters notes what is put aside.
type deadLetters []string

func (d *deadLetters) Put(l connectors.DeadLetter) {
	*d = append(*d, fmt.Sprintf("%s %s %q", l.Split, l.Position, l.Raw))
}

// readAll reads everything in one reader, up to the first error.
func readAll(t *testing.T, source connectors.Source, s *types.Schema, dead connectors.DeadLetters, take func(connectors.SplitID, *stream.Batch)) error {
	t.Helper()
	var pool stream.Pool
	woken := make(waker, 1)
	m := new(metrics.Task)
	r, err := source.Reader(connectors.ReaderContext{
		Schema: s, Pool: &pool, Clock: clock.System(), Waker: woken, Dead: dead, RowsMax: stream.RowsMax, Metrics: m,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := r.Close(); err != nil || pool.Live() != 0 {
			t.Errorf("close: %v, %d buffers left", err, pool.Live())
		}
	}()
	e, err := source.Enumerator(connectors.EnumeratorContext{Identity: connectors.Identity{Parallelism: 1}, Clock: clock.System()})
	if err != nil {
		return err
	}
	a, err := e.Start(t.Context())
	if err != nil {
		return err
	}
	if err := r.Assign(a[0].Splits); err != nil {
		return err
	}
	r.NoMoreSplits()
	for {
		b, status, err := r.Read()
		switch {
		case err != nil:
			return err
		case b != nil:
			take(a[0].Splits[b.Split].ID, b)
			b.Release()
		case status == connectors.Done:
			return nil
		case status == connectors.Dry:
			<-woken
		}
	}
}

type waker chan struct{}

func (w waker) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

func TestOnError(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "{\"id\":1}\n{\"id\":oops}\n{\"id\":2}\nnothing\n")
	ids := types.NewSchema(schema.Fields[0])
	for _, c := range []struct {
		onError string
		rows    []string
		dead    []string
		err     string
	}{
		{"fail", nil, nil, "file f, byte 9: "},
		{"skip", []string{"+I 1", "+I 2"}, nil, ""},
		{"dead-letter", []string{"+I 1", "+I 2"}, []string{`f file f, byte 9 "{\"id\":oops}"`, `f file f, byte 30 "nothing"`}, ""},
	} {
		t.Run(c.onError, func(t *testing.T) {
			var rows []string
			var dead deadLetters
			source := openSource(t, ids, map[string]string{"path": dir, "format": "json", "on-error": c.onError})
			err := readAll(t, source, ids, &dead, func(_ connectors.SplitID, b *stream.Batch) { rows = append(rows, streamtest.Rows(b)...) })
			if (err != nil) != (c.err != "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			var at *connectors.PositionError
			if err != nil && (!errors.As(err, &at) || failure.ClassOf(err).Domain != failure.DomainUser) {
				t.Errorf("error of type %T and class %s", err, failure.ClassOf(err))
			}
			if diff := cmp.Diff(c.rows, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.dead, []string(dead)); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneFileIsASourceToo(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", "1\n2\n")
	write(t, dir, "b", "3\n")
	got := lengths(t, openSource(t, text, map[string]string{"path": filepath.Join(dir, "a"), "format": "raw"}))
	if diff := cmp.Diff(map[connectors.SplitID][]int{"a": {1, 1}}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		"/data/x/": "/data/x", "data": "data", "file:///data/x": "/data/x", "file:/data/x": "/data/x", "/data/a:b": "/data/a:b", "a:b": "a:b",
		"s3://bucket/x": "", "file://host/x": "", "file:x": "",
	} {
		got, err := pathOf(text)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s is %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, "secret", "x\n")
	write(t, dir, "a", "1\n")
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	opened := openSource(t, text, map[string]string{"path": dir, "format": "raw"})
	if got := lengths(t, opened); len(got) != 1 {
		t.Errorf("read %v", got)
	}
	// Nor does a name in restored state that leads through one.
	f := newFetcher(opened.(*source), make(waker, 1))
	defer f.close()
	if c := f.read(&fetch{file: file{name: "link", end: 2}}); c.err == nil {
		t.Error("a link out of the directory was followed")
	}
}

func TestBadSources(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "1\n2\n3\n")
	for _, c := range []struct {
		name   string
		given  map[string]string
		domain failure.Domain
		want   string
	}{
		{"no path", map[string]string{"format": "raw"}, failure.DomainUser, "path"},
		{"no format", map[string]string{"path": dir}, failure.DomainUser, "format"},
		{"unknown format", map[string]string{"path": dir, "format": "yaml"}, failure.DomainUser, "known are json, none, raw"},
		{"one way", map[string]string{"path": dir, "format": "none"}, failure.DomainUser, "can't be read"},
		{"unknown option", map[string]string{"path": dir, "format": "json", "json.ignore-parse-error": "true"}, failure.DomainUser, "json.ignore-parse-errors"},
		{"no such directory", map[string]string{"path": filepath.Join(dir, "x"), "format": "raw"}, failure.DomainExternal, "no such file"},
		{"nothing takes dead letters", map[string]string{"path": dir, "format": "raw", "on-error": "dead-letter"}, failure.DomainUser, "dead letters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source, err := connector.Source().Open(c.given, text)
			if err == nil {
				err = readAll(t, source, text, nil, func(connectors.SplitID, *stream.Batch) {})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != c.domain {
				t.Errorf("error %v of class %s, want %q", err, failure.ClassOf(err), c.want)
			}
		})
	}
}

func TestAFileThatBecameShorter(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "1\n")
	f := newFetcher(openSource(t, text, map[string]string{"path": dir, "format": "raw"}).(*source), make(waker, 1))
	defer f.close()
	if c := f.read(&fetch{file: file{name: "f", end: 10}}); c.err == nil || failure.ClassOf(c.err).Retry != failure.Never {
		t.Errorf("error %v", c.err)
	}
}

// visible reads what the sink has committed.
func visible(t *testing.T, dir string, s *types.Schema) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	d, err := json.NewDecoder(s, json.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	rows := formats.NewRows(&pool, s, 16)
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSuffix(content, []byte{'\n'}), []byte{'\n'})
		if _, err := d.Decode(lines, rows, 1<<20); err != nil {
			t.Fatalf("%s: %v", e.Name(), err)
		}
	}
	b := rows.Finish()
	defer b.Release()
	return streamtest.Rows(b)
}

func TestSinkConformance(t *testing.T) {
	connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
		dir := filepath.Join(t.TempDir(), "out")
		s, err := connector.Sink().Open(map[string]string{"path": dir, "format": "json"}, schema)
		if err != nil {
			t.Fatal(err)
		}
		return connectortest.SinkCase{
			Sink: s, Schema: schema, Visible: func(t *testing.T) []string { return visible(t, dir, schema) },
		}
	})
}

// committed prepares a file that a committer can work on.
func committed(t *testing.T, given map[string]string) (dir string, c connectors.Committer, e epochFiles) {
	t.Helper()
	dir = t.TempDir()
	s := openSink(t, twoColumns, map[string]string{"path": dir, "format": "json"}, given)
	c, err := s.Committer(connectors.CommitterContext{Identity: connectors.Identity{Job: "j", Operator: "o", Attempt: 7}})
	if err != nil {
		t.Fatal(err)
	}
	id := connectors.Identity{Job: "j", Operator: "o", Attempt: 6, Parallelism: 1}
	e = epochFiles{writer: id, checkpoint: 3, watermark: stream.NoWatermark, files: []epochFile{{dir: ".", staged: 0}}}
	if len(s.(*sink).keys) > 0 {
		e.files[0].dir = "dt=2024-01-01"
	}
	return dir, c, e
}

// Wherever a commit stops, the next one ends it.
func TestCommitFromEveryState(t *testing.T) {
	for _, c := range []struct {
		name   string
		names  func(m move) []string // names of one file
		others func(m move) []string // of another file
		ok     bool
	}{
		{"staged", func(m move) []string { return []string{m.staged} }, nil, true},
		{"directory made", func(m move) []string { return []string{m.staged} }, func(m move) []string { return []string{path.Join(path.Dir(m.final), ".other")} }, true},
		{"linked", func(m move) []string { return []string{m.staged, m.final} }, nil, true},
		{"done", func(m move) []string { return []string{m.final} }, nil, true},
		{"lost", nil, nil, false},
		{"taken", func(m move) []string { return []string{m.staged} }, func(m move) []string { return []string{m.final} }, false},
	} {
		for layout, given := range map[string]map[string]string{"flat": nil, "partitioned": {"partition.keys": "dt"}} {
			t.Run(c.name+", "+layout, func(t *testing.T) {
				dir, committer, e := committed(t, given)
				m := e.moves()[0]
				for content, names := range map[string]func(move) []string{"right\n": c.names, "wrong\n": c.others} {
					if names != nil {
						named(t, dir, content, names(m))
					}
				}
				err := committer.Commit(t.Context(), 3, [][]byte{e.encode()})
				if !c.ok {
					if failure.ClassOf(err) != (failure.Class{Domain: failure.DomainExternal, Retry: failure.Never}) || !strings.Contains(err.Error(), m.final) {
						t.Errorf("error %v", err)
					}
					return
				}
				content, readErr := os.ReadFile(filepath.Join(dir, m.final))
				if err != nil || readErr != nil || string(content) != "right\n" {
					t.Errorf("commit: %v; file: %q, %v", err, content, readErr)
				}
				if _, err := os.Stat(filepath.Join(dir, m.staged)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the staged name is left: %v", err)
				}
			})
		}
	}
}

// named makes a file with some names.
func named(t *testing.T, dir, content string, names []string) {
	t.Helper()
	for i, name := range names {
		if i == 0 {
			write(t, dir, name, content)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, names[0]), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecoverRemovesOnlyItsOwnLeftovers(t *testing.T) {
	dir, committer, _ := committed(t, nil)
	own := connectors.Identity{Job: "j", Operator: "o", Attempt: 6}
	later, other := own, own
	later.Attempt, other.Operator = 8, "o-2"
	write(t, dir, stagedName(own, 0), "x")
	kept := []string{stagedName(later, 0), stagedName(other, 0), "part-of-somebody" + inProgress, "data"}
	for _, name := range kept {
		write(t, dir, name, "x")
	}
	if err := committer.Recover(t.Context(), 0, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(kept)
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"job":       "job",
		"a-b/../c":  "a%2Db%2F%2E%2E%2Fc",
		"":          "",
		"Zü":        "Z%C3%BC",
		"under_bar": "under_bar",
	} {
		if got := escape(in); got != want {
			t.Errorf("%q is escaped as %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("x", 300)
	if a, b := escape(long), escape(long+"y"); a == b || len(a) > 100 {
		t.Errorf("long names %s and %s", a, b)
	}
}

func TestRowsThatAreNoLine(t *testing.T) {
	s, err := connector.Sink().Open(map[string]string{"path": t.TempDir(), "format": "raw"}, text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Writer(connectors.WriterContext{Schema: text, Waker: make(waker, 1), Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	var pool stream.Pool
	rows := stream.NewBuilder(&pool, text.Fields[0].Type, 1)
	rows.AppendString("two\nlines")
	b := pool.NewBatch(text, 1)
	b.Columns[0] = rows.Finish()
	defer b.Release()
	if err := w.Write(b); failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("error %v", err)
	}
}

func TestADiskThatFails(t *testing.T) {
	dir := t.TempDir()
	s, err := connector.Sink().Open(map[string]string{"path": dir, "format": "raw"}, text)
	if err != nil {
		t.Fatal(err)
	}
	woken := make(waker, 1)
	id := connectors.Identity{Job: "j", Operator: "o", Attempt: 1}
	w, err := s.Writer(connectors.WriterContext{Identity: id, Schema: text, Waker: woken, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	write(t, dir, stagedName(id, 0), "in the way")
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, text, "'x'")
	defer b.Release()
	if err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Prepare(1); err != nil {
		t.Fatal(err)
	}
	for {
		_, done, err := w.Prepared(1)
		if done {
			if !errors.Is(err, fs.ErrExist) || failure.ClassOf(err).Domain != failure.DomainExternal {
				t.Errorf("error %v", err)
			}
			return
		}
		<-woken
	}
}

func FuzzState(f *testing.F) {
	f.Add(file{name: "a/b", next: 3, end: 9}.state().State)
	f.Add(appendText(appendText([]byte{stateVersion}, ".x"), "y"))
	e := epochFiles{writer: connectors.Identity{Job: "j", Operator: "o", Attempt: 3, Subtask: 1, Parallelism: 2}, checkpoint: 9, watermark: -5}
	e.files = []epochFile{{dir: "dt=1/hm=2", staged: 7, ordinal: 1}, {dir: "."}}
	f.Add(e.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if v, err := fileOf(connectors.SplitState{State: p}); err == nil {
			if again, err := fileOf(v.state()); err != nil || again != v {
				t.Errorf("%v comes back as %v, %v", v, again, err)
			}
		}
		if _, _, err := movesOf([][]byte{p}); err == nil && len(p) == 0 {
			t.Error("nothing is a committable")
		}
		if v, err := epochFilesOf(p); err == nil {
			if again, err := epochFilesOf(v.encode()); err != nil || !reflect.DeepEqual(again, v) {
				t.Errorf("%v comes back as %v, %v", v, again, err)
			}
		}
	})
}

// What each version of a committable says, byte by byte: checkpoints have them.
func TestCommittablesOfAllVersions(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want []move
	}{
		{"01022e780179", []move{{".x", "y"}}},
		{"02016a016f03010209" + "09" + "02" + "0464743d31" + "07" + "01" + "012e" + "08" + "00", []move{
			{".part-j-o-3-00001-7.inprogress", "dt=1/part-j-o-00001-000000000009-1"},
			{".part-j-o-3-00001-8.inprogress", "part-j-o-00001-000000000009"},
		}},
	} {
		p, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := movesOf([][]byte{p})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s is %v, %v; want %v", c.hex, got, err, c.want)
		}
		if e, err := epochFilesOf(p); err == nil && !bytes.Equal(e.encode(), p) {
			t.Errorf("%s is written as %x", c.hex, e.encode())
		}
	}
}
