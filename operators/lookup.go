package operators

import (
	"millrace/jobgraph"
	"millrace/stream"
)

// LookupSource is a table outside the job in which rows are looked up.
type LookupSource interface {
	// Load reads all of it, and gives every batch to take, which borrows it for the call; an error of take ends it. It may
	// block for as long as the table takes to be read, and is called before any row is processed.
	Load(pool *stream.Pool, take func(*stream.Batch) error) error
}

// LookupOpener opens the table that a job describes, without reaching out.
type LookupOpener func(*jobgraph.LookupTable) (LookupSource, error)
