package sdk

import (
	"fmt"

	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
)

// Collector takes the rows that a function gives. It is for the call in which the function got it, and for the function's goroutine.
type Collector[T any] struct {
	mapping *rows.Mapping
	out     *native.Out
	tile    []T
	kinds   []stream.RowKind
	kind    stream.RowKind // of what is collected
	n       int
	err     error
}

// givenMax bounds the rows that wait to leave: calls that give more are taken for endless.
const givenMax = 4 << 20

func newCollector[T any](m *rows.Mapping) *Collector[T] {
	return &Collector[T]{mapping: m, tile: make([]T, rows.TileRows), kinds: make([]stream.RowKind, rows.TileRows)}
}

// Collect gives a row. What its slices, maps and pointers lead to is read later, so it must not be changed any more.
func (c *Collector[T]) Collect(row T) {
	c.tile[c.n], c.kinds[c.n] = row, c.kind
	if c.n++; c.n == len(c.tile) {
		c.flush()
	}
}

// flush hands the rows on to the columns.
func (c *Collector[T]) flush() {
	n := c.n
	c.n = 0
	if c.err != nil || n == 0 {
		return
	}
	if c.err = rows.Append(c.mapping, c.tile[:n], c.out.Columns); c.err != nil {
		return
	}
	c.out.MarkAll(c.kinds[:n])
	clear(c.tile[:n]) // what rows point to is nobody's any more
	if c.out.Rows() > givenMax {
		c.err = fmt.Errorf("one call gave more than %d rows", givenMax)
	}
}

// settle hands on what is left, and returns what went wrong.
func (c *Collector[T]) settle() error {
	c.flush()
	return c.err
}
