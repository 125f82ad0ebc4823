package exchange

import (
	"millrace/failure"
	"millrace/internal/invariant"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// OutletOptions tunes an outlet. Zero fields mean the constants of the same name.
type OutletOptions struct {
	ShareRowsMin int
	HoldRows     int
	HoldBytes    int
}

func (o *OutletOptions) ensureDefaults() {
	if o.ShareRowsMin <= 0 {
		o.ShareRowsMin = ShareRowsMin
	}
	if o.HoldRows <= 0 {
		o.HoldRows = HoldRows
	}
	// What is held plus a share must fit in a batch.
	o.ShareRowsMin = min(o.ShareRowsMin, stream.RowsMax/2)
	o.HoldRows = min(o.HoldRows, stream.RowsMax/2)
	if o.HoldBytes <= 0 {
		o.HoldBytes = HoldBytes
	}
}

// NewOutlet returns the outlet of an edge over the channels to its consuming
// subtasks, in their order. It takes over the senders where it succeeds. Forward
// has one channel; so has, in effect, whatever else has only one.
func NewOutlet(p jobgraph.Partitioning, s *types.Schema, senders []Sender, pool *stream.Pool,
	maxParallelism int, o OutletOptions,
) (Outlet, error) {
	if len(senders) == 0 || len(senders) > ChannelsMax {
		return nil, failure.Internalf("an outlet of %d channels: want 1 to %d", len(senders), ChannelsMax)
	}
	o.ensureDefaults()
	to := channels{schema: s, senders: senders}
	switch p.Kind {
	case jobgraph.Forward:
		if len(senders) != 1 {
			return nil, failure.Internalf("a forward outlet of %d channels: want 1", len(senders))
		}
		return &rebalanceOutlet{channels: to}, nil
	case jobgraph.Rebalance:
		return &rebalanceOutlet{channels: to}, nil
	case jobgraph.Broadcast:
		return &broadcastOutlet{channels: to}, nil
	case jobgraph.Hash:
		return newHashOutlet(to, p.Keys, pool, maxParallelism, o)
	default:
		return nil, failure.Internalf("unknown partitioning %d", p.Kind)
	}
}

// channels is what every outlet has.
type channels struct {
	schema  *types.Schema
	senders []Sender
}

// Ready tells whether every channel has credit. It stops at the first that has
// none, which then wakes the task.
func (c *channels) Ready() bool {
	for _, s := range c.senders {
		if s.Credit() <= 0 {
			return false
		}
	}
	return true
}

// Overdraw tells whether every channel takes a batch beyond its credit.
func (c *channels) Overdraw() bool {
	for _, s := range c.senders {
		if s.Credit() <= -overdraftBytes {
			return false
		}
	}
	return true
}

// Control sends an element that is not rows to every channel.
func (c *channels) Control(e stream.Element) {
	for _, s := range c.senders {
		s.Send(e)
	}
}

// Flush does nothing: most outlets hold nothing back.
func (c *channels) Flush() {}

// Held returns 0.
func (c *channels) Held() int { return 0 }

// Close closes every channel.
func (c *channels) Close() {
	for _, s := range c.senders {
		s.Close()
	}
}

// take checks a batch that is handed over. It returns nil where there is nothing
// to deal out, or an error; the batch is released then.
func (c *channels) take(b *stream.Batch) (*stream.Batch, error) {
	if len(b.Columns) != c.schema.Len() {
		n := len(b.Columns)
		b.Release()
		return nil, invariant.Failedf("a batch of %d columns at an outlet of %d", n, c.schema.Len())
	}
	if b.Rows() == 0 {
		b.Release()
		return nil, nil
	}
	return b, nil
}

// unsplit returns the batch, owned by the caller in b's place, without a split.
// The batch may be someone else's too, so it is not changed.
func unsplit(b *stream.Batch) *stream.Batch {
	if b.Split == stream.NoSplit {
		return b
	}
	c := b.Share()
	c.Split = stream.NoSplit
	b.Release()
	return c
}

// rebalanceOutlet deals batches out round robin; over one channel it forwards
// them.
type rebalanceOutlet struct {
	channels
	next int
}

// Rows sends the batch to the channel whose turn it is.
func (o *rebalanceOutlet) Rows(b *stream.Batch) error {
	b, err := o.take(b)
	if b == nil {
		return err
	}
	o.senders[o.next].Send(stream.RowsOf(unsplit(b)))
	if o.next++; o.next == len(o.senders) {
		o.next = 0
	}
	return nil
}

// broadcastOutlet sends every batch to every channel.
type broadcastOutlet struct{ channels }

// Rows sends the batch to every channel, a reference each.
func (o *broadcastOutlet) Rows(b *stream.Batch) error {
	b, err := o.take(b)
	if b == nil {
		return err
	}
	b = unsplit(b)
	for range len(o.senders) - 1 {
		b.Retain() // all before the first is sent: its consumer may release at once
	}
	for _, s := range o.senders {
		s.Send(stream.RowsOf(b))
	}
	return nil
}
