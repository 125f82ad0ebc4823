package columnar

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

func columnOf(name string, t types.Type) statebackend.ColumnSpec {
	return statebackend.ColumnSpec{Name: name, Type: t}
}

func flagOf(name string) statebackend.ColumnSpec {
	return statebackend.ColumnSpec{Name: name + "_null", Type: types.Of(types.Boolean), NullOf: name}
}

var evolvingID = statebackend.TableID{Operator: "counter", Name: "visits"}

// declareAs declares a table of a shape.
func declareAs(s statebackend.Store, sh shape, keys []types.Type, evolves bool, columns ...statebackend.ColumnSpec) (err error) {
	switch sh {
	case shapeValue:
		_, err = s.Value(statebackend.ValueSpec{ID: evolvingID, Keys: keys, Columns: columns, Evolves: evolves})
	case shapeMultimap:
		_, err = s.Multimap(statebackend.MultimapSpec{ID: evolvingID, Keys: keys, Columns: columns, Evolves: evolves})
	case shapeOrderedMap:
		_, err = s.OrderedMap(statebackend.OrderedMapSpec{ID: evolvingID, Keys: keys, Columns: columns, Evolves: evolves})
	case shapeList:
		_, err = s.List(statebackend.ListSpec{ID: evolvingID, Redistribution: statebackend.SplitEven, Entries: columns, Evolves: evolves})
	case shapeBroadcast:
		_, err = s.Broadcast(statebackend.BroadcastSpec{ID: evolvingID, Entries: columns, Evolves: evolves})
	case shapeTimers:
		_, err = s.Timers(statebackend.TimerSpec{ID: evolvingID, Keys: keys})
	}
	return err
}

var oneKey = []types.Type{types.Of(types.BigInt)}

// restoredFrom returns a store restored from a file with such a table.
func restoredFrom(t *testing.T, sh shape, columns ...statebackend.ColumnSpec) *store {
	t.Helper()
	s := newStore(sampleSpec())
	if err := declareAs(s, sh, oneKey, false, columns...); err != nil {
		t.Fatal(err)
	}
	return restoreFiles(t, writeFrozen(t, s))
}

func restoreFiles(t *testing.T, files ...[]byte) *store {
	t.Helper()
	spec := sampleSpec()
	var chain []statebackend.File
	for _, f := range files {
		chain = append(chain, bytesFile{"file", f})
	}
	spec.Restore = [][]statebackend.File{chain}
	s, err := New().Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*store)
}

// evolutionCase goes from columns to others.
type evolutionCase struct {
	name      string
	shape     shape
	had, want []statebackend.ColumnSpec
	says      string // what changes, or what is refused
}

const (
	refused = "state of table visits of operator counter can't become what is declared: "
	remedy  = "; hint: keep the column as it was; or give the new one another name, which leaves the old values behind; " +
		"or start without this state: give the table or the operator another name and --allow-non-restored-state"
)

var (
	intColumn    = columnOf("amount", types.Of(types.Int))
	notNullInt   = columnOf("amount", types.Of(types.Int).NotNull())
	bigColumn    = columnOf("amount", types.Of(types.BigInt))
	textColumn   = columnOf("text", types.StringType())
	decimalTen   = columnOf("amount", types.DecimalOf(10, 2))
	decimalLess  = columnOf("amount", types.DecimalOf(12, 5))
	listOfInts   = columnOf("list", types.ArrayOf(types.Of(types.Int)))
	listOfBigInt = columnOf("list", types.ArrayOf(types.Of(types.BigInt)))
)

