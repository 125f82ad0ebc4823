package exchange

import (
	"millrace/failure"
	"millrace/internal/mutant"
	"millrace/stream"
	"millrace/types"
)

// sweepChannelsMax is up to how many channels one sweep a channel is cheaper than
// counting and scattering, whose counters in memory make each row wait for the
// one before.
const sweepChannelsMax = 4

// hashOutlet sends each row to the owner of its key's group.
//
// A batch is dealt out in passes over arrays, never a row through the whole of
// it: the keys' hashes; the channel of each row; the positions of the rows,
// sorted by channel. Then each channel's share leaves as a
// selection of the batch, or is copied and held back where it is small: a
// selection of few rows would keep a whole batch alive and cost the consumer as
// much as many rows. A row of a channel never overtakes an earlier one.
type hashOutlet struct {
	channels
	pool    *stream.Pool
	options OutletOptions
	keys    *stream.KeyReader

	byGroup []uint16 // the channel of each key group
	scale   uint64   // max parallelism

	target    []uint16 // of each selected row, the channel
	positions []int32  // of the rows, by channel
	counts    []int32  // by channel
	ends      []int32  // by channel: where its positions end
	held      []heldRows
	heldRows  int
}

var (
	_ Outlet = (*rebalanceOutlet)(nil)
	_ Outlet = (*broadcastOutlet)(nil)
	_ Outlet = (*hashOutlet)(nil)
)

func newHashOutlet(to channels, keys []int, pool *stream.Pool, maxParallelism int, o OutletOptions) (Outlet, error) {
	if maxParallelism < len(to.senders) || maxParallelism > types.MaxMaxParallelism {
		return nil, failure.Internalf("%d key groups over %d channels", maxParallelism, len(to.senders))
	}
	for _, k := range keys {
		if k < 0 || k >= to.schema.Len() {
			return nil, failure.Userf("hash key %d of a schema of %d columns", k, to.schema.Len())
		}
	}
	reader, err := stream.NewKeyReader(to.schema, keys)
	if err != nil {
		return nil, failure.User(err)
	}
	if len(to.senders) == 1 {
		return &rebalanceOutlet{channels: to}, nil
	}
	h := &hashOutlet{
		channels: to, pool: pool, options: o, keys: reader, scale: uint64(maxParallelism),
		byGroup: make([]uint16, maxParallelism),
		counts:  make([]int32, len(to.senders)),
		ends:    make([]int32, len(to.senders)),
		held:    make([]heldRows, len(to.senders)),
	}
	for g := range h.byGroup {
		h.byGroup[g] = uint16(types.SubtaskOf(types.KeyGroup(g), len(to.senders), maxParallelism))
	}
	for i := range h.held {
		h.held[i].init(pool, to.schema, o.HoldRows+o.ShareRowsMin)
	}
	return h, nil
}

// Rows deals the batch's rows out.
func (h *hashOutlet) Rows(b *stream.Batch) error {
	b, err := h.take(b)
	if b == nil {
		return err
	}
	h.deal(b)
	rows := int32(b.Rows())
	start := int32(0)
	for c, n := range h.counts {
		end := h.ends[c]
		switch {
		case n == 0:
		case n == rows:
			h.flushChannel(c)
			h.senders[c].Send(stream.RowsOf(unsplit(b)))
			return nil
		case int(n) >= h.options.ShareRowsMin:
			h.flushChannel(c)
			h.senders[c].Send(stream.RowsOf(h.share(b, h.positions[start:end])))
		default:
			h.hold(c, b, h.positions[start:end])
		}
		start = end
	}
	b.Release()
	return nil
}

// deal sorts the positions of the batch's selected rows by channel.
func (h *hashOutlet) deal(b *stream.Batch) {
	hashes := h.keys.Read(b).Hashes
	h.reserve(len(hashes))
	target := h.target[:len(hashes)]
	findTargets(hashes, h.byGroup, h.scale, target)
	if mutant.On(mutant.GroupDealtTwice) && len(target) > 0 {
		target[0] = (target[0] + 1) % uint16(len(h.senders))
	}
	if len(h.senders) <= sweepChannelsMax {
		h.sweep(target, b.Sel())
		return
	}
	clear(h.counts)
	for _, c := range target {
		h.counts[c]++
	}
	start := int32(0)
	for c, n := range h.counts {
		h.ends[c] = start
		start += n
	}
	if sel := b.Sel(); sel != nil {
		scatterSelected(sel, target, h.ends, h.positions)
	} else {
		scatterAll(target, h.ends, h.positions)
	}
}

