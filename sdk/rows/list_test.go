package rows_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
)

// listTable is a list in memory.
type listTable struct{ entries [][]byte }

func (l *listTable) Get() [][]byte { return l.entries }

func (l *listTable) Set(entries [][]byte) error {
	l.entries = entries
	return nil
}

// TestRowsInAList: rows of every type come out of a list as they went in, and what is no entry is an error.
func TestRowsInAList(t *testing.T) {
	m, err := rows.Of(reflect.TypeFor[everything]())
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	table := &listTable{}
	list, err := native.NewRowList(table, m.Schema, &pool)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	var in, out []everything
	for range 20 {
		some := make([]everything, 1+r.IntN(100))
		for i := range some {
			some[i] = draw(r)
		}
		if err := list.Add(batchOf(t, &pool, m, some)); err != nil {
			t.Fatal(err)
		}
		in = append(in, some...)
	}
	if err := list.Set(); err != nil {
		t.Fatal(err)
	}
	tile := rows.NewTile[everything](m, nil)
	read := func(b *stream.Batch) error {
		defer b.Release()
		some, err := tile.Read(b, 0, b.Rows())
		out = append(out, some...)
		return err
	}
	if err := list.Each(read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out, equal...); diff != "" {
		t.Error(diff)
	}
	entry := table.entries[0]
	for n := range len(entry) {
		table.entries = [][]byte{entry[:n]}
		if err := list.Each(read); err == nil {
			t.Fatalf("an entry that is cut to %d of %d bytes is read", n, len(entry))
		}
	}
	table.entries = [][]byte{entry}
	for other, problem := range map[reflect.Type]string{
		reflect.TypeFor[struct{ Text int64 }](): "column text is BIGINT", reflect.TypeFor[struct{ Medium int16 }](): "column medium is SMALLINT", reflect.TypeFor[struct {
			Wide rows.Decimal `type:"DECIMAL(30, 4)"`
		}](): "column wide is DECIMAL(30, 4) NOT NULL",
	} {
		m, err := rows.Of(other)
		if err != nil {
			t.Fatal(err)
		}
		if list, err = native.NewRowList(table, m.Schema, &pool); err != nil {
			t.Fatal(err)
		}
		if err := list.Each(read); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("rows with other columns, %v: %v", other, err)
		}
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers and batches leak", n)
	}
}
