package memory

import (
	"maps"
	"slices"

	"millrace/catalog"
)

// state is all catalogs at a moment. Its maps are shared with other states: who changes one copies it first.
type state struct {
	catalogs map[string]*space
	// temporary objects; functions are apart.
	tables    map[catalog.Path]catalog.Object
	functions map[catalog.Path]catalog.Object
}

// space is a catalog.
type space struct {
	about     catalog.Space
	databases map[string]*database
}

type database struct {
	about     catalog.Space
	tables    map[string]catalog.Object // and views
	functions map[string]catalog.Object
}

func newCatalog(about catalog.Space) *space {
	return &space{about: about, databases: map[string]*database{catalog.DefaultDatabase: {}}}
}

// with returns a copy of the map in which the key has the value.
func with[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	out := make(map[K]V, len(m)+1)
	maps.Copy(out, m)
	out[key] = value
	return out
}

// without returns a copy of the map that lacks the key.
func without[K comparable, V any](m map[K]V, key K) map[K]V {
	out := maps.Clone(m)
	delete(out, key)
	return out
}

// Lookup implements catalog.Snapshot.
func (s *state) Lookup(p catalog.Path) (catalog.Object, bool) {
	if o, ok := s.tables[p]; ok {
		return o, true
	}
	if d := s.database(p); d != nil {
		o, ok := d.tables[p.Name]
		return o, ok
	}
	return nil, false
}

// LookupFunction implements catalog.Snapshot.
func (s *state) LookupFunction(p catalog.Path) (*catalog.Function, bool) {
	o, ok := s.functions[p]
	if !ok {
		d := s.database(p)
		if d == nil {
			return nil, false
		}
		o, ok = d.functions[p.Name]
	}
	f, _ := o.(*catalog.Function)
	return f, ok && f != nil
}

// database returns that of a path, nil where there is none.
func (s *state) database(p catalog.Path) *database {
	if c := s.catalogs[p.Catalog]; c != nil {
		return c.databases[p.Database]
	}
	return nil
}

// Catalogs implements catalog.Snapshot.
func (s *state) Catalogs() []string { return slices.Sorted(maps.Keys(s.catalogs)) }

// Databases implements catalog.Snapshot.
func (s *state) Databases(name string) []string {
	if c := s.catalogs[name]; c != nil {
		return slices.Sorted(maps.Keys(c.databases))
	}
	return nil
}

// Objects implements catalog.Snapshot.
func (s *state) Objects(cat, db string) []string {
	var lasting map[string]catalog.Object
	if d := s.database(catalog.Path{Catalog: cat, Database: db}); d != nil {
		lasting = d.tables
	}
	return names(lasting, s.tables, cat, db)
}

// Functions implements catalog.Snapshot.
func (s *state) Functions(cat, db string) []string {
	var lasting map[string]catalog.Object
	if d := s.database(catalog.Path{Catalog: cat, Database: db}); d != nil {
		lasting = d.functions
	}
	return names(lasting, s.functions, cat, db)
}

func names(lasting map[string]catalog.Object, temporary map[catalog.Path]catalog.Object, cat, db string) []string {
	found := slices.Collect(maps.Keys(lasting))
	for p := range temporary {
		if p.Catalog == cat && p.Database == db {
			found = append(found, p.Name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
