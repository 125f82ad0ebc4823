package columnar

import (
	"context"
	"fmt"

	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/types"
)

// Layout is what files say of the tables in them.
type Layout struct {
	// Oldest is the format version of the oldest file.
	Oldest int
	Tables []TableLayout // ordered by id
}

// TableLayout describes a table. Keys and Columns are those that its shape has.
type TableLayout struct {
	ID         statebackend.TableID
	Shape      string
	Namespaced bool
	Keys       []types.Type
	Columns    []statebackend.ColumnSpec
	// Rows is how many rows the files put into the table: its rows, where the
	// chain is one base, else an upper bound of them.
	Rows int64
}

// ReadLayout reads the headers of a chain of files. It verifies the headers, and nothing behind them.
func ReadLayout(ctx context.Context, chain []statebackend.File) (Layout, error) {
	if len(chain) == 0 || len(chain) > chainMax {
		return Layout{}, invariant.Failedf("layout of a chain of %d files", len(chain))
	}
	out := Layout{Oldest: FormatVersion}
	rows := make(map[statebackend.TableID]int64)
	var last *fileHeader
	for _, f := range chain {
		h, version, err := readVersionedHeader(ctx, f)
		if err != nil {
			return Layout{}, err
		}
		if h.Kind == statebackend.Base {
			clear(rows)
			out.Oldest = FormatVersion
		}
		out.Oldest = min(out.Oldest, int(version))
		for i := range h.Tables {
			rows[h.Tables[i].id()] += max(h.Tables[i].Rows, 0)
		}
		last = h
	}
	for i := range last.Tables {
		t := &last.Tables[i]
		out.Tables = append(out.Tables, TableLayout{
			ID: t.id(), Shape: t.Shape.String(), Namespaced: t.Namespaced, Keys: typesOf(t.Keys), Columns: t.columns(), Rows: rows[t.id()],
		})
	}
	return out, nil
}

// OpenLayout returns a store that has the tables of a chain of files, and none of their rows. Who declares tables in it is
// refused what Open with these files would refuse. An empty chain gives a store without tables.
func (*Backend) OpenLayout(ctx context.Context, spec statebackend.OpenSpec, chain []statebackend.File) (statebackend.Store, error) {
	if err := checkOpen(&spec); err != nil {
		return nil, err
	}
	r := restorer{spec: spec, store: newStore(spec)}
	if len(chain) == 0 {
		return r.store, nil
	}
	h, err := readHeader(ctx, chain[len(chain)-1])
	if err != nil {
		return nil, err
	}
	for i := range h.Tables {
		h.Tables[i].Rows = 0 // no memory is taken for them
	}
	if _, err := r.tables(h); err != nil {
		r.drop()
		return nil, fmt.Errorf("tables of %s: %w", chain[len(chain)-1].Name(), err)
	}
	return r.store, nil
}
