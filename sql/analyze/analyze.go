package analyze

import (
	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// Input is all that a statement's meaning depends on, beside the statement.
type Input struct {
	// Text is what the statement was parsed from: its ranges are of it.
	Text       string
	Catalog    catalog.Snapshot
	Connectors catalog.Connectors
	Functions  *expr.Registry
	Session    Session
}

// Session is what names are completed with.
type Session struct {
	Catalog, Database string // empty: the default ones
}

// Result is what a statement comes to: a *Query, *Changes, *Use or *Explain.
type Result interface{ isResult() }

// Query is plans to run as one job: a Collect of a query, or the Sinks of INSERTs. They share nodes.
type Query struct {
	Roots []plan.Node
}

// Changes are for a catalog.Store, in one Apply.
type Changes struct {
	List []catalog.Change
}

// Use changes the current catalog and database of the session.
type Use struct {
	Catalog, Database string
}

// Explain asks for the plan's text and, perhaps, more.
type Explain struct {
	Query   *Query
	Details []ast.ExplainDetail
}

func (*Query) isResult()   {}
func (*Changes) isResult() {}
func (*Use) isResult()     {}
func (*Explain) isResult() {}

// Statement analyzes a statement. The error is a *parser.Error or an *Unresolved, the user's either way. Statements that neither
// read nor write tables (SET, SHOW, ...) are refused: they are the session's own.
func Statement(in Input, s ast.Statement) (Result, error) {
	a := newAnalyzer(in)
	switch s := s.(type) {
	case *ast.Query:
		return result(a.collect(s))
	case *ast.Insert:
		return result(a.inserts(s))
	case *ast.StatementSet:
		return result(a.inserts(s.Inserts...))
	case *ast.Explain:
		return a.explain(s)
	case *ast.Use:
		return result(a.use(s))
	default:
		return result(a.definition(s))
	}
}

// result keeps a nil pointer from being a Result.
func result[R any, P interface {
	*R
	Result
}](r P, err error) (Result, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// shared is what all texts of one statement have in common: its own and those of views.
type shared struct {
	Input
	// tables are the plans of tables and views by path and hints: a table that is named twice is read once.
	tables map[string]*tablePlan
	nodes  int
	cells  int
	exprs  int
	// expanding are the views that are being expanded.
	expanding []catalog.Path
}

// analyzer binds one text.
type analyzer struct {
	*shared
	text string
	// view is whose text it is; empty for the statement's own.
	view string
	// depth of queries within queries.
	depth int
	// edits are what makes the text of a view independent of its place; nil where nobody wants them.
	edits map[ast.Span]string
}

func newAnalyzer(in Input) *analyzer {
	if in.Session.Catalog == "" {
		in.Session.Catalog = catalog.DefaultCatalog
	}
	if in.Session.Database == "" {
		in.Session.Database = catalog.DefaultDatabase
	}
	return &analyzer{shared: &shared{Input: in, tables: make(map[string]*tablePlan)}, text: in.Text}
}

// within returns an analyzer of a text that is part of a view or table.
func (a *analyzer) within(text, owner string) *analyzer {
	return &analyzer{shared: a.shared, text: text, view: owner}
}

func (a *analyzer) collect(q *ast.Query) (*Query, error) {
	r, err := a.query(q, &env{})
	if err != nil {
		return nil, err
	}
	return &Query{Roots: []plan.Node{&plan.Collect{Input: r.node}}}, nil
}

func (a *analyzer) inserts(list ...*ast.Insert) (*Query, error) {
	q := &Query{}
	for _, i := range list {
		sink, err := a.insert(i)
		if err != nil {
			return nil, err
		}
		q.Roots = append(q.Roots, sink)
	}
	return q, nil
}

func (a *analyzer) explain(e *ast.Explain) (Result, error) {
	var q *Query
	var err error
	switch s := e.Statement.(type) {
	case *ast.Query:
		q, err = a.collect(s)
	case *ast.Insert:
		q, err = a.inserts(s)
	case *ast.StatementSet:
		q, err = a.inserts(s.Inserts...)
	default:
		return nil, a.unsupported(e, "EXPLAIN of other than queries and INSERT")
	}
	if err != nil {
		return nil, err
	}
	return &Explain{Query: q, Details: e.Details}, nil
}

// add counts a node and returns it: every node but the smallest is made through here.
func (a *analyzer) add(n plan.Node, at ranged) (plan.Node, error) {
	a.nodes++
	if a.nodes > NodesMax {
		return nil, a.failf(at, "the statement is too large: more than %d operations with all views expanded", NodesMax)
	}
	columns := len(n.Schema())
	if columns > ColumnsMax {
		return nil, a.failf(at, "%d columns, more than %d", columns, ColumnsMax)
	}
	if a.cells += columns; a.cells > CellsMax {
		return nil, a.failf(at, "the statement is too large: its operations have more than %d columns together", CellsMax)
	}
	return n, nil
}
