package native_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/operators/native"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// listOf returns rows kept in a list.
func listOf(t *testing.T, pool *stream.Pool, s *types.Schema, rows string) statebackend.ListTable {
	t.Helper()
	table, err := store(t).List(statebackend.ListSpec{ID: statebackend.TableID{Operator: "op", Name: "waiting"}, Redistribution: statebackend.SplitEven})
	if err != nil {
		t.Fatal(err)
	}
	l, err := native.NewRowList(table, s, pool)
	if err == nil {
		err = l.Add(streamtest.Batch(t, pool, s, rows))
	}
	if err == nil {
		err = l.Set()
	}
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// read returns the rows of a list for a program whose rows have other columns.
func read(t *testing.T, pool *stream.Pool, table statebackend.ListTable, s *types.Schema) (rows []string, err error) {
	t.Helper()
	l, err := native.NewRowList(table, s, pool)
	if err != nil {
		t.Fatal(err)
	}
	err = l.Each(func(b *stream.Batch) error {
		rows = append(rows, streamtest.Rows(b)...)
		b.Release()
		return nil
	})
	return rows, err
}

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

// TestRowListEvolves: columns are found by name; added ones are what nobody set, narrower ones are converted, kinds of rows stay; anything else is refused.
func TestRowListEvolves(t *testing.T) {
	text, decimal := types.StringType().NotNull(), func(p, s int) types.Type { return types.DecimalOf(p, s).NotNull() }
	inner := types.RowOf(field("n", wide), field("note", text.AsNullable())).NotNull()
	had := types.NewSchema(
		field("id", narrow), field("name", text), field("old", wide), field("price", decimal(5, 2)), field("ratio", types.Of(types.Float).NotNull()), field("maybe", types.Of(types.Int)),
		field("inner", inner), field("tags", types.ArrayOf(text).NotNull()),
	)
	const kept = `
		+I 1 'ann' 7 12.34 0.5 NULL (3, NULL) ['a', 'b']
		-D 2147483647 'bob' 8 999.99 -1.5 5 (4, 'x') []`
	has := types.NewSchema(
		field("name", text), field("id", wide), field("price", decimal(30, 4)), field("ratio", types.Of(types.Double).NotNull()), field("maybe", types.Of(types.BigInt)),
		field("inner", inner), field("tags", types.ArrayOf(text).NotNull()),
		field("count", wide), field("since", types.Of(types.BigInt)), field("also", types.RowOf(field("n", narrow), field("note", text.AsNullable())).NotNull()),
		field("list", types.ArrayOf(narrow).NotNull()), field("word", text), field("yes", types.Of(types.Boolean).NotNull()), field("sum", decimal(30, 2)),
	)
	var pool stream.Pool
	table := listOf(t, &pool, had, kept)
	got, err := read(t, &pool, table, has)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"+I 'ann' 1 12.3400 0.5 NULL (3, NULL) ['a', 'b'] 0 NULL (0, NULL) [] '' FALSE 0.00",
		"-D 'bob' 2147483647 999.9900 -1.5 5 (4, 'x') [] 0 NULL (0, NULL) [] '' FALSE 0.00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, err = read(t, &pool, table, had); err != nil || len(got) != 2 || !strings.HasPrefix(got[0], "+I 1 'ann' 7 12.34") {
		t.Errorf("rows of the same columns: %v, %v", got, err)
	}
	for name, s := range map[string]*types.Schema{
		"narrower": types.NewSchema(field("id", types.Of(types.SmallInt).NotNull())), "another type": types.NewSchema(field("name", wide)), "NULL is there": types.NewSchema(field("maybe", narrow)),
	} {
		_, err := read(t, &pool, table, s)
		if failure.ClassOf(err) != (failure.Class{Domain: failure.DomainUser, Retry: failure.Never}) || !strings.Contains(err.Error(), s.Fields[0].Name) || !strings.Contains(err.Error(), "stop --drain") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers are out", n)
	}
}
