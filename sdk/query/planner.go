package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/catalog"
	"millrace/catalog/memory"
	"millrace/cmd/command/script"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/sql/physical"
	"millrace/sql/session"
)

// Config is what a Planner stands on.
type Config struct {
	Connectors catalog.Connectors
	// Functions are those that SQL may call. It is asked at every statement, so that functions may still be added between two.
	Functions *expr.Registry
	// Options are those of the session, as SET knows them.
	Options map[string]string
}

// Planner has what the SQL of one program knows from one text to the next: tables, views, options. It is not safe for concurrent use. Use New.
//
// Errors are the user's, and those of a text have place and caret. After an error the planner is as it was, but for the statements of a text of
// several that stand in front of the one that failed.
type Planner struct {
	session *session.Session
	store   *memory.Store
	tables  *tables
	names   []string // of fragments
	unset   options.Values
	// zone is the time zone of the first fragment, which is that of the job.
	zone *string
}

// New returns a planner without views.
func New(c Config) (*Planner, error) {
	t := &tables{Connectors: c.Connectors}
	s, err := script.OpenSession(t, c.Functions, &jobgraph.SinkSpec{Connector: outputConnector}, c.Options)
	if err != nil {
		return nil, err
	}
	unset, err := options.Parse(session.Spec, nil)
	return &Planner{session: s, store: memory.New(), tables: t, unset: unset}, err
}

// AddView makes a stream a temporary table of the default database.
func (p *Planner) AddView(name string, v View) error {
	t, err := v.table(name)
	if err != nil {
		return err
	}
	path := catalog.Path{Catalog: catalog.DefaultCatalog, Database: catalog.DefaultDatabase, Name: name}
	if err := p.apply(&catalog.Create{Path: path, Object: t, Temporary: true}); err != nil {
		return err
	}
	p.tables.add(name, v, t)
	return nil
}

// Options returns the session's options as they are set: those of physical.Spec and of the session itself.
func (p *Planner) Options() options.Values { return p.session.Options() }

// Graph returns a graph without vertices that has what the session's options say of the whole job.
func (p *Planner) Graph() *jobgraph.Graph { return physical.Bare(p.session.Options()) }

// Settle has a graph say what the options say of the whole job that were set, where it says nothing itself; and the time zone of the queries, which must be its own: the error is the
// user's.
func (p *Planner) Settle(g *jobgraph.Graph) error {
	set, bare := p.Graph(), physical.Bare(p.unset)
	fill(&g.Name, set.Name, bare.Name)
	fill(&g.Parallelism, set.Parallelism, bare.Parallelism)
	fill(&g.MaxParallelism, set.MaxParallelism, bare.MaxParallelism)
	fill(&g.BufferTimeout, set.BufferTimeout, bare.BufferTimeout)
	fill(&g.WatermarkInterval, set.WatermarkInterval, bare.WatermarkInterval)
	fill(&g.Restart, set.Restart, bare.Restart)
	c, of, without := &g.Checkpoint, &set.Checkpoint, &bare.Checkpoint
	fill(&c.Interval, of.Interval, without.Interval)
	fill(&c.MinPause, of.MinPause, without.MinPause)
	fill(&c.Timeout, of.Timeout, without.Timeout)
	fill(&c.TolerableFailures, of.TolerableFailures, without.TolerableFailures)
	fill(&c.Retained, of.Retained, without.Retained)
	fill(&c.Unaligned, of.Unaligned, without.Unaligned)
	fill(&c.AlignedTimeout, of.AlignedTimeout, without.AlignedTimeout)
	if p.zone == nil {
		return nil
	}
	if g.Zone != "" && shown(g.Zone) != shown(*p.zone) {
		return failure.User(failure.Message{
			Primary: fmt.Sprintf("the time zone of the job is %s, and its queries were planned in %s", g.Zone, shown(*p.zone)),
			Hint:    "say it in front of the first query",
		})
	}
	g.Zone = *p.zone
	return nil
}

// fill sets what says nothing to what an option says that was set.
func fill[T comparable](to *T, set, bare T) {
	var nothing T
	if *to == nothing && set != bare {
		*to = set
	}
}

