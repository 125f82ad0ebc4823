package correlate

import (
	"fmt"
	"slices"

	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// Function is a table function: it makes any number of rows of each row of arguments.
type Function struct {
	// Columns returns the types of the columns that it gives for arguments of these types, or an error of the user.
	Columns func(args []types.Type) ([]types.Type, error)
	// Eval appends the rows made of each selected row of args (a column an argument), in their order, to out (a builder a
	// column), and puts their number into counts. Of equal arguments it makes equal rows: rows that are taken back
	// come through it a second time. It is called by any number of goroutines.
	Eval func(args *stream.Batch, out []*stream.Builder, counts []int32) error
}

// Functions are those that jobs may name, in upper case.
type Functions map[string]Function

// made is what was made of a batch: rows of columns, of which row i of the batch has those from, ..., to-1.
type made struct {
	columns  []stream.Vector
	from, to []int64
	counts   []int32 // scratch of call
	// structs tells which rows are NULL as a whole; nil: none is.
	structs *stream.Vector
}

func (m *made) release() {
	for i := range m.columns {
		m.columns[i].Release()
	}
	m.columns, m.structs = m.columns[:0], nil
}

// unnest makes rows of the elements of lists. The lists are borrowed, and must stay as long as the rows.
func (m *made) unnest(b *stream.Batch, lists *stream.Vector) {
	flat := lists
	if lists.Encoding == stream.Dictionary {
		flat = lists.Dict()
	}
	m.from, m.to = m.from[:0], m.to[:0]
	for i := range b.Rows() {
		row := b.Row(i)
		if lists.IsNull(row) {
			m.from, m.to = append(m.from, 0), append(m.to, 0)
			continue
		}
		switch lists.Encoding {
		case stream.Constant:
			row = 0
		case stream.Dictionary:
			row = int(lists.Indices()[row])
		}
		m.from, m.to = append(m.from, int64(flat.Offsets()[row])), append(m.to, int64(flat.Offsets()[row+1]))
	}
	elements := flat.Child(0)
	if elements.Type.Kind != types.Row {
		elements.Retain()
		m.columns = append(m.columns, *elements)
		return
	}
	if elements.HasNulls() {
		m.structs = elements
	}
	for i := range elements.NumChildren() {
		c := elements.Child(i)
		c.Retain()
		m.columns = append(m.columns, *c)
	}
}

// replicate has each row come as often as a number says. The rows made have no columns: their numbers alone count.
func (m *made) replicate(b *stream.Batch, times *stream.Vector) {
	m.from, m.to = m.from[:0], m.to[:0]
	for i := range b.Rows() {
		n := int64(0)
		if row := b.Row(i); !times.IsNull(row) {
			n = max(stream.Value[int64](times, row), 0)
		}
		m.from, m.to = append(m.from, 0), append(m.to, n)
	}
}

// call makes rows by a function.
func (m *made) call(f *Function, args *stream.Batch, out []*stream.Builder) error {
	n := args.Rows()
	m.from, m.to, m.counts = slices.Grow(m.from[:0], n)[:n], slices.Grow(m.to[:0], n)[:n], slices.Grow(m.counts[:0], n)[:n]
	clear(m.counts)
	if err := f.Eval(args, out, m.counts); err != nil {
		return err
	}
	end := int64(0)
	for i, count := range m.counts {
		if count < 0 {
			return fmt.Errorf("it counts %d rows", count)
		}
		m.from[i] = end
		end += int64(count)
		m.to[i] = end
	}
	for _, b := range out {
		if b.Len() != int(end) {
			return fmt.Errorf("it counts %d rows and gives %d values of a column", end, b.Len())
		}
	}
	for _, b := range out {
		m.columns = append(m.columns, b.Finish())
	}
	return nil
}

// check compares what the function gives with what the job says.
func (f *Function) check(spec *jobgraph.CorrelateSpec) error {
	args := make([]types.Type, len(spec.Args))
	for i, a := range spec.Args {
		args[i] = a.Type()
	}
	got, err := f.Columns(args)
	if err != nil {
		return err
	}
	if spec.Ordinality {
		got = append(slices.Clone(got), jobgraph.Ordinal)
	}
	if !slices.EqualFunc(got, spec.Columns, func(t types.Type, f types.Field) bool { return t.EqualIgnoringNull(f.Type) }) {
		return fmt.Errorf("it gives %v, not the columns of the job", got)
	}
	return nil
}
