package columnar

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	// Entries is what the bytes of a list's entries hold, and of a broadcast map's values, where the file says it.
	Entries []statebackend.ColumnSpec
	// Orders is what the bytes of an ordered map's orders hold, and of a broadcast map's keys, where the file says it.
	Orders []statebackend.ColumnSpec
}

// ReadLayout reads the headers of a chain of files. It verifies the headers, and nothing behind them.
func ReadLayout(ctx context.Context, chain []statebackend.File) (Layout, error) {
	if len(chain) == 0 || len(chain) > chainMax {
		return Layout{}, invariant.Failedf("layout of a chain of %d files", len(chain))
	}
	out := Layout{Oldest: FormatVersion}
	var last *fileHeader
	for _, f := range chain {
		h, version, err := readVersionedHeader(ctx, f)
		if err != nil {
			return Layout{}, err
		}
		if h.Kind == statebackend.Base {
			out.Oldest = FormatVersion
		}
		out.Oldest = min(out.Oldest, int(version))
		last = h
	}
	for i := range last.Tables {
		t := &last.Tables[i]
		out.Tables = append(out.Tables, TableLayout{
			ID: t.id(), Shape: t.Shape.String(), Namespaced: t.Namespaced, Keys: typesOf(t.Keys), Columns: t.columns(), Entries: t.entries(), Orders: t.orders(),
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

// EachRows gives the rows of a table in a base file, as the Arrow IPC streams in which they stand: the columns are those
// that the package comment describes. The bytes are valid for the call. It reads the file to its end and verifies it;
// a table that the file does not have gives none.
func EachRows(ctx context.Context, file statebackend.File, id statebackend.TableID, each func(ipc []byte) error) error {
	in, err := file.Open(ctx)
	if err != nil {
		return named(file.Name(), err)
	}
	defer func() { _ = in.Close() }() // only read from
	f, err := openFile(in)
	if err != nil {
		return named(file.Name(), err)
	}
	if f.header.Kind != statebackend.Base {
		return named(file.Name(), damaged("it is a delta, whose rows are not a table's"))
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, payload, ok, err := f.next()
		if err != nil {
			return named(file.Name(), err)
		}
		if !ok {
			return nil
		}
		if h.op != opPut || f.header.Tables[h.table].id() != id {
			continue
		}
		if err := each(payload); err != nil {
			return err
		}
	}
}

// PutRows returns how many rows a file puts into each of its tables, in the order of ReadLayout's, from its footer alone:
// nothing else of the file is read or verified.
func PutRows(file io.ReaderAt, size int64, tables int) ([]int64, error) {
	var trailer [trailerBytes]byte
	if _, err := file.ReadAt(trailer[:], size-trailerBytes); err != nil {
		return nil, footerError(err)
	}
	at, length := binary.LittleEndian.Uint64(trailer[:]), binary.LittleEndian.Uint64(trailer[8:])
	if length < sectionBytes || length > sectionBytes+descriptionBytesMax || at > uint64(size) || at+length != uint64(size)-trailerBytes {
		return nil, footerError(io.ErrUnexpectedEOF)
	}
	f := &fileReader{r: bufio.NewReader(io.NewSectionReader(file, int64(at), int64(length))), sum: sha256.New()}
	h, payload, err := f.section()
	if err != nil {
		return nil, footerError(err)
	}
	footer := &fileFooter{}
	if err := json.Unmarshal(payload, footer); err != nil || h.kind != sectionFooterJSON {
		return nil, footerError(io.ErrUnexpectedEOF)
	}
	rows := make([]int64, tables)
	for _, s := range footer.Sections {
		if s.Table < 0 || s.Table >= tables || s.Rows < 0 {
			return nil, footerError(io.ErrUnexpectedEOF)
		}
		if s.Op == opPut || s.Op == opNone {
			rows[s.Table] += int64(s.Rows)
		}
	}
	return rows, nil
}

func footerError(err error) error {
	if _, ok := errors.AsType[*damage](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it has no footer: %w", statebackend.ErrCorrupt, err)
	}
	return err
}
