package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// TestLookup: all lines of all files, once.
func TestLookup(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": `{"i":1}` + "\n" + `{"i":2}` + "\n", "b": `{"i":3}` + "\n", ".hidden": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var all connectors.Registry
	connector.Register(&all)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("no"), 0o644); err != nil {
		t.Fatal(err)
	}
	schema := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.Int)})
	load := func(given map[string]string) ([]string, error) {
		l, err := all.Lookup(Name, given, schema)
		if err != nil {
			return nil, err
		}
		var pool stream.Pool
		var rows []string
		err = l.Load(&pool, func(b *stream.Batch) error {
			rows = append(rows, streamtest.Rows(b)...)
			return nil
		})
		if n := pool.Live(); n != 0 {
			t.Errorf("%d buffers leak", n)
		}
		slices.Sort(rows)
		return rows, err
	}
	rows, err := load(map[string]string{"path": dir, "format": "json", "lookup.cache": "FULL"})
	if want := []string{"+I 1", "+I 2", "+I 3"}; err != nil || !slices.Equal(rows, want) {
		t.Errorf("%q, %v; want %q", rows, err, want)
	}
	for want, given := range map[string]map[string]string{
		"lookup.cache":     {"path": dir, "format": "json", "lookup.cache": "PARTIAL"},
		"path":             {"format": "json"},
		"no such file":     {"path": filepath.Join(dir, "none"), "format": "json"},
		"lookup table of ": {"path": bad, "format": "json"},
	} {
		if _, err := load(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", given, err, want)
		}
	}
	if _, err := all.Lookup("kafka", nil, schema); err == nil || !strings.Contains(err.Error(), "kafka") {
		t.Errorf("a connector without lookups: %v", err)
	}
}
