package kernel

import (
	"fmt"

	"millrace/expr"
	"millrace/failure"
	"millrace/stream"
)

// frame is what one evaluation runs over: n physical rows of which sel (nil:
// all) count. Nodes narrow sel for what is below them.
type frame struct {
	pool  *stream.Pool
	batch *stream.Batch
	n     int
	sel   []int32
}

func frameOf(pool *stream.Pool, b *stream.Batch) frame {
	return frame{pool: pool, batch: b, n: b.Len(), sel: b.Sel()}
}

// rows returns the number of rows that count.
func (f frame) rows() int {
	if f.sel != nil {
		return len(f.sel)
	}
	return f.n
}

// first returns the position of the first row that counts; there is one.
func (f frame) first() int {
	if f.sel != nil {
		return int(f.sel[0])
	}
	return 0
}

// within returns the frame with another selection, which must not be nil.
func (f frame) within(sel []int32) frame { f.sel = sel; return f }

func (f frame) appendAll(sel []int32) []int32 {
	if f.sel != nil {
		return append(sel, f.sel...)
	}
	for i := range f.n {
		sel = append(sel, int32(i))
	}
	return sel
}

// rowError is the failure of one row. It is made once a batch at most.
func rowError(row int, e expr.Expr, err error) error {
	return failure.User(fmt.Errorf("row %d: %s: %w", row, brief(e), err))
}

const briefMax = 200

// brief prints an expression for an error, the beginning of a long one.
func brief(e expr.Expr) string {
	s := e.String()
	if len(s) > briefMax {
		s = s[:prefix([]byte(s), briefMax)] + "..."
	}
	return s
}

// node is a compiled expression.
type node interface {
	// eval returns a vector, owned by the caller, whose rows that count in the
	// frame (there is at least one) hold the values. It is flat or a
	// dictionary of f.n rows, or constant of any number of rows.
	eval(f frame) (stream.Vector, error)
	// guarded tells that the node should not see rows that don't matter,
	// since it may fail on them or is dear.
	guarded() bool
}

// columnNode is an input column.
type columnNode int

func (c columnNode) eval(f frame) (stream.Vector, error) {
	v := f.batch.Columns[c]
	v.Retain()
	return v, nil
}

func (columnNode) guarded() bool { return false }

// constantNode is a literal, in memory that the program owns.
type constantNode struct{ v stream.Vector }

func (c *constantNode) eval(frame) (stream.Vector, error) {
	v := c.v
	v.Retain()
	return v, nil
}

func (*constantNode) guarded() bool { return false }
