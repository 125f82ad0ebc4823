package inspect_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/cmd/command/inspect"
	"millrace/failure"
	"millrace/statebackend/columnar/rows"
)

// sample is a savepoint of format version 2: of counting bids by auction, at parallelism 2, stopped in its first window.
const sample = "d1480281d93c8dffad4da75b09c953d8/savepoint/00000000000000000011-ec5fdcbd8894"

const (
	sampleRows = 428
	sampleBids = 6477 // of 7,041 events
)

// copySample returns the folder of a copy of the sample.
func copySample(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/savepoint-v2")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, sample)
}

func open(t *testing.T, path string) *inspect.Source {
	t.Helper()
	s, err := inspect.Open(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSampleSummary(t *testing.T) {
	s := open(t, filepath.Join("testdata/savepoint-v2", sample))
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := s.Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Savepoint || got.Kind != "suspend" || got.Checkpoint != 11 || got.Previous != 0 || got.FormatVersion != 2 || len(got.Vertices) != 2 {
		t.Errorf("%+v", got)
	}
	bids, windows := got.Vertices[0], got.Vertices[1]
	if len(bids.Positions) != 2 || bids.Positions[0].Watermark == nil || len(bids.Tables) != 0 || bids.MaxParallelism != 128 {
		t.Errorf("%+v", bids)
	}
	if len(windows.Tables) != 1 || windows.KeyGroups != "0 to 127, all" || windows.Committables != 0 {
		t.Fatalf("%+v", windows)
	}
	if w := windows.Tables[0]; w.Operator != "window" || w.Name != "windows" || w.Rows != sampleRows || !w.Exact || w.Keys[0] != "BIGINT" {
		t.Errorf("%+v", w)
	}
}

func query(t *testing.T, path string, q inspect.Query) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := open(t, path).Rows(t.Context(), q, &out)
	return out.String(), err
}

func TestSampleRows(t *testing.T) {
	path := filepath.Join("testdata/savepoint-v2", sample)
	all, err := query(t, path, inspect.Query{Vertex: "windows", Table: "windows", Format: rows.JSON})
	if err != nil {
		t.Fatal(err)
	}
	keys, bids := make(map[int64]bool), int64(0)
	for line := range strings.Lines(all) {
		var row struct {
			Key, Rows, Namespace int64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		keys[row.Key] = true
		bids += row.Rows
	}
	if len(keys) != sampleRows || bids != sampleBids {
		t.Errorf("%d auctions with %d bids, want %d with %d", len(keys), bids, sampleRows, sampleBids)
	}
	some, err := query(t, path, inspect.Query{Vertex: "windows", Operator: "window", Table: "windows", Format: rows.Table, Limit: 3})
	if err != nil || strings.Count(some, "\n") != 4 || !strings.HasPrefix(some, "KEY_GROUP\tNAMESPACE\tKEY\tROWS\n") {
		t.Errorf("three rows: %v\n%s", err, some)
	}
	stream, err := query(t, path, inspect.Query{Vertex: "windows", Table: "windows", Format: rows.Arrow})
	if err != nil || len(stream) < sampleRows*8 {
		t.Errorf("an Arrow stream of %d bytes, %v", len(stream), err)
	}
}

// What is not there, or not what was written, is named; nothing panics.
func TestDamageIsNamed(t *testing.T) {
	rowsOf := inspect.Query{Vertex: "windows", Table: "windows", Format: rows.JSON}
	for name, q := range map[string]inspect.Query{
		"there are bids, windows":     {Vertex: "x", Table: "windows", Format: rows.JSON},
		"has no tables":               {Vertex: "bids", Table: "windows", Format: rows.JSON},
		"there are windows of window": {Vertex: "windows", Table: "x", Format: rows.JSON},
		"neither table nor json":      {Vertex: "windows", Table: "windows", Format: "csv"},
	} {
		if _, err := query(t, copySample(t), q); err == nil || !strings.Contains(err.Error(), name) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"", "/nowhere", "testdata", strings.Replace(copySample(t), "-", "-1", 1), "/nowhere/" + sample} {
		if _, err := inspect.Open(t.Context(), path, ""); err == nil || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%q: %v", path, err)
		}
	}
	damage := map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 4000) },
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"missing":   os.Remove,
		"a bit changed": func(path string) error {
			data, err := os.ReadFile(path)
			if err == nil {
				data[len(data)/2] ^= 8
				err = os.WriteFile(path, data, 0o600)
			}
			return err
		},
	}
	for name, do := range damage {
		path := copySample(t)
		var chunk string
		_ = filepath.WalkDir(filepath.Join(path, "chunk"), func(p string, e fs.DirEntry, _ error) error {
			if !e.IsDir() {
				chunk = p
			}
			return nil
		})
		if err := do(chunk); err != nil {
			t.Fatal(err)
		}
		if _, err := query(t, path, rowsOf); err == nil || !strings.Contains(err.Error(), filepath.Base(chunk)) {
			t.Errorf("rows, %s: %v", name, err)
		}
		if err := open(t, path).Verify(t.Context()); err == nil || !strings.Contains(err.Error(), filepath.Base(chunk)) {
			t.Errorf("verify, %s: %v", name, err)
		}
		if _, err := open(t, path).Summary(t.Context()); err == nil && name != "a bit changed" {
			t.Errorf("summary, %s: no error", name)
		}
	}
	path := copySample(t)
	for n := range 40 {
		if err := os.Truncate(filepath.Join(path, "manifest"), int64(1300-n*30)); err != nil {
			t.Fatal(err)
		}
		if _, err := inspect.Open(t.Context(), path, ""); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a manifest of %d bytes: %v", 1300-n*30, err)
		}
	}
}
