package session

import (
	"maps"
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/analyze"
	"millrace/sql/ast"
	"millrace/sql/physical"
	"millrace/types"
)

// Config is what a session stands on.
type Config struct {
	Connectors catalog.Connectors
	Functions  *expr.Registry
	// Collect is the sink that gives rows to whoever asked a query; nil refuses queries that write to no table.
	Collect *jobgraph.SinkSpec
	// Options are set from the start, and set again by RESET.
	Options map[string]string
	// Zone finds a time zone, or says what is wrong with its name. Fold evaluates an expression without columns in one. Like
	// returns what tells whether a text fits a pattern of LIKE.
	Zone func(name string) (*time.Location, error)
	Fold func(e expr.Expr, zone *time.Location) (*expr.Literal, error)
	Like func(pattern string) func(text string) bool
	// Compile finds out whether an expression over columns can be evaluated in a zone; its error is the user's. Nil asks nobody: then it is
	// the job that fails.
	Compile func(e expr.Expr, in *types.Schema, zone *time.Location) error
}

// Session is not safe for concurrent use. Use New.
type Session struct {
	Config
	set     map[string]string
	options options.Values
	zone    *time.Location
	names   analyze.Session
}

// New returns a session with the options of the Config. The error is the user's: it has every option that is wrong.
func New(c Config) (*Session, error) {
	s := &Session{Config: c, names: analyze.Session{Catalog: catalog.DefaultCatalog, Database: catalog.DefaultDatabase}}
	return s, s.apply(c.Options)
}

// Options returns the values of Spec as they are set.
func (s *Session) Options() options.Values { return s.options }

// Outcome is what a statement comes to: *Done, *Changes, *Rows, *Text, *Job, *Jobs or *Stop.
type Outcome interface{ isOutcome() }

// Done is a statement that was carried out.
type Done struct {
	// Warning is for whoever gave the statement, "" is none.
	Warning string
}

// Changes are for the catalog.Store from which the snapshot was, in one Apply.
type Changes struct {
	List []catalog.Change
}

// Rows are the answer of a statement that needs no job. A nil cell is NULL.
type Rows struct {
	Columns []string
	Cells   [][]*string
}

// Text is an answer to be read as it stands: a plan, or the statement that makes an object.
type Text struct {
	Text string
}

// Job is for whoever holds the session to run.
type Job struct {
	*physical.Job
	// Query has the columns of a query whose rows go to the Collect sink; nil: the job writes to tables.
	Query *types.Schema
	// From is the savepoint that the job starts from, "" for none; AllowNonRestored leaves behind what has no place in it.
	From             string
	AllowNonRestored bool
	// Await says that the statement ends with the job (table.dml-sync).
	Await bool
}

// Jobs asks for the list of jobs; with an ID, for one of them.
type Jobs struct {
	ID string
}

// Stop asks to stop a job.
type Stop struct {
	ID        string
	Savepoint bool
	Drain     bool
}

func (*Done) isOutcome()    {}
func (*Changes) isOutcome() {}
func (*Rows) isOutcome()    {}
func (*Text) isOutcome()    {}
func (*Job) isOutcome()     {}
func (*Jobs) isOutcome()    {}
func (*Stop) isOutcome()    {}

// Execute finds out what a statement means that was parsed from text, and carries it out as far as it is the session's own. After an error
// the session is as it was.
func (s *Session) Execute(catalogs catalog.Snapshot, text string, statement ast.Statement) (Outcome, error) {
	in := analyze.Input{Text: text, Catalog: catalogs, Connectors: s.Connectors, Functions: s.Functions, Session: s.names}
	switch st := statement.(type) {
	case *ast.Set:
		return s.setOption(st)
	case *ast.Reset:
		return s.reset(st)
	case *ast.Show:
		return s.show(in, st)
	case *ast.Describe:
		return describe(in, st)
	case *ast.StopJob:
		return &Stop{ID: st.ID.Value, Savepoint: st.Savepoint, Drain: st.Drain}, nil
	}
	r, err := analyze.Statement(in, statement)
	if err != nil {
		return nil, told(err)
	}
	switch r := r.(type) {
	case *analyze.Changes:
		return &Changes{r.List}, nil
	case *analyze.Use:
		s.names = analyze.Session{Catalog: r.Catalog, Database: r.Database}
		return &Done{}, nil
	case *analyze.Query:
		o, err := s.job(r)
		return o, placed(err, in, statement)
	case *analyze.Explain:
		o, err := s.explain(r)
		return o, placed(err, in, statement)
	default:
		return nil, failure.Internalf("a statement became %T", r)
	}
}

// merged returns the options with some set and some taken back.
func merged(set map[string]string, key, value string) map[string]string {
	out := maps.Clone(set)
	if out == nil {
		out = make(map[string]string)
	}
	out[key] = value
	return out
}

// Location returns the session's time zone.
func (s *Session) Location() *time.Location { return s.zone }
