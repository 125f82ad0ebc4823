package memory

import (
	"fmt"
	"maps"
	"reflect"
	"unicode/utf8"

	"millrace/catalog"
	"millrace/internal/invariant"
)

// apply makes one change. The state is half changed after an error: the caller throws it away.
func (s *state) apply(c catalog.Change) error {
	switch c := c.(type) {
	case *catalog.CreateCatalog:
		return s.createCatalog(c)
	case *catalog.CreateDatabase:
		return s.createDatabase(c)
	case *catalog.Create:
		return s.create(c)
	case *catalog.Alter:
		return s.alter(c)
	case *catalog.Rename:
		return s.rename(c)
	case *catalog.Drop:
		return s.drop(c)
	case *catalog.DropDatabase:
		return s.dropDatabase(c)
	case *catalog.DropCatalog:
		return s.dropCatalog(c)
	case *catalog.Describe:
		return s.describe(c)
	default:
		return invariant.Failedf("catalog: change of unknown kind %T", c)
	}
}

func refuse(kind, name string, reason error, detail string) error {
	return &catalog.Error{Kind: kind, Name: name, Reason: reason, Detail: detail}
}

// checkName refuses names that nothing can have.
func checkName(kind, name string) error {
	switch {
	case name == "":
		return refuse(kind, "``", catalog.ErrInvalid, "the name is empty")
	case utf8.RuneCountInString(name) > catalog.NameCharsMax:
		return refuse(kind, catalog.Quoted(string([]rune(name)[:20]))+"...", catalog.ErrInvalid, fmt.Sprintf("a name has at most %d characters", catalog.NameCharsMax))
	default:
		return nil
	}
}

// checkRoom refuses one too many.
func checkRoom(kind, name string, have, most int) error {
	if have < most {
		return nil
	}
	return refuse(kind, name, catalog.ErrInvalid, fmt.Sprintf("there are %d already, the most that there may be", have))
}

func (s *state) createCatalog(c *catalog.CreateCatalog) error {
	name := catalog.Quoted(c.Name)
	if s.catalogs[c.Name] != nil {
		if c.IfNotExists {
			return nil
		}
		return refuse("CATALOG", name, catalog.ErrExists, "")
	}
	if err := checkName("CATALOG", c.Name); err != nil {
		return err
	}
	if err := checkRoom("CATALOG", name, len(s.catalogs), catalog.CatalogsMax); err != nil {
		return err
	}
	s.catalogs = with(s.catalogs, c.Name, newCatalog(c.Space))
	return nil
}

// catalogNamed returns a catalog that must be there.
func (s *state) catalogNamed(name string) (*space, error) {
	if c := s.catalogs[name]; c != nil {
		return c, nil
	}
	return nil, catalog.NotFound("CATALOG", catalog.Quoted(name), name, s.Catalogs())
}

// databaseNamed returns a database that must be there.
func (s *state) databaseNamed(cat, name string) (*database, error) {
	c, err := s.catalogNamed(cat)
	if err != nil {
		return nil, err
	}
	if d := c.databases[name]; d != nil {
		return d, nil
	}
	return nil, catalog.NotFound("DATABASE", databaseName(cat, name), name, s.Databases(cat))
}

func databaseName(cat, name string) string { return catalog.Quoted(cat) + "." + catalog.Quoted(name) }

// putDatabase puts a database in its place; nil removes it.
func (s *state) putDatabase(cat, name string, d *database) {
	c := *s.catalogs[cat]
	if d == nil {
		c.databases = without(c.databases, name)
	} else {
		c.databases = with(c.databases, name, d)
	}
	s.catalogs = with(s.catalogs, cat, &c)
}

func (s *state) createDatabase(c *catalog.CreateDatabase) error {
	in, err := s.catalogNamed(c.Catalog)
	if err != nil {
		return err
	}
	name := databaseName(c.Catalog, c.Name)
	if in.databases[c.Name] != nil {
		if c.IfNotExists {
			return nil
		}
		return refuse("DATABASE", name, catalog.ErrExists, "")
	}
	if err := checkName("DATABASE", c.Name); err != nil {
		return err
	}
	if err := checkRoom("DATABASE", name, len(in.databases), catalog.DatabasesMax); err != nil {
		return err
	}
	s.putDatabase(c.Catalog, c.Name, &database{about: c.Space})
	return nil
}

