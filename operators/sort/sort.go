package sort

import (
	"encoding/binary"
	"fmt"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/keyed"
	"millrace/operators/ordering"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Register adds the operators of this folder.
func Register(r *operators.Registry) {
	r.Register(jobgraph.KindSort, New)
	r.Register(jobgraph.KindLimit, NewLimit)
}

const (
	// arrivalBytes is what keeps rows apart, and as they arrived, that the ORDER BY does not.
	arrivalBytes = 8
	// firstRows is the size of a first batch of rows whose length nobody knows.
	firstRows = 256
)

// Sort keeps rows in order until they may leave.
type Sort struct {
	spec    *jobgraph.SortSpec
	ctx     *operators.Context
	byTime  bool
	encoder *ordering.Encoder
	reader  *stream.KeyReader // of no columns: all rows have one key
	rows    statebackend.OrderedMapTable
	next    counter

	orders   statebackend.Orders
	scan     statebackend.OrderedScan
	scanned  statebackend.OrderedRows
	rowsMax  int // of the next batch: less than RowsMax where they are long
	variable bool

	watermark stream.Watermark
	giving    bool
	finished  bool
}

// New makes a sort. It is an operators.Factory.
func New(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.SortSpec)
	if len(spec.Order) == 0 && spec.Time == jobgraph.NoColumn {
		return nil, failure.Userf("sort %s has nothing to sort by", o.UID)
	}
	return &Sort{spec: spec, byTime: spec.Time != jobgraph.NoColumn}, nil
}

// Open declares the tables. Rows that the restored watermark has reached are pending afterwards.
func (s *Sort) Open(ctx *operators.Context) error {
	s.ctx = ctx
	if err := s.open(ctx.Inputs[0]); err != nil {
		return fmt.Errorf("sort %s: %w", ctx.Operator, err)
	}
	s.rowsMax = ctx.RowsMax
	for _, f := range ctx.Inputs[0].Fields {
		s.variable = s.variable || f.Type.Layout() == types.LayoutBytes
	}
	if s.variable {
		s.rowsMax = min(ctx.RowsMax, firstRows)
	}
	s.scanned.Columns = keyed.Builders(ctx.Pool, ctx.Inputs[0])
	s.watermark = ctx.Watermark
	s.giving = s.byTime && s.watermark != stream.NoWatermark
	return nil
}

func (s *Sort) open(in *types.Schema) (err error) {
	by := s.spec.Order
	if s.byTime {
		by = append([]jobgraph.SortColumn{{Column: s.spec.Time}}, by...)
	}
	if s.encoder, err = ordering.NewEncoder(in, by); err != nil {
		return failure.Userf("%w", err)
	}
	if s.reader, err = stream.NewKeyReader(in, nil); err != nil {
		return err
	}
	columns := statebackend.ColumnsOf(in.Fields)
	s.rows, err = s.ctx.State.OrderedMap(statebackend.OrderedMapSpec{
		ID: statebackend.TableID{Operator: s.ctx.Operator, Name: "rows"}, Columns: columns,
	})
	if err != nil {
		return err
	}
	return s.next.open(s.ctx, "arrivals")
}

// Process puts rows where they belong. Late ones are dropped.
func (s *Sort) Process(_ int, b *stream.Batch) error {
	if err := s.process(b); err != nil {
		return fmt.Errorf("sort %s: %w", s.ctx.Operator, err)
	}
	return nil
}

func (s *Sort) process(b *stream.Batch) error {
	if err := insertsOnly(b); err != nil {
		return err
	}
	b, err := s.inTime(b)
	if err != nil || b == nil {
		return err
	}
	defer b.Release()
	n := b.Rows()
	s.ctx.Counts.Folded += int64(n)
	s.orders.Reset()
	var tail [arrivalBytes]byte
	s.encoder.Append(b, tail[:], &s.orders)
	from, err := s.next.add(n)
	if err != nil {
		return err
	}
	for i := range n {
		order := s.orders.At(i)
		binary.BigEndian.PutUint64(order[len(order)-arrivalBytes:], uint64(from)+uint64(i))
	}
	return s.rows.Put(s.reader.Read(b), &s.orders, b)
}

