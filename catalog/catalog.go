// Package catalog is the contract of the metadata centre: catalogs with databases, in which tables, views and functions
// have names. What stands here is data and how to look it up; where it is kept (memory, etcd) is an implementation's
// business.
//
// Definitions keep expressions and queries as text: they outlive the program that parsed them. They are immutable
// once they are in a catalog; whoever changes one puts a new one in its place.
package catalog

import (
	"fmt"
	"strings"

	"millrace/types"
)

// Names that stand where a statement names none, Flink's.
const (
	DefaultCatalog  = "default_catalog"
	DefaultDatabase = "default_database"
)

// Path is the full name of an object. Case counts.
type Path struct {
	Catalog, Database, Name string
}

// String prints the path with backquotes where a part needs them.
func (p Path) String() string {
	return strings.Join([]string{Quoted(p.Catalog), Quoted(p.Database), Quoted(p.Name)}, ".")
}

// Quoted returns an identifier as SQL has it: in backquotes if a character of it asks for them. Keywords stay as they are.
func Quoted(name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) && (name[0] < '0' || name[0] > '9')
	if plain {
		return name
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// ColumnKind tells where a column's values come from.
type ColumnKind uint8

// The kinds of columns.
const (
	Physical ColumnKind = iota // of the record
	Metadata                   // of what surrounds the record, by MetadataKey
	Computed                   // of other columns, by Expr
)

// Column is a column of a table.
type Column struct {
	Name string
	Kind ColumnKind
	// Type is that of a physical or metadata column; a computed one has that of its expression.
	Type types.Type
	// MetadataKey is how the connector calls a metadata column; Virtual ones are not written.
	MetadataKey string
	Virtual     bool
	Expr        string
	Comment     string
}

// Watermark is WATERMARK FOR Column AS Expr.
type Watermark struct {
	Column string
	Expr   string
}

// Table is a table as CREATE TABLE defines it.
type Table struct {
	Columns       []Column
	Watermark     *Watermark // nil: the table has no event time
	PrimaryKey    []string   // names of columns; not enforced
	PartitionedBy []string
	Options       map[string]string // those of WITH, connector among them
	Comment       string
}

// Column returns the column of that name, nil where there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// View is a stored query. Names in Query are complete: where the view was created no longer matters.
type View struct {
	Columns []string // of the query's result; none: as the query calls them
	Query   string
	Comment string
}

// Function is a user's function, known by the name that its code was registered under.
type Function struct {
	Name     string
	Language string
}

// Object is a *Table, *View or *Function.
type Object interface {
	// ObjectKind returns TABLE, VIEW or FUNCTION.
	ObjectKind() string
}

// ObjectKind implements Object.
func (*Table) ObjectKind() string { return "TABLE" }

// ObjectKind implements Object.
func (*View) ObjectKind() string { return "VIEW" }

// ObjectKind implements Object.
func (*Function) ObjectKind() string { return "FUNCTION" }

// Snapshot is what a statement sees of all catalogs: it does not change while the statement is planned. It may be
// used by any number of goroutines.
type Snapshot interface {
	// Lookup returns the object of a path: a temporary one before another of the same path. Functions have
	// paths of their own beside tables and views. Where the object is not there, or not known to the snapshot yet, ok is false.
	Lookup(Path) (o Object, ok bool)
	LookupFunction(Path) (f *Function, ok bool)
	// Catalogs, Databases and Objects list names in order, temporary objects included.
	Catalogs() []string
	Databases(catalog string) []string
	Objects(catalog, database string) []string
	Functions(catalog, database string) []string
}

// Resolve returns the full path of a name of one to three parts, where catalog and database are the current ones.
func Resolve(parts []string, catalog, database string) (Path, error) {
	switch len(parts) {
	case 1:
		return Path{catalog, database, parts[0]}, nil
	case 2:
		return Path{catalog, parts[0], parts[1]}, nil
	case 3:
		return Path{parts[0], parts[1], parts[2]}, nil
	default:
		return Path{}, fmt.Errorf("a name has at most three parts, %s has %d", strings.Join(parts, "."), len(parts))
	}
}