// TestEvolutionsAreTold says what becomes of the columns.
func TestEvolutionsAreTold(t *testing.T) {
	list := func(c ...statebackend.ColumnSpec) []statebackend.ColumnSpec { return c }
	for _, c := range []evolutionCase{
		{"the same", shapeValue, list(intColumn, textColumn, flagOf("text")), list(intColumn, textColumn, flagOf("text")), ""},
		{"the same multimap", shapeMultimap, list(notNullInt, textColumn), list(notNullInt, textColumn), ""},
		{"the same map", shapeOrderedMap, list(intColumn, textColumn), list(intColumn, textColumn), ""},
		{"the same list", shapeList, list(intColumn, listOfInts), list(intColumn, listOfInts), ""},
		{"the same list without a word", shapeList, nil, nil, ""},
		{"the same broadcast map", shapeBroadcast, list(intColumn), list(intColumn), ""},
		{"nullable is ignored", shapeValue, list(notNullInt), list(intColumn), ""},
		{"added", shapeValue, list(intColumn), list(intColumn, textColumn), "column text added"},
		{"left", shapeMultimap, list(intColumn, textColumn), list(intColumn), "column text left behind"},
		{"wider", shapeOrderedMap, list(intColumn), list(bigColumn), "amount INT → BIGINT"},
		{"order", shapeValue, list(intColumn, textColumn), list(textColumn, intColumn), "columns in another order"},
		{"all of it", shapeValue, list(intColumn, columnOf("old", types.StringType())), list(columnOf("visits", types.Of(types.Int)), bigColumn), "column visits added; amount INT → BIGINT; column old left behind"},
		{"decimal", shapeValue, list(decimalTen), list(columnOf("amount", types.DecimalOf(20, 4))), "amount DECIMAL(10, 2) → DECIMAL(20, 4)"},
		{"char", shapeValue, list(columnOf("c", types.Type{Kind: types.Char, Length: 3})), list(columnOf("c", types.VarCharOf(3))), "c CHAR(3) → VARCHAR(3)"},
		{"a flag", shapeValue, list(intColumn), list(intColumn, flagOf("amount")), "amount may be NULL"},
		{"a flag goes with its column", shapeValue, list(intColumn, flagOf("amount"), textColumn), list(textColumn), "column amount left behind"},
		{"a flag comes with its column", shapeValue, list(textColumn), list(textColumn, intColumn, flagOf("amount")), "column amount added"},
		{"NOT NULL no more", shapeMultimap, list(notNullInt), list(intColumn), "amount may be NULL"},
		{"entries", shapeList, list(intColumn, listOfInts), list(bigColumn, listOfInts), "amount INT → BIGINT"},
		{"entries nobody described", shapeBroadcast, nil, list(intColumn), ""},
		{"entries nobody describes", shapeList, list(intColumn), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := restoredFrom(t, c.shape, c.had...)
			if err := declareAs(s, c.shape, oneKey, true, c.want...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range s.Evolved() {
				if e.ID != evolvingID || len(e.Had) != len(c.had) {
					t.Errorf("%+v", e)
				}
				got = append(got, e.Changes...)
			}
			if text := strings.Join(got, "; "); text != c.says {
				t.Errorf("changes %q, want %q", text, c.says)
			}
			// A chain is of one layout, and says one thing of it.
			x, err := s.Freeze(false)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Release()
			if base := x.(*snapshot).header.Kind == statebackend.Base; base == sameColumns(c.had, c.want) {
				t.Errorf("the next snapshot is a base: %v", base)
			}
		})
	}
}

// TestEvolutionsAreRefused says why a table can't have other columns, all of them at once.
func TestEvolutionsAreRefused(t *testing.T) {
	list := func(c ...statebackend.ColumnSpec) []statebackend.ColumnSpec { return c }
	for _, c := range []evolutionCase{
		{"narrower", shapeValue, list(bigColumn), list(intColumn), refused + "column amount is INT, in the snapshot BIGINT, which does not widen to it" + remedy},
		{"fewer digits before the point", shapeValue, list(decimalTen), list(decimalLess), refused + "column amount is DECIMAL(12, 5), in the snapshot DECIMAL(10, 2), which does not widen to it" + remedy},
		{"another kind", shapeMultimap, list(intColumn, textColumn), list(columnOf("amount", types.StringType()), columnOf("text", types.VarCharOf(10))), refused +
			"column amount is STRING, in the snapshot INT, which does not widen to it; column text is VARCHAR(10), in the snapshot STRING, which does not widen to it" + remedy},
		{"INT to DOUBLE", shapeOrderedMap, list(intColumn), list(columnOf("amount", types.Of(types.Double))), refused + "column amount is DOUBLE, in the snapshot INT, which does not widen to it" + remedy},
		{"a flag gone", shapeValue, list(intColumn, flagOf("amount")), list(intColumn), refused + "column amount is NOT NULL, in the snapshot it may be NULL, which column amount_null says" + remedy},
		{"NOT NULL now", shapeMultimap, list(intColumn), list(notNullInt), refused + "column amount is INT NOT NULL, in the snapshot INT, and may be NULL there" + remedy},
		{"entries", shapeBroadcast, list(bigColumn), list(intColumn), refused + "column amount is INT, in the snapshot BIGINT, which does not widen to it" + remedy},
		{"nested entries", shapeList, list(listOfInts), list(listOfBigInt), refused + "column list is ARRAY<BIGINT>, in the snapshot ARRAY<INT>, which does not widen to it" + remedy},
		{"twice in the snapshot", shapeMultimap, list(intColumn, intColumn), list(intColumn), refused + "the snapshot has column amount twice" + remedy},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := restoredFrom(t, c.shape, c.had...)
			err := declareAs(s, c.shape, oneKey, true, c.want...)
			if err == nil || err.Error() != c.says || failure.ClassOf(err).Domain != failure.DomainUser {
				t.Errorf("%v\nwant %s", err, c.says)
			}
			if len(s.Evolved()) != 0 {
				t.Errorf("it evolved all the same: %+v", s.Evolved())
			}
		})
	}
}

