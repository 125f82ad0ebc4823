// Package catalogtest has the conformance suite of catalog.Store: every implementation runs it.
package catalogtest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"millrace/catalog"
	"millrace/failure"
	"millrace/types"
)

// Run tests a store. open returns an empty one: with DefaultCatalog and DefaultDatabase and nothing else.
func Run(t *testing.T, open func(t *testing.T) catalog.Store) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := open(t)
			for i, step := range c.steps {
				step.run(t, i, store)
			}
		})
	}
	t.Run("a snapshot does not change", func(t *testing.T) { testSnapshotStays(t, open(t)) })
	t.Run("all changes or none", func(t *testing.T) { testAllOrNothing(t, open(t)) })
}

// step is changes and what comes of them.
type step struct {
	changes []catalog.Change
	err     error    // the reason; nil for success
	texts   []string // of the error
	objects []string // of the default database after it, with their kinds; nil is not asked
}

func (s *step) run(t *testing.T, i int, store catalog.Store) {
	t.Helper()
	err := store.Apply(t.Context(), s.changes...)
	if !errors.Is(err, s.err) || (err == nil) != (s.err == nil) {
		t.Fatalf("step %d: got error %v, want %v", i, err, s.err)
	}
	if err != nil && failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("step %d: %v is not the user's", i, err)
	}
	for _, text := range s.texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("step %d: error %q lacks %q", i, err, text)
		}
	}
	if s.objects != nil {
		if got := listing(t, store); !slices.Equal(got, s.objects) {
			t.Errorf("step %d: objects %v, want %v", i, got, s.objects)
		}
	}
}

// listing returns the objects of the default database as "name KIND comment".
func listing(t *testing.T, store catalog.Store) []string {
	t.Helper()
	snap, err := store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, name := range snap.Objects(catalog.DefaultCatalog, catalog.DefaultDatabase) {
		o, ok := snap.Lookup(at(name))
		if !ok {
			t.Fatalf("%s is listed and not found", name)
		}
		text := name + " " + o.ObjectKind()
		if table, ok := o.(*catalog.Table); ok {
			text += " " + table.Comment
		}
		out = append(out, text)
	}
	for _, name := range snap.Functions(catalog.DefaultCatalog, catalog.DefaultDatabase) {
		f, ok := snap.LookupFunction(at(name))
		if !ok {
			t.Fatalf("function %s is listed and not found", name)
		}
		out = append(out, name+" FUNCTION "+f.Name)
	}
	return out
}

func at(name string) catalog.Path {
	return catalog.Path{Catalog: catalog.DefaultCatalog, Database: catalog.DefaultDatabase, Name: name}
}

func table(comment string) *catalog.Table {
	return &catalog.Table{
		Columns: []catalog.Column{{Name: "a", Type: types.Of(types.Int)}},
		Options: map[string]string{"connector": "x"}, Comment: comment,
	}
}

func create(name, comment string) *catalog.Create {
	return &catalog.Create{Path: at(name), Object: table(comment)}
}

func testSnapshotStays(t *testing.T, store catalog.Store) {
	before, err := store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Apply(t.Context(), create("t", "")); err != nil {
		t.Fatal(err)
	}
	between, err := store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Apply(t.Context(), &catalog.Drop{Path: at("t"), Kind: "TABLE"}, &catalog.CreateCatalog{Name: "more"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := before.Lookup(at("t")); ok {
		t.Error("a snapshot has what was created after it")
	}
	if _, ok := between.Lookup(at("t")); !ok {
		t.Error("a snapshot lacks what was dropped after it")
	}
	if got := between.Catalogs(); !slices.Equal(got, []string{catalog.DefaultCatalog}) {
		t.Errorf("a snapshot has catalogs %v", got)
	}
}

func testAllOrNothing(t *testing.T, store catalog.Store) {
	err := store.Apply(t.Context(), create("kept", ""), create("kept", ""))
	if !errors.Is(err, catalog.ErrExists) {
		t.Fatalf("two of one name: %v", err)
	}
	if got := listing(t, store); len(got) != 0 {
		t.Errorf("a refused Apply left %v", got)
	}
}
