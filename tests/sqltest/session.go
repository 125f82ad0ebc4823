package sqltest

import (
	"testing"

	"millrace/catalog"
	"millrace/catalog/memory"
	"millrace/cmd/command/script"
	"millrace/connectors/collect"
	"millrace/jobgraph"
	"millrace/sql/parser"
	"millrace/sql/session"
)

// Session is a session with a catalog of its own. Queries go to the sink collect.
type Session struct {
	*session.Session
	store *memory.Store
	// Changing is told of every change of the catalog before it is applied; nil for nobody.
	Changing func(catalog.Change)
}

// Session opens a session whose options are set from the start.
func (c *Cluster) Session(t *testing.T, given map[string]string) *Session {
	t.Helper()
	s, err := script.OpenSession(c.Wiring.Catalog(), c.Wiring.Functions, &jobgraph.SinkSpec{Connector: collect.Name}, given)
	if err != nil {
		t.Fatal(err)
	}
	return &Session{Session: s, store: memory.New()}
}

// Execute carries out one statement of a text, changes of the catalog included.
func (s *Session) Execute(t *testing.T, text string, p parser.Parsed) (session.Outcome, error) {
	t.Helper()
	snapshot, err := s.store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Session.Execute(snapshot, text, p.Statement)
	changes, ok := o.(*session.Changes)
	if err != nil || !ok {
		return o, err
	}
	for _, change := range changes.List {
		if s.Changing != nil {
			s.Changing(change)
		}
	}
	return o, s.store.Apply(t.Context(), changes.List...)
}

// Job carries out a text whose statements all succeed, and returns the job of the last.
func (s *Session) Job(t *testing.T, text string) *session.Job {
	t.Helper()
	var last session.Outcome
	for _, p := range parser.ParseScript(text) {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
		var err error
		if last, err = s.Execute(t, text, p); err != nil {
			t.Fatal(err)
		}
	}
	j, ok := last.(*session.Job)
	if !ok {
		t.Fatalf("the text ends with a %T, not with a job", last)
	}
	return j
}