// TestWithoutEvolvesNothingDiffers: tables that don't say that they evolve, and keys, are as they were.
func TestWithoutEvolvesNothingDiffers(t *testing.T) {
	for _, sh := range []shape{shapeValue, shapeMultimap, shapeOrderedMap, shapeList, shapeBroadcast} {
		s := restoredFrom(t, sh, intColumn)
		err := declareAs(s, sh, oneKey, false, bigColumn)
		if failure.ClassOf(err).Domain != failure.DomainUser || !strings.Contains(err.Error(), "column amount is BIGINT NOT NULL, in the snapshot INT NOT NULL") {
			t.Errorf("%s: %v", sh, err)
		}
	}
	for _, sh := range []shape{shapeValue, shapeMultimap, shapeOrderedMap, shapeTimers} {
		s := restoredFrom(t, sh)
		err := declareAs(s, sh, []types.Type{types.Of(types.Int)}, true)
		if failure.ClassOf(err).Domain != failure.DomainUser || !strings.Contains(err.Error(), "key column 0 is INT, in the snapshot BIGINT") {
			t.Errorf("another key of a %s: %v", sh, err)
		}
	}
	s := restoredFrom(t, shapeValue, intColumn, textColumn, flagOf("amount"))
	other := flagOf("amount")
	other.NullOf = "text"
	if err := declareAs(s, shapeValue, oneKey, false, intColumn, textColumn, other); err == nil || !strings.Contains(err.Error(), "column amount_null says whether text is NULL, in the snapshot whether amount is") {
		t.Errorf("a flag of another column: %v", err)
	}
	if err := declareAs(restoredFrom(t, shapeValue, intColumn, columnOf("amount_null", types.Of(types.Boolean))), shapeValue, oneKey, false, intColumn, flagOf("amount")); err != nil {
		t.Errorf("a file that does not say what a column is for: %v", err)
	}
}

// TestOrdersDoNotEvolve: what is in the bytes of an order, or of a broadcast map's key, stays, where anybody says what it is.
func TestOrdersDoNotEvolve(t *testing.T) {
	declare := func(s statebackend.Store, orders ...statebackend.ColumnSpec) error {
		_, ordered := s.OrderedMap(statebackend.OrderedMapSpec{ID: evolvingID, Keys: oneKey, Orders: orders, Evolves: true})
		_, shared := s.Broadcast(statebackend.BroadcastSpec{ID: statebackend.TableID{Operator: "counter", Name: "shared"}, Keys: orders, Evolves: true})
		return errors.Join(ordered, shared)
	}
	one := func(c ...statebackend.ColumnSpec) []statebackend.ColumnSpec { return c }
	for _, c := range []struct {
		name      string
		had, want []statebackend.ColumnSpec
		refused   string
	}{
		{"the same", one(intColumn, textColumn), one(intColumn, textColumn), ""},
		{"nobody said it", nil, one(intColumn), ""},
		{"nobody says it", one(intColumn), nil, ""},
		{"another type", one(intColumn), one(bigColumn), "its %s is (amount BIGINT), in the snapshot (amount INT)"},
		{"NULL", one(notNullInt), one(intColumn), "its %s is (amount INT), in the snapshot (amount INT NOT NULL)"},
		{"another name", one(intColumn), one(columnOf("sum", intColumn.Type)), "its %s is (sum INT), in the snapshot (amount INT)"},
		{"one more", one(intColumn), one(intColumn, textColumn), "its %s is (amount INT, text STRING), in the snapshot (amount INT)"},
		{"no type", one(intColumn), one(columnOf("amount", types.Type{})), "column amount in the bytes of table"},
	} {
		s := newStore(sampleSpec())
		if err := declare(s, c.had...); err != nil {
			t.Fatal(err)
		}
		err := declare(restoreFiles(t, writeFrozen(t, s)), c.want...)
		if c.refused == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err == nil || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, what := range []string{"order", "key"} {
			if want := strings.Replace(c.refused, "%s", what, 1); !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", c.name, want, err)
			}
		}
	}
	if err := declare(newStore(sampleSpec()), columnOf("amount", types.Type{})); failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("no type, in a new store: %v", err)
	}
}

