package keep

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"millrace/connectors"
	"millrace/stream"
)

// Tables are the tables of a process, by name. They are safe for concurrent use.
type Tables struct {
	mu struct {
		sync.Mutex
		tables map[string]*Table
	}
}

// Table returns the table of that name, which is made where there is none.
func (t *Tables) Table(name string) *Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.tables == nil {
		t.mu.tables = make(map[string]*Table)
	}
	if t.mu.tables[name] == nil {
		t.mu.tables[name] = &Table{}
	}
	return t.mu.tables[name]
}

// Table is what has been committed.
type Table struct {
	mu struct {
		sync.Mutex
		rows  []row
		taken map[int64]bool // committables, by number
		fault error          // the first
	}
}

// row is a row as text, and the text of its primary key.
type row struct {
	Kind      stream.RowKind
	Key, Text string
}

// Rows returns the rows, sorted, and what was wrong with the changes so far.
func (t *Table) Rows() ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]string, len(t.mu.rows))
	for i, r := range t.mu.rows {
		out[i] = r.Text
	}
	slices.Sort(out)
	return out, t.mu.fault
}

// take applies a committable's changes, once.
func (t *Table) take(number int64, takes connectors.Changelog, changes []row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.taken[number] {
		return
	}
	if t.mu.taken == nil {
		t.mu.taken = make(map[int64]bool)
	}
	t.mu.taken[number] = true
	for _, c := range changes {
		if err := t.apply(takes, c); err != nil && t.mu.fault == nil {
			t.mu.fault = err
		}
	}
}

func (t *Table) apply(takes connectors.Changelog, c row) error {
	comes := c.Kind == stream.Insert || c.Kind == stream.UpdateAfter
	switch {
	case takes == connectors.AppendOnly && c.Kind != stream.Insert, takes == connectors.Upsert && c.Kind == stream.UpdateBefore:
		return fmt.Errorf("%s %s comes to a table that doesn't take it", c.Kind, c.Text)
	case takes == connectors.Upsert:
		t.mu.rows = slices.DeleteFunc(t.mu.rows, func(r row) bool { return r.Key == c.Key })
	case !comes:
		at := slices.IndexFunc(t.mu.rows, func(r row) bool { return r.Text == c.Text })
		if at < 0 {
			return fmt.Errorf("%s %s takes back what is not there", c.Kind, c.Text)
		}
		t.mu.rows = slices.Delete(t.mu.rows, at, at+1)
	}
	if comes {
		t.mu.rows = append(t.mu.rows, c)
	}
	return nil
}

// line is a row in the notation of scripts.
func line(cells []*string) string {
	texts := make([]string, len(cells))
	for i, c := range cells {
		if texts[i] = "NULL"; c != nil {
			texts[i] = *c
		}
	}
	return strings.Join(texts, " | ")
}
