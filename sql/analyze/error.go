package analyze

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/catalog"
	"millrace/failure"
	"millrace/options"
	"millrace/sql/ast"
	"millrace/sql/parser"
)

// Unresolved is a name that the snapshot does not have.
type Unresolved struct {
	Path     catalog.Path
	Function bool
	// Err is what to tell the user if nobody has it.
	Err *parser.Error
}

// Error prints what the user is told.
func (e *Unresolved) Error() string { return e.Err.Error() }

// Unwrap returns what the user is told.
func (e *Unresolved) Unwrap() error { return e.Err }

// ranged is whatever has a place in the text.
type ranged interface{ Range() ast.Span }

// fail makes the error of a place.
func (a *analyzer) fail(at ranged, m failure.Message) *parser.Error {
	if a.view != "" {
		m.Detail = strings.TrimPrefix(m.Detail+", ", ", ") + "in the text of " + a.view
	}
	return parser.ErrorAt(a.text, at.Range().Start, m)
}

func (a *analyzer) failf(at ranged, format string, args ...any) error {
	return a.fail(at, failure.Message{Primary: fmt.Sprintf(format, args...)})
}

// hinted is failf with a hint behind it.
func (a *analyzer) hinted(at ranged, hint, format string, args ...any) error {
	return a.fail(at, failure.Message{Primary: fmt.Sprintf(format, args...), Hint: hint})
}

func (a *analyzer) unsupported(at ranged, what string) error {
	return a.fail(at, failure.Message{Primary: what + " is not supported yet"})
}

// wrap gives the error of a lower room a place. One that has a place keeps it.
func (a *analyzer) wrap(at ranged, err error) error {
	if err == nil || placed(err) {
		return err
	}
	m, ok := errors.AsType[failure.Message](err)
	if !ok {
		m = failure.Message{Primary: err.Error()}
	}
	return a.fail(at, m)
}

func placed(err error) bool {
	_, ok := errors.AsType[*parser.Error](err)
	return ok
}

// missing is the error of an object that is not in the catalog.
func (a *analyzer) missing(at ranged, kind string, p catalog.Path, known []string) error {
	m := catalog.NotFound(kind, p.String(), p.Name, known).Message()
	switch cats := a.Catalog.Catalogs(); {
	case p.Catalog != "" && !slices.Contains(cats, p.Catalog):
		m = catalog.NotFound("CATALOG", catalog.Quoted(p.Catalog), p.Catalog, cats).Message()
	case p.Database != "" && !slices.Contains(a.Catalog.Databases(p.Catalog), p.Database):
		m = catalog.NotFound("DATABASE", catalog.Quoted(p.Catalog)+"."+catalog.Quoted(p.Database), p.Database, a.Catalog.Databases(p.Catalog)).Message()
	}
	if m.Hint == "" && len(known) > 0 && kind != "FUNCTION" { // of functions there are too many
		m.Hint = "there are " + shown(known)
	}
	return &Unresolved{Path: p, Function: kind == "FUNCTION", Err: a.fail(at, m)}
}

// shown lists names, not too many.
func shown(names []string) string {
	quoted := make([]string, 0, namesShown)
	for _, n := range names[:min(len(names), namesShown)] {
		quoted = append(quoted, catalog.Quoted(n))
	}
	if more := len(names) - namesShown; more > 0 {
		quoted = append(quoted, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(quoted, ", ")
}

// didYouMean is the hint for a mistyped name; without a near one it lists what there is.
func didYouMean(name string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, name) && k != name {
			return "did you mean " + catalog.Quoted(k) + "? case counts"
		}
	}
	if near, ok := options.Nearest(name, known); ok {
		return "did you mean " + catalog.Quoted(near) + "?"
	}
	if len(known) == 0 {
		return ""
	}
	return "there are " + shown(known)
}