// TestWrongFlags are the caller's bugs.
func TestWrongFlags(t *testing.T) {
	noBit := flagOf("amount")
	noBit.Type = types.Of(types.Int)
	second := flagOf("amount")
	second.Name = "second"
	for name, columns := range map[string][]statebackend.ColumnSpec{
		"of no column":  {flagOf("amount")},
		"of a flag":     {intColumn, flagOf("amount"), flagOf("amount_null")},
		"no BOOLEAN":    {intColumn, noBit},
		"two of one":    {intColumn, flagOf("amount"), second},
		"a name twice":  {intColumn, intColumn},
		"a flag's name": {intColumn, flagOf("amount"), columnOf("amount_null", types.Of(types.Int))},
	} {
		for _, sh := range []shape{shapeValue, shapeMultimap, shapeOrderedMap, shapeList, shapeBroadcast} {
			if err := isBug(func() error { return declareAs(newStore(sampleSpec()), sh, oneKey, true, columns...) }); err != nil {
				t.Errorf("%s in a new %s: %v", name, sh, err)
			}
			if err := isBug(func() error { return declareAs(restoredFrom(t, sh, intColumn), sh, oneKey, true, columns...) }); err != nil {
				t.Errorf("%s in a restored %s: %v", name, sh, err)
			}
		}
	}
}

// isBug returns nil if a call says that it is a bug: by an error of ours, or by a panic where invariants are watched over.
func isBug(call func() error) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil && invariant.Enabled {
			err = nil
		} else if thrown != nil {
			panic(thrown)
		}
	}()
	if err = call(); err == nil {
		return errors.New("no error")
	}
	if failure.ClassOf(err).Domain == failure.DomainInternal {
		return nil
	}
	return err
}

// evolvedFiles writes a base of a table with one column, and the base and the delta of what it evolved to.
func evolvedFiles(t *testing.T) (old, base, delta []byte) {
	t.Helper()
	s := newStore(sampleSpec())
	put := func(s *store, words ...uint64) {
		t.Helper()
		columns := []statebackend.ColumnSpec{intColumn, flagOf("amount"), columnOf("visits", types.Of(types.BigInt)), flagOf("visits")}
		v, err := s.Value(statebackend.ValueSpec{ID: evolvingID, Keys: oneKey, Columns: columns[:len(words)], Evolves: true})
		if err != nil {
			t.Fatal(err)
		}
		slots := make([]Slot, 3)
		if _, err := v.Part(0, true).Upsert(sampleKeys(t, 3, oneKey...), slots[:]); err != nil {
			t.Fatal(err)
		}
		copy(v.Part(0, false).Rows().At(slots[2]), words)
	}
	put(s, 7)
	old = writeFrozen(t, s)
	s = restoreFiles(t, old)
	put(s, 8, 0, 9, 0)
	base = writeFrozen(t, s)
	s.tables[0].value.Part(0, false).Touch([]Slot{1})
	return old, base, writeFrozen(t, s)
}

// rowsOf returns the words of a Value table's rows, by key.
func rowsOf(t *testing.T, s *store, keys int) (out [][]uint64) {
	t.Helper()
	p, slots := s.tables[0].value.Part(0, false), make([]Slot, keys)
	p.Find(sampleKeys(t, keys, oneKey...), slots)
	for _, at := range slots {
		out = append(out, p.Rows().At(at))
	}
	return out
}

