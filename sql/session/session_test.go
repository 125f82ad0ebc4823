package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/catalog"
	"millrace/catalog/memory"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/parser"
	"millrace/sql/session"
	"millrace/types"
)

// connectors knows log, which is read and written, and bounded, which ends; changes are taken by log.
type connectors struct{}

func (connectors) Names() []string { return []string{"bounded", "log"} }

func (connectors) Source(t *catalog.Table) (catalog.SourceTraits, error) {
	return catalog.SourceTraits{
		Bounded: t.Options["connector"] == "bounded", Metadata: []types.Field{{Name: "timestamp", Type: types.TimestampLTZOf(3)}},
	}, nil
}

func (connectors) Sink(t *catalog.Table) (catalog.SinkTraits, error) {
	if t.Options["connector"] == "log" {
		return catalog.SinkTraits{Changelog: catalog.Retract}, nil
	}
	return catalog.SinkTraits{}, nil
}

// TestScripts runs statements: "session" begins one with the options that stand in it, "run" gives it a text.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *session.Session
		store := memory.New()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "session":
				var err error
				s, err = began(d.Input)
				return line(err)
			case "run":
				return run(t, store, s, d.Input)
			default:
				t.Fatalf("no command %q", d.Cmd)
				return ""
			}
		})
	})
}

func began(input string) (*session.Session, error) {
	given := make(map[string]string)
	for text := range strings.Lines(input) {
		key, value, _ := strings.Cut(strings.TrimSpace(text), " = ")
		given[key] = value
	}
	return session.New(session.Config{
		Connectors: connectors{}, Functions: expr.Builtins(), Collect: &jobgraph.SinkSpec{Connector: "collect"}, Options: given,
		Zone: types.LoadZone, Fold: fold, Like: kernel.Like,
	})
}

func fold(e expr.Expr, zone *time.Location) (*expr.Literal, error) {
	if l, ok := (kernel.Session{Zone: zone}).Fold(e, expr.Builtins()).(*expr.Literal); ok {
		return l, nil
	}
	return nil, errors.New("no value")
}

// line is the text of an error, which must be the user's.
func line(err error) string {
	switch {
	case err == nil:
		return ""
	case failure.ClassOf(err).Domain != failure.DomainUser:
		return fmt.Sprintf("NOT THE USER'S: %v\n", err)
	default:
		return fmt.Sprintf("error: %v\n", err)
	}
}

func run(t *testing.T, store *memory.Store, s *session.Session, text string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range parser.ParseScript(text) {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
		snap, err := store.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Execute(snap, text, p.Statement)
		if c, ok := o.(*session.Changes); ok && err == nil {
			o, err = &session.Done{}, store.Apply(t.Context(), c.List...)
		}
		if err != nil {
			b.WriteString(line(err))
			continue
		}
		show(&b, o)
	}
	return b.String()
}

func show(b *strings.Builder, o session.Outcome) {
	switch o := o.(type) {
	case *session.Done:
		b.WriteString("done\n")
		if o.Warning != "" {
			b.WriteString("warning: " + o.Warning + "\n")
		}
	case *session.Text:
		b.WriteString(strings.TrimSuffix(o.Text, "\n") + "\n")
	case *session.Rows:
		b.WriteString(strings.Join(o.Columns, " | ") + "\n")
		for _, row := range o.Cells {
			cells := make([]string, len(row))
			for i, c := range row {
				if cells[i] = "-"; c != nil {
					cells[i] = *c
				}
			}
			b.WriteString("  " + strings.Join(cells, " | ") + "\n")
		}
	case *session.Job:
		fmt.Fprintf(b, "job %s: parallelism %d, checkpoint every %s", o.Graph.Name, o.Graph.Parallelism, o.Graph.Checkpoint.Interval)
		if o.Query != nil {
			fmt.Fprintf(b, ", query %s, changes %t", o.Query, !o.Appends())
		}
		if o.From != "" {
			fmt.Fprintf(b, ", from %s", o.From)
		}
		fmt.Fprintf(b, ", await %t\n", o.Await)
	default:
		fmt.Fprintf(b, "%T %+v\n", o, o)
	}
}
