package session

import (
	"errors"
	"strings"

	"millrace/catalog"
	"millrace/failure"
	"millrace/sql/analyze"
	"millrace/sql/ast"
	"millrace/sql/parser"
)

// placed gives a user's errors of planning places in the text: that of the table that one names, or else the statement's. Plans have none.
func placed(err error, in analyze.Input, statement ast.Statement) error {
	if _, has := errors.AsType[*parser.Error](err); err == nil || has || failure.ClassOf(err).Domain != failure.DomainUser {
		return err
	}
	var all failure.Problems
	all.AddError(err)
	out := make([]error, 0, all.Len())
	for _, m := range all.All() {
		out = append(out, parser.ErrorAt(in.Text, placeOf(m, in, statement).Start, m))
	}
	return errors.Join(out...)
}

// placeOf returns where a statement first names the table that a message is about.
func placeOf(m failure.Message, in analyze.Input, statement ast.Statement) ast.Span {
	found, at := false, statement.Range()
	ast.Walk(statement, func(n ast.Node) bool {
		var name ast.Name
		switch n := n.(type) {
		case *ast.Insert:
			name = n.Table
		case *ast.TableName:
			name = n.Name
		default:
			return !found
		}
		path, err := catalog.Resolve(name.Strings(), in.Session.Catalog, in.Session.Database)
		if err == nil && !found && (strings.Contains(m.Primary, "table "+path.String()+" ") || strings.Contains(m.Primary, "table "+path.String()+":")) {
			found, at = true, name.Range()
		}
		return !found
	})
	return at
}
