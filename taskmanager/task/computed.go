package task

import (
	"millrace/connectors"
	"millrace/expr/kernel"
	"millrace/stream"
)

// computed is a reader whose rows have other columns than were read: event time may be made of a computed one, so
// that they can't wait for the chain.
type computed struct {
	connectors.Reader
	columns *kernel.Projection
	pool    *stream.Pool
}

// Computed returns a reader that gives the columns of p, computed of those that r gives. It takes r over.
func Computed(r connectors.Reader, p *kernel.Projection, pool *stream.Pool) connectors.Reader {
	return &computed{Reader: r, columns: p, pool: pool}
}

// Began implements connectors.Locator.
func (c *computed) Began() string { return began(c.Reader) }

// Read implements connectors.Reader.
func (c *computed) Read() (*stream.Batch, connectors.ReadStatus, error) {
	b, status, err := c.Reader.Read()
	if b == nil || err != nil {
		return b, status, err
	}
	defer b.Release()
	out, err := c.columns.Apply(c.pool, b)
	return out, status, err
}