// TestChainIsOfOneLayout: what evolved begins its files anew, so a chain with two layouts was written by nobody, and is refused
// when it is read and when it is merged. A base in the middle of a chain ends what was before.
func TestChainIsOfOneLayout(t *testing.T) {
	old, base, delta := evolvedFiles(t)
	file := func(data []byte) statebackend.File { return bytesFile{"file", data} }
	var merged bytes.Buffer
	if _, err := New().Merge(t.Context(), []statebackend.File{file(old), file(base), file(delta)}, types.AllKeyGroups(4), &merged); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*store{"files": restoreFiles(t, old, base, delta), "merged": restoreFiles(t, merged.Bytes())} {
		if diff := cmp.Diff([]statebackend.ColumnSpec{intColumn, flagOf("amount"), columnOf("visits", types.Of(types.BigInt)), flagOf("visits")}, s.tables[0].value.spec.Columns); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([][]uint64{{0, 0, 0, 1}, {0, 0, 0, 1}, {8, 0, 9, 0}}, rowsOf(t, s, 3)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	mixed := []statebackend.File{file(old), file(delta)}
	spec := sampleSpec()
	spec.Restore = [][]statebackend.File{mixed}
	if _, err := New().Open(t.Context(), spec); !errors.Is(err, statebackend.ErrCorrupt) || !strings.Contains(err.Error(), "the snapshot lacks column amount_null") {
		t.Errorf("a chain of two layouts is opened: %v", err)
	}
	if _, err := New().Merge(t.Context(), mixed, types.AllKeyGroups(4), &merged); !errors.Is(err, statebackend.ErrCorrupt) {
		t.Errorf("a chain of two layouts is merged: %v", err)
	}
}

// TestEvolutionFreesByteStrings: what nobody has a column for takes no memory.
func TestEvolutionFreesByteStrings(t *testing.T) {
	const rows, each = 1000, 4000
	for _, sh := range []shape{shapeValue, shapeMultimap, shapeOrderedMap} {
		s := newStore(sampleSpec())
		keys := sampleKeys(t, rows, oneKey...)
		fill(t, s, sh, keys, each)
		s = restoreFiles(t, writeFrozen(t, s))
		before := s.memory.used() - s.memory.mu.pooled
		if err := declareAs(s, sh, oneKey, true, intColumn); err != nil {
			t.Fatal(err)
		}
		if freed := before - (s.memory.used() - s.memory.mu.pooled); freed < rows*each*2/3 {
			t.Errorf("%s: %d bytes are free of %d that were left behind", sh, freed, rows*each)
		}
	}
}

// fill puts rows with texts into a new table.
func fill(t *testing.T, s *store, sh shape, keys *stream.Keys, textBytes int) {
	t.Helper()
	if err := declareAs(s, sh, oneKey, false, intColumn, textColumn); err != nil {
		t.Fatal(err)
	}
	text, n := strings.Repeat("x", textBytes), keys.Len()
	if sh == shapeValue {
		slots := make([]Slot, n)
		p := s.tables[0].value.Part(0, true)
		_, err := p.Upsert(keys, slots)
		for _, at := range slots {
			err = errors.Join(err, p.SetBytes(1, at, []byte(text)))
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	schema := types.NewSchema(types.Field{Name: "amount", Type: intColumn.Type}, types.Field{Name: "text", Type: textColumn.Type})
	var pool stream.Pool
	b := pool.NewBatch(schema, n)
	amounts, texts := stream.NewBuilder(&pool, intColumn.Type, n), stream.NewBuilder(&pool, textColumn.Type, n)
	for i := range n {
		stream.AppendFixed(amounts, int32(i))
		texts.AppendString(text)
	}
	b.Columns[0], b.Columns[1] = amounts.Finish(), texts.Finish()
	if err := (multimapTable{s.tables[0].sorted}).appendAny(keys, b); err != nil {
		t.Fatal(err)
	}
}

// appendAny appends rows to a multimap, or puts them into an ordered map.
func (t multimapTable) appendAny(keys *stream.Keys, b *stream.Batch) error {
	if t.shape == shapeMultimap {
		return t.Append(keys, b)
	}
	var orders statebackend.Orders
	for range keys.Len() {
		orders.Append([]byte("o"))
	}
	return orderedMapTable(t).Put(keys, &orders, b)
}
