package columnar

import (
	"fmt"
	"strings"

	"millrace/failure"
	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/types"
)

// Evolved implements statebackend.Store.
func (s *store) Evolved() []statebackend.Evolution {
	var out []statebackend.Evolution
	for _, t := range s.tables {
		if t.evolved != nil {
			out = append(out, *t.evolved)
		}
	}
	return out
}

// declared is what a spec says of the columns of a table that was restored, or of its entries.
type declared struct {
	columns []statebackend.ColumnSpec
	evolves bool
	nulls   bool // columns hold NULL by themselves
}

// evolve compares the columns of a restored table with those declared, and notes what changes. Origins are nil
// where every row stays as it is.
func (s *store) evolve(t *table, had []statebackend.ColumnSpec, d declared) ([]statebackend.Origin, error) {
	if !d.evolves || sameColumns(had, d.columns) {
		return nil, columnsFit(t.id, had, d.columns)
	}
	origins, changes, problems := statebackend.Origins(had, d.columns, d.nulls)
	if len(problems) > 0 {
		return nil, failure.User(failure.Message{
			Primary: fmt.Sprintf("state of table %s of operator %s can't become what is declared: %s", t.id.Name, t.id.Operator, strings.Join(problems, "; ")),
			Hint: "keep the column as it was; or give the new one another name, which leaves the old values behind; " +
				"or start without this state: give the table or the operator another name and --allow-non-restored-state",
		})
	}
	if len(changes) == 0 {
		return nil, nil // but for a word of the description
	}
	t.evolved = &statebackend.Evolution{ID: t.id, Had: had, Changes: changes}
	if sameWords(had, d.columns, origins) {
		return nil, nil
	}
	return origins, nil
}

// redescribe has the next file be a base, unless it says the same of a table as those before it: also where rows are what they were, and only
// what is said of them differs, a chain says one thing.
func (s *store) redescribe(same bool) {
	s.chained = s.chained && same
}

// sameColumns tells whether nothing differs, not even NULL.
func sameColumns(had, want []statebackend.ColumnSpec) bool {
	if len(had) != len(want) {
		return false
	}
	for i := range had {
		if had[i].Name != want[i].Name || had[i].NullOf != want[i].NullOf || !had[i].Type.Equal(want[i].Type) {
			return false
		}
	}
	return true
}

// sameWords tells whether rows of these columns are the same words.
func sameWords(had, want []statebackend.ColumnSpec, origins []statebackend.Origin) bool {
	if len(had) != len(want) {
		return false
	}
	for i, o := range origins {
		if o.Had != i || conversionOf(had[i].Type, want[i].Type).kind != plainWord {
			return false
		}
	}
	return true
}

// checkFlags tells whether columns that say NULL of others do so of one that is there, each of another; and whether
// columns that evolve can be told by their names.
func checkFlags(id statebackend.TableID, columns []statebackend.ColumnSpec, evolves bool) error {
	seen, plain, flags := make(map[string]bool, len(columns)), make(map[string]bool, len(columns)), make(map[string]bool)
	for _, c := range columns {
		if evolves && seen[c.Name] {
			return invariant.Failedf("table %s of operator %s evolves, and has column %s twice", id.Name, id.Operator, c.Name)
		}
		seen[c.Name] = true
		plain[c.Name] = plain[c.Name] || c.NullOf == ""
	}
	for _, c := range columns {
		if c.NullOf == "" {
			continue
		}
		if !plain[c.NullOf] || flags[c.NullOf] || c.Type.Kind != types.Boolean {
			return invariant.Failedf("table %s of operator %s: column %s says whether %s is NULL, which is no column, or has another such column, or it is no BOOLEAN",
				id.Name, id.Operator, c.Name, c.NullOf)
		}
		flags[c.NullOf] = true
	}
	return nil
}

// checkColumns tells what is wrong with a declaration.
func checkColumns(id statebackend.TableID, keys []types.Type, columns []statebackend.ColumnSpec, evolves bool) error {
	if _, err := checkSpec(id, keys, columns); err != nil {
		return err
	}
	return checkFlags(id, columns, evolves)
}

