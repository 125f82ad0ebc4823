package catalog

import (
	"context"
	"errors"
	"fmt"

	"millrace/failure"
	"millrace/options"
)

// Store is where catalogs are kept. It may be used by any number of goroutines.
//
// Changes of one Apply happen together or not at all, and each sees those before it. A Snapshot has whole Applies only. One
// that is taken after an Apply of the same Store has returned has its changes; those of others may come later.
type Store interface {
	// Snapshot returns all there is. It is cheap: taking one for each statement is meant.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Apply makes changes. An error that is the user's is an *Error; then nothing was changed. After another error
	// the changes may have been made or not.
	Apply(ctx context.Context, changes ...Change) error
}

// Change is a step of a statement that writes: a CreateCatalog, CreateDatabase, Create, Alter, Rename, Drop, DropDatabase, DropCatalog
// or Describe.
type Change interface {
	isChange()
}

// Space is what is said of a catalog or database itself.
type Space struct {
	Comment string
	Options map[string]string
}

// CreateCatalog makes a catalog, with a database DefaultDatabase in it.
type CreateCatalog struct {
	Name        string
	Space       Space
	IfNotExists bool
}

// CreateDatabase makes an empty database.
type CreateDatabase struct {
	Catalog, Name string
	Space         Space
	IfNotExists   bool
}

// Existing tells what becomes of a Create whose path is taken.
type Existing uint8

// The fates. MustExist replaces what is there and wants it to be.
const (
	Refuse Existing = iota
	Keep
	Replace
	MustExist
)

// Create puts a table, view or function at a path. Tables and views share their paths; functions have their own. A temporary object
// lives as long as the session, stands before a lasting one of its path, and needs no database. A function with a path of
// a Name alone is a system function, which is always temporary.
type Create struct {
	Path      Path
	Object    Object
	Temporary bool
	Existing  Existing
}

// Alter puts an object in the place of Was, which must still be there: compared by value. The temporary one is meant where
// there is one.
type Alter struct {
	Path        Path
	Was, Object Object
}

// Rename gives a table or view another name in its database.
type Rename struct {
	Path     Path
	To       string
	Kind     string // TABLE or VIEW
	IfExists bool
}

// Drop removes a table, view or function. A lasting object can't be dropped while a temporary one stands before it.
type Drop struct {
	Path      Path
	Kind      string
	Temporary bool
	IfExists  bool
}

// DropDatabase removes a database: an empty one, unless Cascade.
type DropDatabase struct {
	Catalog, Name     string
	IfExists, Cascade bool
}

// DropCatalog removes a catalog with all that is in it.
type DropCatalog struct {
	Name     string
	IfExists bool
}

// Describe changes what is said of a catalog, or of a database of it if that has a name.
type Describe struct {
	Catalog, Database string
	Comment           *string // nil: as it was
	Set               map[string]string
	Reset             []string // keys of options, those that are not there too
}

func (*CreateCatalog) isChange()  {}
func (*CreateDatabase) isChange() {}
func (*Create) isChange()         {}
func (*Alter) isChange()          {}
func (*Rename) isChange()         {}
func (*Drop) isChange()           {}
func (*DropDatabase) isChange()   {}
func (*DropCatalog) isChange()    {}
func (*Describe) isChange()       {}

// What an Error is; compare with errors.Is.
var (
	ErrNotFound = errors.New("does not exist")
	ErrExists   = errors.New("exists already")
	// ErrNotEmpty is a database with objects.
	ErrNotEmpty = errors.New("is not empty")
	// ErrChanged is an Alter of what is no longer there as it was.
	ErrChanged = errors.New("was changed by somebody else")
	// ErrShadowed is a Drop of what a temporary object hides.
	ErrShadowed = errors.New("is hidden by a temporary object")
	// ErrInvalid is a name or a definition that can't be, or one too many.
	ErrInvalid = errors.New("is not possible")
)

// Error is why a user's change was refused.
type Error struct {
	Kind   string // TABLE, VIEW, FUNCTION, DATABASE, CATALOG, or OBJECT for a table or view
	Name   string // as Path prints it
	Reason error  // one of the sentinels
	Detail string
	Hint   string
}

// Error prints what is wrong and what to do.
func (e *Error) Error() string { return e.Message().Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// FailureClass makes it the user's.
func (e *Error) FailureClass() failure.Class { return e.Message().FailureClass() }

// Message returns the error in its parts.
func (e *Error) Message() failure.Message {
	kind := map[string]string{
		"TABLE": "table", "VIEW": "view", "FUNCTION": "function", "DATABASE": "database", "CATALOG": "catalog", "OBJECT": "table or view",
	}[e.Kind]
	return failure.Message{Primary: fmt.Sprintf("%s %s %s", kind, e.Name, e.Reason), Detail: e.Detail, Hint: e.Hint}
}

// NotFound returns the error of a name that is none of those known, with the nearest of these.
func NotFound(kind, name, last string, known []string) *Error {
	e := &Error{Kind: kind, Name: name, Reason: ErrNotFound}
	if near, ok := options.Nearest(last, known); ok {
		e.Hint = "did you mean " + Quoted(near) + "?"
	}
	return e
}