// reserve makes room for n rows. The positions have one place more: see sweepAll.
func (h *hashOutlet) reserve(n int) {
	if cap(h.target) < n {
		n = max(n, stream.RowsMax)
		h.target = make([]uint16, n)
		h.positions = make([]int32, n+1)
	}
}

// sweep goes once through the targets for each channel.
func (h *hashOutlet) sweep(target []uint16, sel []int32) {
	start := int32(0)
	for c := range h.counts {
		var n int
		if sel != nil {
			n = sweepSelected(sel, target, uint16(c), h.positions[start:])
		} else {
			n = sweepAll(target, uint16(c), h.positions[start:])
		}
		h.counts[c] = int32(n)
		start += int32(n)
		h.ends[c] = start
	}
}

// findTargets finds the channel of each row by the formula of types.KeyGroupOf.
func findTargets(hashes []uint64, byGroup []uint16, scale uint64, target []uint16) {
	target = target[:len(hashes)]
	for i, x := range hashes {
		target[i] = byGroup[uint64(uint32(x))*scale>>32]
	}
}

// sweepAll writes the positions of the rows of one channel and returns their
// number. It writes every row's and moves on only behind the channel's, without a
// branch to mispredict; so it writes to the place behind the last, too.
func sweepAll(target []uint16, channel uint16, positions []int32) int {
	n := 0
	for i, c := range target {
		positions[n] = int32(i)
		if c == channel {
			n++
		}
	}
	return n
}

// sweepSelected does the same with the positions of a selection.
func sweepSelected(sel []int32, target []uint16, channel uint16, positions []int32) int {
	n := 0
	sel = sel[:len(target)]
	for i, c := range target {
		positions[n] = sel[i]
		if c == channel {
			n++
		}
	}
	return n
}

// scatterAll puts the positions of all rows where at says, by channel, and leaves
// in at where each channel's positions end.
func scatterAll(target []uint16, at []int32, positions []int32) {
	for i, c := range target {
		p := at[c]
		positions[p] = int32(i)
		at[c] = p + 1
	}
}

// scatterSelected does the same with the positions of a selection.
func scatterSelected(sel []int32, target []uint16, at []int32, positions []int32) {
	sel = sel[:len(target)]
	for i, c := range target {
		p := at[c]
		positions[p] = sel[i]
		at[c] = p + 1
	}
}

// share returns a batch over b's columns of the rows at these positions.
func (h *hashOutlet) share(b *stream.Batch, positions []int32) *stream.Batch {
	buf := h.pool.Get(4 * len(positions))
	copy(stream.Int32s(buf), positions)
	s := b.Share()
	s.Split = stream.NoSplit
	s.SetSel(buf, len(positions))
	return s
}

// hold copies the rows, and sends them with those held before if that is worth it.
func (h *hashOutlet) hold(c int, b *stream.Batch, positions []int32) {
	held := &h.held[c]
	held.add(b, positions)
	h.heldRows += len(positions)
	if held.n >= h.options.HoldRows || held.sizeBytes() >= h.options.HoldBytes {
		h.flushChannel(c)
	}
}

func (h *hashOutlet) flushChannel(c int) {
	held := &h.held[c]
	if held.n == 0 {
		return
	}
	h.heldRows -= held.n
	h.senders[c].Send(stream.RowsOf(held.finish()))
}

// Flush sends what is held back.
func (h *hashOutlet) Flush() {
	if h.heldRows == 0 {
		return
	}
	for c := range h.held {
		h.flushChannel(c)
	}
}

// Held returns the rows that are held back.
func (h *hashOutlet) Held() int { return h.heldRows }

// Control sends what is held back, then the element.
func (h *hashOutlet) Control(e stream.Element) {
	if e.Kind != stream.BarrierElement || !mutant.On(mutant.BarrierOvertakes) {
		h.Flush()
	}
	h.channels.Control(e)
}

// Close releases what is held back and closes every channel.
func (h *hashOutlet) Close() {
	for c := range h.held {
		h.held[c].close()
	}
	h.heldRows = 0
	h.channels.Close()
}
