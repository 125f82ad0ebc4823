package nexmark_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"millrace/formats"
	formatjson "millrace/formats/json"
	"millrace/stream"
	"millrace/types"
)

// lines returns the lines of a compressed file of testdata.
func lines(t *testing.T, name string) [][]byte {
	t.Helper()
	packed, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	unpacker, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unpacker.Close()
	text, err := unpacker.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

// record is a row by the names of its columns. Numbers are json.Number.
type record map[string]any

// recordOf reads a row that is a JSON object.
func recordOf(t *testing.T, line []byte) record {
	t.Helper()
	var r record
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

// fraction is what follows the seconds of a time, without trailing zeros in front of $2.
var fraction = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d*[1-9])?)\.?0*$`)

// text is the same for rows that are equal: numbers and times by value.
func (r record) text(t *testing.T) string {
	t.Helper()
	out := make(map[string]any, len(r))
	for name, value := range r {
		out[name] = value
		switch v := value.(type) {
		case string:
			if m := fraction.FindStringSubmatch(v); m != nil {
				out[name] = m[1]
			}
		case json.Number:
			n, ok := new(big.Rat).SetString(v.String())
			if !ok {
				t.Fatalf("%s: %q is no number", name, v)
			}
			out[name] = json.RawMessage(`"` + n.RatString() + ` as a number"`)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// collected is the result of a query: its changes, carried out as they come.
type collected struct {
	encoder  formats.Encoder
	payloads formats.Payloads
	pool     stream.Pool
	mu       struct {
		sync.Mutex
		rows map[string]int // JSON
	}
}

func newCollected(t *testing.T, columns *types.Schema) *collected {
	t.Helper()
	e, err := formatjson.NewEncoder(columns, formatjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &collected{encoder: e}
	c.mu.rows = make(map[string]int)
	return c
}

// take carries changes out. A row is taken back only if it is there.
func (c *collected) take(b *stream.Batch) error {
	c.payloads.Reset()
	rows := b.Inserts(&c.pool) // JSON has no form for other kinds
	defer rows.Release()
	if err := c.encoder.Encode(rows, &c.payloads); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.payloads.Len() {
		row := string(c.payloads.At(i))
		if k := b.Kind(b.Row(i)); k == stream.Insert || k == stream.UpdateAfter {
			c.mu.rows[row]++
			continue
		}
		if c.mu.rows[row]--; c.mu.rows[row] < 0 {
			return fmt.Errorf("a change takes back what is not there: %s", row)
		}
	}
	return nil
}

// records returns the rows that are left.
func (c *collected) records(t *testing.T) (all []record) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range slices.Sorted(maps.Keys(c.mu.rows)) {
		for range c.mu.rows[row] {
			all = append(all, recordOf(t, []byte(row)))
		}
	}
	return all
}

// texts returns the texts of rows, sorted.
func texts(t *testing.T, rows []record) []string {
	t.Helper()
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.text(t)
	}
	slices.Sort(out)
	return out
}

// shownMax bounds how many of the rows that differ are printed.
const shownMax = 5

// compare says how two results differ, each as often as a row is there; "" means not at all.
func compare(t *testing.T, want, got []record) string {
	t.Helper()
	counts := make(map[string]int)
	for _, text := range texts(t, want) {
		counts[text]++
	}
	for _, text := range texts(t, got) {
		counts[text]--
	}
	var missing, extra []string
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		for range counts[text] {
			missing = append(missing, "- "+text)
		}
		for range -counts[text] {
			extra = append(extra, "+ "+text)
		}
	}
	if len(missing)+len(extra) == 0 {
		return ""
	}
	shown := slices.Concat(missing[:min(len(missing), shownMax)], extra[:min(len(extra), shownMax)])
	return fmt.Sprintf("want %d rows, got %d: %d are missing (-), %d too many (+)\n%s", len(want), len(got), len(missing), len(extra), strings.Join(shown, "\n"))
}

// TestComparesByValue has rows that are equal, and others.
func TestComparesByValue(t *testing.T) {
	row := func(line string) []record { return []record{recordOf(t, []byte(line))} }
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1.50,"b":"x"}`, `{"b":"x","a":15e-1}`, true},
		{`{"at":"2024-01-31 10:00:00.250"}`, `{"at":"2024-01-31 10:00:00.25"}`, true},
		{`{"at":"2024-01-31 10:00:00.000"}`, `{"at":"2024-01-31 10:00:00"}`, true},
		{`{"at":"2024-01-31 10:00:00.1"}`, `{"at":"2024-01-31 10:00:00.01"}`, false},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":null}`, `{}`, false},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
	} {
		if got := compare(t, row(c.a), row(c.b)) == ""; got != c.same {
			t.Errorf("%s and %s: the same is %v", c.a, c.b, got)
		}
	}
	if compare(t, slices.Concat(row(`{"a":1}`), row(`{"a":1}`)), row(`{"a":1}`)) == "" {
		t.Error("a row that is there twice is the same as one that is there once")
	}
}