// Execute carries out the statements of a text that neither read nor write rows: CREATE, DROP, ALTER, USE, SET and RESET. Warnings are what options
// that were set have to say.
func (p *Planner) Execute(text string) (warnings []string, err error) {
	for _, s := range parser.ParseScript(text) {
		if s.Err != nil {
			return warnings, s.Err
		}
		warning, err := p.execute(text, s.Statement)
		if err != nil {
			return warnings, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings, nil
}

func (p *Planner) execute(text string, s ast.Statement) (warning string, err error) {
	switch s := s.(type) {
	case *ast.Query:
		return "", refuse(text, s, "give it to Query", "a query gives rows, and Execute takes none")
	case *ast.Insert, *ast.StatementSet:
		return "", refuse(text, s, "give it to Insert", "a statement that writes tables is a part of the job, and Execute runs none")
	}
	o, err := p.outcome(text, s)
	if err != nil {
		return "", err
	}
	switch o := o.(type) {
	case *session.Done:
		return o.Warning, nil
	case *session.Changes:
		if slices.ContainsFunc(o.List, touchesView) {
			return "", refuseView(text, s)
		}
		return "", placed(text, s, p.apply(o.List...))
	default:
		return "", refuse(text, s, "run it with millrace sql", "a program has nobody to show the answer to")
	}
}

// Query plans a text of one query, whose rows leave by the fragment's Output. The name tells its operators apart from those of other queries and from run to run: state is found
// by it. It is a word of at most NameBytesMax bytes that no other text of the planner has.
func (p *Planner) Query(name, text string) (*Fragment, error) {
	s, err := parser.ParseStatement(text)
	if err != nil {
		return nil, err
	}
	if _, ok := s.(*ast.Query); !ok {
		return nil, refuse(text, s, "INSERT goes with Insert, CREATE and SET go with Execute", "this is no query")
	}
	return p.plan(name, text, s)
}

// Insert plans a text of one INSERT or one statement set, which gives no rows. The name is as Query's.
func (p *Planner) Insert(name, text string) (*Fragment, error) {
	s, err := parser.ParseStatement(text)
	if err != nil {
		return nil, err
	}
	switch s.(type) {
	case *ast.Insert, *ast.StatementSet:
		return p.plan(name, text, s)
	default:
		return nil, refuse(text, s, "a query goes with Query, CREATE and SET go with Execute", "this writes no table")
	}
}

// Script carries out the statements of a text: those that Execute takes, and those that Insert takes, for which name makes names.
func (p *Planner) Script(text string, name func() string) (out []*Fragment, warnings []string, err error) {
	for _, s := range parser.ParseScript(text) {
		if s.Err != nil {
			return out, warnings, s.Err
		}
		switch s.Statement.(type) {
		case *ast.Insert, *ast.StatementSet:
			f, err := p.plan(name(), text, s.Statement)
			if err != nil {
				return out, warnings, err
			}
			out = append(out, f)
			continue
		}
		warning, err := p.execute(text, s.Statement)
		if err != nil {
			return out, warnings, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return out, warnings, nil
}

func (p *Planner) plan(name, text string, s ast.Statement) (*Fragment, error) {
	if err := p.checkName(name); err != nil {
		return nil, err
	}
	o, err := p.outcome(text, s)
	if err != nil {
		return nil, err
	}
	j, ok := o.(*session.Job)
	if !ok {
		return nil, failure.Internalf("a statement to plan became %T", o)
	}
	if zone := j.Graph.Zone; p.zone != nil && *p.zone != zone {
		return nil, refuse(text, s, "set table.local-time-zone before the first query", "a job has one time zone: that of the queries before is %s, that of this one %s", shown(*p.zone), shown(zone))
	}
	f, err := splice(name, j.Job, p.tables)
	if err != nil {
		return nil, err
	}
	p.zone, p.names = &j.Graph.Zone, append(p.names, name)
	return f, nil
}

func shown(zone string) string {
	if zone == "" {
		return "UTC"
	}
	return zone
}

// checkName refuses names that can't begin a uid.
func (p *Planner) checkName(name string) error {
	word := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	switch {
	case name == "" || len(name) > NameBytesMax || name[0] == '-' || strings.ContainsFunc(name, func(r rune) bool { return !word(r) }):
		return failure.User(failure.Message{
			Primary: fmt.Sprintf("%q can't name a query", name),
			Hint:    fmt.Sprintf("take at most %d letters, digits, _ and -, the first of them no -", NameBytesMax),
		})
	case slices.Contains(p.names, name):
		return failure.User(failure.Message{
			Primary: "two queries are named " + name, Hint: "give each another: the state of its operators is found by it",
		})
	default:
		return nil
	}
}

// outcome finds out what a statement comes to.
func (p *Planner) outcome(text string, s ast.Statement) (session.Outcome, error) {
	snapshot, err := p.store.Snapshot(context.Background()) // it waits for nothing
	if err != nil {
		return nil, err
	}
	o, err := p.session.Execute(snapshot, text, s)
	return o, placed(text, s, err)
}

func (p *Planner) apply(changes ...catalog.Change) error {
	return p.store.Apply(context.Background(), changes...) // it waits for nothing
}

// refuse says at a statement's place why it can't be.
func refuse(text string, s ast.Statement, hint, format string, args ...any) error {
	return parser.ErrorAt(text, s.Range().Start, failure.Message{Primary: fmt.Sprintf(format, args...), Hint: hint})
}

// placed gives errors of the user that have no place that of the statement: those of options and of catalogs.
func placed(text string, s ast.Statement, err error) error {
	if _, has := errors.AsType[*parser.Error](err); err == nil || has || failure.ClassOf(err).Domain != failure.DomainUser {
		return err
	}
	var all failure.Problems
	all.AddError(err)
	out := make([]error, 0, all.Len())
	for _, m := range all.All() {
		out = append(out, parser.ErrorAt(text, s.Range().Start, m))
	}
	return errors.Join(out...)
}