func (s *state) dropDatabase(c *catalog.DropDatabase) error {
	if in := s.catalogs[c.Catalog]; c.IfExists && (in == nil || in.databases[c.Name] == nil) {
		return nil
	}
	d, err := s.databaseNamed(c.Catalog, c.Name)
	if err != nil {
		return err
	}
	if n := len(d.tables) + len(d.functions); n > 0 && !c.Cascade {
		return &catalog.Error{
			Kind: "DATABASE", Name: databaseName(c.Catalog, c.Name), Reason: catalog.ErrNotEmpty,
			Detail: fmt.Sprintf("it has %d objects", n), Hint: "DROP DATABASE ... CASCADE drops them too",
		}
	}
	s.putDatabase(c.Catalog, c.Name, nil)
	return nil
}

func (s *state) dropCatalog(c *catalog.DropCatalog) error {
	if s.catalogs[c.Name] == nil && c.IfExists {
		return nil
	}
	if _, err := s.catalogNamed(c.Name); err != nil {
		return err
	}
	s.catalogs = without(s.catalogs, c.Name)
	return nil
}

func (s *state) describe(c *catalog.Describe) error {
	in, err := s.catalogNamed(c.Catalog)
	if err != nil {
		return err
	}
	if c.Database == "" {
		next := *in
		next.about = described(in.about, c)
		s.catalogs = with(s.catalogs, c.Catalog, &next)
		return nil
	}
	d, err := s.databaseNamed(c.Catalog, c.Database)
	if err != nil {
		return err
	}
	next := *d
	next.about = described(d.about, c)
	s.putDatabase(c.Catalog, c.Database, &next)
	return nil
}

func described(was catalog.Space, c *catalog.Describe) catalog.Space {
	next := catalog.Space{Comment: was.Comment, Options: make(map[string]string, len(was.Options)+len(c.Set))}
	if c.Comment != nil {
		next.Comment = *c.Comment
	}
	maps.Copy(next.Options, was.Options)
	maps.Copy(next.Options, c.Set)
	for _, key := range c.Reset {
		delete(next.Options, key)
	}
	return next
}

// place is where an object is or would be.
type place struct {
	path      catalog.Path
	function  bool
	temporary bool
	object    catalog.Object // nil if there is none
}

// at returns the place of a path among the temporary or the lasting objects. The database of a lasting one must be there.
func (s *state) at(p catalog.Path, function, temporary bool) (place, error) {
	at := place{path: p, function: function, temporary: temporary}
	if temporary {
		at.object = s.tables[p]
		if function {
			at.object = s.functions[p]
		}
		return at, nil
	}
	d, err := s.databaseNamed(p.Catalog, p.Database)
	if err != nil {
		return at, err
	}
	at.object = d.tables[p.Name]
	if function {
		at.object = d.functions[p.Name]
	}
	return at, nil
}

// put fills a place; nil empties it.
func (s *state) put(at place, o catalog.Object) {
	if at.temporary {
		into := &s.tables
		if at.function {
			into = &s.functions
		}
		*into = changed(*into, at.path, o)
		return
	}
	d := *s.database(at.path)
	if at.function {
		d.functions = changed(d.functions, at.path.Name, o)
	} else {
		d.tables = changed(d.tables, at.path.Name, o)
	}
	s.putDatabase(at.path.Catalog, at.path.Database, &d)
}

func changed[K comparable](m map[K]catalog.Object, key K, o catalog.Object) map[K]catalog.Object {
	if o == nil {
		return without(m, key)
	}
	return with(m, key, o)
}

// count is how many objects share the place's map.
func (s *state) count(at place) int {
	switch {
	case at.temporary && at.function:
		return len(s.functions)
	case at.temporary:
		return len(s.tables)
	case at.function:
		return len(s.database(at.path).functions)
	default:
		return len(s.database(at.path).tables)
	}
}

func pathName(p catalog.Path) string {
	if p.Catalog == "" && p.Database == "" {
		return catalog.Quoted(p.Name)
	}
	return p.String()
}

