package columnar

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/statebackend"
	"millrace/types"
)

// TestFormatDescribed reads files of version 2 that say what columns and entries are for, as they are written since tables evolve.
// They are never written anew: a change that can't read them needs a version.
func TestFormatDescribed(t *testing.T) {
	_, base, delta := evolvedFiles(t)
	s := newStore(sampleSpec())
	if err := declareAs(s, shapeList, nil, true, intColumn, listOfInts, columnOf("row", types.RowOf(types.Field{Name: "m", Type: types.MapOf(types.StringType(), types.Of(types.Int))}))); err != nil {
		t.Fatal(err)
	}
	if err := s.tables[0].list.Set([][]byte{[]byte("1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OrderedMap(statebackend.OrderedMapSpec{ID: statebackend.TableID{Operator: "counter", Name: "map"}, Keys: oneKey, Orders: []statebackend.ColumnSpec{intColumn}}); err != nil {
		t.Fatal(err)
	}
	entries := writeFrozen(t, s)
	if os.Getenv("MILLRACE_REWRITE") == "v2-described" {
		for name, data := range map[string][]byte{"base": base, "delta": delta, "entries": entries} {
			if err := os.WriteFile("testdata/v2-described-"+name+".mrst", data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range []struct {
		name string
		now  []byte
	}{{"base", base}, {"delta", delta}, {"entries", entries}} {
		data, err := os.ReadFile("testdata/v2-described-" + f.name + ".mrst")
		if err != nil {
			t.Fatal(err)
		}
		had, err := ReadLayout(t.Context(), []statebackend.File{bytesFile{f.name, data}})
		if err != nil {
			t.Fatal(err)
		}
		now, err := ReadLayout(t.Context(), []statebackend.File{bytesFile{f.name, f.now}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(now, had); diff != "" {
			t.Errorf("%s: %s", f.name, diff)
		}
	}
	chain := sampleChain(t, "v2-described")
	spec := sampleSpec()
	spec.Restore = [][]statebackend.File{chain}
	x, err := New().Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := declareAs(x, shapeValue, oneKey, true, columnOf("visits", types.Of(types.BigInt)), flagOf("visits")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]uint64{{0, 1}, {0, 1}, {9, 0}}, rowsOf(t, x.(*store), 3)); diff != "" {
		t.Error(diff)
	}
}