// inTime returns the rows that are not late, nil for none; the caller owns them.
func (s *Sort) inTime(b *stream.Batch) (*stream.Batch, error) {
	if !s.byTime {
		return b.Retain(), nil
	}
	v := &b.Columns[s.spec.Time]
	sel := make([]int32, 0, b.Rows())
	for i := range b.Rows() {
		row := b.Row(i)
		if v.IsNull(row) {
			return nil, failure.Userf("time column %s is NULL in a row; rows are sorted by it, filter such rows out before", b.Schema.Fields[s.spec.Time].Name)
		}
		if stream.Watermark(stream.Value[int64](v, row)) > s.watermark {
			sel = append(sel, int32(row))
		}
	}
	late := b.Rows() - len(sel)
	s.ctx.Counts.Late += int64(late)
	switch {
	case len(sel) == 0:
		return nil, nil
	case late == 0:
		return b.Retain(), nil
	default:
		return operators.Select(b, sel), nil
	}
}

// insertsOnly reports rows that take others back.
func insertsOnly(b *stream.Batch) error {
	if b.Kinds() == nil {
		return nil
	}
	for i := range b.Rows() {
		if k := b.Kind(b.Row(i)); k != stream.Insert {
			return failure.Internalf("a row of kind %s came where only +I can", k)
		}
	}
	return nil
}

// Advance lets the rows go that the watermark has reached.
func (s *Sort) Advance(w stream.Watermark) error {
	if s.byTime && w > s.watermark {
		s.watermark, s.giving = w, true
	}
	return nil
}

// Flush does nothing: all rows are in the table.
func (s *Sort) Flush() error { return nil }

// Finish lets all rows go.
func (s *Sort) Finish() error {
	s.finished, s.giving = true, true
	return nil
}

// Next gives the next rows. They leave the table as they are returned.
func (s *Sort) Next() (operators.Output, error) {
	if !s.giving {
		return operators.Output{}, nil
	}
	b, err := s.take()
	if err != nil {
		return operators.Output{}, fmt.Errorf("sort %s: %w", s.ctx.Operator, err)
	}
	s.giving = b != nil
	return operators.Output{Batch: b}, nil
}

// take takes the next rows out of the table, nil where none may leave.
func (s *Sort) take() (*stream.Batch, error) {
	s.scanned.Positions = s.scanned.Positions[:0]
	s.scanned.Orders.Reset()
	s.scan = statebackend.OrderedScan{Keys: &s.next.key, To: s.scan.To, Last: s.scan.Last[:0], Limit: s.rowsMax}
	s.scan.To.Reset()
	if s.byTime && !s.finished && s.watermark < stream.MaxWatermark {
		s.scan.To.Append(s.encoder.AppendInteger(nil, 0, int64(s.watermark)+1))
	}
	if err := s.rows.Next(&s.scan, s.rowsMax, &s.scanned); err != nil {
		return nil, err
	}
	n := s.scanned.Orders.Len()
	if n == 0 {
		return nil, nil
	}
	b := s.ctx.Pool.NewBatch(s.ctx.Output, n)
	for c, builder := range s.scanned.Columns {
		b.Columns[c] = builder.Finish()
	}
	s.rows.Delete(s.reader.Read(b), &s.scanned.Orders, nil)
	if s.variable {
		s.rowsMax = min(max(stream.BatchBytesTarget/max(b.SizeBytes()/n, 1), 1), s.ctx.RowsMax)
	}
	return b, nil
}

// ResumesAdvance is true: rows are in the table until they leave.
func (s *Sort) ResumesAdvance() bool { return true }

// Close gives back what the operator holds.
func (s *Sort) Close() error {
	for _, b := range s.scanned.Columns {
		b.Close()
	}
	return nil
}