func (s *state) create(c *catalog.Create) error {
	kind := c.Object.ObjectKind()
	at, err := s.at(c.Path, kind == "FUNCTION", c.Temporary)
	if err != nil {
		return err
	}
	if err := checkName(kind, c.Path.Name); err != nil {
		return err
	}
	switch {
	case at.object == nil && c.Existing == catalog.MustExist:
		return catalog.NotFound(kind, pathName(c.Path), c.Path.Name, s.known(at))
	case at.object == nil:
		if err := checkRoom(kind, pathName(c.Path), s.count(at), catalog.ObjectsMax); err != nil {
			return err
		}
	case c.Existing == catalog.Keep:
		return nil
	case c.Existing == catalog.Refuse:
		return refuse(at.object.ObjectKind(), pathName(c.Path), catalog.ErrExists, "")
	case at.object.ObjectKind() != kind:
		return refuse(at.object.ObjectKind(), pathName(c.Path), catalog.ErrExists, "it is no "+kind)
	}
	s.put(at, c.Object)
	return nil
}

// known are the names that could have been meant instead of the place's.
func (s *state) known(at place) []string {
	if at.function {
		return s.Functions(at.path.Catalog, at.path.Database)
	}
	return s.Objects(at.path.Catalog, at.path.Database)
}

// found returns the place of an object that is there, temporary ones first.
func (s *state) found(p catalog.Path, kind string) (place, error) {
	function := kind == "FUNCTION"
	if at, _ := s.at(p, function, true); at.object != nil {
		return at, nil
	}
	at, err := s.at(p, function, false)
	if err == nil && at.object == nil {
		err = catalog.NotFound(kind, pathName(p), p.Name, s.known(at))
	}
	return at, err
}

func (s *state) alter(c *catalog.Alter) error {
	at, err := s.found(c.Path, c.Was.ObjectKind())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(at.object, c.Was) {
		return refuse(c.Was.ObjectKind(), pathName(c.Path), catalog.ErrChanged, "")
	}
	s.put(at, c.Object)
	return nil
}

func (s *state) rename(c *catalog.Rename) error {
	at, err := s.found(c.Path, c.Kind)
	switch {
	case err != nil && c.IfExists:
		return nil
	case err != nil:
		return err
	case at.object.ObjectKind() != c.Kind:
		return wrongKind(at, c.Kind)
	}
	if err := checkName(c.Kind, c.To); err != nil {
		return err
	}
	to := c.Path
	to.Name = c.To
	target, err := s.at(to, at.function, at.temporary)
	if err != nil {
		return err
	}
	if target.object != nil {
		return refuse(target.object.ObjectKind(), pathName(to), catalog.ErrExists, "")
	}
	s.put(target, at.object)
	s.put(at, nil)
	return nil
}

// wrongKind is the error of a view that is meant to be a table, and such.
func wrongKind(at place, want string) error {
	return &catalog.Error{
		Kind: want, Name: pathName(at.path), Reason: catalog.ErrNotFound,
		Detail: "it is a " + at.object.ObjectKind(), Hint: "say " + at.object.ObjectKind(),
	}
}

func (s *state) drop(c *catalog.Drop) error {
	function := c.Kind == "FUNCTION"
	hidden, _ := s.at(c.Path, function, true)
	if !c.Temporary && hidden.object != nil && hidden.object.ObjectKind() == c.Kind {
		return &catalog.Error{Kind: c.Kind, Name: pathName(c.Path), Reason: catalog.ErrShadowed, Hint: "DROP TEMPORARY " + c.Kind + " first"}
	}
	at := hidden
	if !c.Temporary {
		var err error
		if at, err = s.at(c.Path, function, false); err != nil && !c.IfExists {
			return err
		}
	}
	switch {
	case at.object == nil && c.IfExists:
		return nil
	case at.object == nil:
		return catalog.NotFound(c.Kind, pathName(c.Path), c.Path.Name, s.known(at))
	case at.object.ObjectKind() != c.Kind:
		return wrongKind(at, c.Kind)
	}
	s.put(at, nil)
	return nil
}