// declareValue gives a restored table the columns of its declaration.
func (s *store) declareValue(t *table, spec statebackend.ValueSpec) error {
	had := t.value.spec
	if err := keysFit(spec.ID, had.Keys, spec.Keys); err != nil {
		return err
	}
	if had.Namespaced != spec.Namespaced {
		return mismatch(spec.ID, "namespaced is %v, the snapshot's %v", spec.Namespaced, had.Namespaced)
	}
	if err := checkColumns(spec.ID, spec.Keys, spec.Columns, spec.Evolves); err != nil {
		return err
	}
	origins, err := s.evolve(t, had.Columns, declared{spec.Columns, spec.Evolves, false})
	if err == nil && origins != nil {
		err = t.value.recast(spec.Columns, origins)
	}
	if err != nil {
		return err
	}
	s.redescribe(sameColumns(had.Columns, spec.Columns))
	t.value.spec.Columns, t.declared = spec.Columns, true
	return nil
}

// declareSorted does so for a Multimap or an OrderedMap.
func (s *store) declareSorted(t *table, keys []types.Type, d declared) error {
	if err := keysFit(t.id, t.sorted.keys, keys); err != nil {
		return err
	}
	if err := checkColumns(t.id, keys, d.columns, d.evolves); err != nil {
		return err
	}
	had := t.sorted.columns
	origins, err := s.evolve(t, had, d)
	if err == nil && origins != nil {
		err = t.sorted.recast(d.columns, origins)
	}
	if err != nil {
		return err
	}
	s.redescribe(sameColumns(had, d.columns))
	t.sorted.columns, t.declared = d.columns, true
	return nil
}

// declareEntries compares what the bytes of entries hold, where both say it. They stay as they are.
func (s *store) declareEntries(t *table, entries []statebackend.ColumnSpec, evolves bool) error {
	if err := checkEntries(t.id, entries, evolves); err != nil {
		return err
	}
	if t.entries != nil && entries != nil {
		if _, err := s.evolve(t, t.entries, declared{entries, evolves, true}); err != nil {
			return err
		}
	}
	s.redescribe(sameColumns(t.entries, entries))
	t.entries, t.declared = entries, true
	return nil
}

// declareOrders compares what the bytes of orders, or of a broadcast map's keys, hold, where both say it.
func (s *store) declareOrders(t *table, what string, orders []statebackend.ColumnSpec) error {
	if err := checkEntries(t.id, orders, false); err != nil {
		return err
	}
	if err := ordersFit(t, what, orders); err != nil {
		return err
	}
	s.redescribe(sameColumns(t.orders, orders))
	t.orders = orders
	return nil
}

// ordersFit tells whether what is in orders, or in keys, is what was in those restored, where both are said.
func ordersFit(t *table, what string, orders []statebackend.ColumnSpec) error {
	if len(t.orders) == 0 || len(orders) == 0 || sameColumns(t.orders, orders) {
		return nil
	}
	text := func(columns []statebackend.ColumnSpec) string {
		var out []string
		for _, c := range columns {
			out = append(out, c.Name+" "+c.Type.String())
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	return mismatch(t.id, "its %s is %s, in the snapshot %s", what, text(orders), text(t.orders))
}

// checkEntries tells what is wrong with a description of entries, orders or keys, which may have any types.
func checkEntries(id statebackend.TableID, entries []statebackend.ColumnSpec, evolves bool) error {
	if len(entries) > columnsMax {
		return failure.Userf("table %s of operator %s has bytes of %d columns, at most %d", id.Name, id.Operator, len(entries), columnsMax)
	}
	for _, c := range entries {
		if err := c.Type.Validate(); err != nil {
			return failure.Userf("column %s in the bytes of table %s of operator %s: %w", c.Name, id.Name, id.Operator, err)
		}
	}
	return checkFlags(id, entries, evolves)
}
