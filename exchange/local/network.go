package local

import (
	"fmt"
	"sync"

	"millrace/exchange"
	"millrace/failure"
	"millrace/types"
)

// Network is the channels of one process. It is safe for concurrent use; the
// task managers of the process share one.
type Network struct {
	mu struct {
		sync.Mutex
		regions  map[types.RegionID]*region
		channels int
		// retired are regions that were left without channels, oldest first.
		retired []types.RegionID
	}
}

var _ exchange.Network = (*Network)(nil)

// region is a region's channels. Invariant: no ring is of an attempt below floor, and
// those of attempts below newest are open at both ends.
type region struct {
	rings  map[exchange.ChannelID]*ring
	newest types.Attempt // the latest that opened a channel
	floor  types.Attempt // attempts below are over
	// retired says that the region stands in Network.retired.
	retired bool
}

// NewNetwork returns a network without channels.
func NewNetwork() *Network {
	n := &Network{}
	n.mu.regions = make(map[types.RegionID]*region)
	return n
}

// Sender opens the producing end of a channel; who consumes it doesn't matter,
// since it runs in this process.
func (n *Network) Sender(id exchange.ChannelID, _ types.TaskManagerID, creditBytes int, w exchange.Waker) (exchange.Sender, error) {
	r, err := n.open(id, w, func(r *ring) error { return r.openProducer(creditBytes, w) })
	if err != nil {
		return nil, fmt.Errorf("open the sender of %v: %w", id, err)
	}
	return sender{r}, nil
}

// Receiver opens the consuming end of a channel; who produces doesn't matter.
func (n *Network) Receiver(id exchange.ChannelID, _ types.TaskManagerID, creditBytes int, w exchange.Waker) (exchange.Receiver, error) {
	r, err := n.open(id, w, func(r *ring) error { return r.openConsumer(creditBytes, w) })
	if err != nil {
		return nil, fmt.Errorf("open the receiver of %v: %w", id, err)
	}
	return receiver{r}, nil
}

// open finds or makes the ring and lets claim take an end of it. In between, a
// newer attempt may have abandoned the ring: then the end opens on a broken
// channel, which its owner finds at its first Poll or never (a sender is deaf).
func (n *Network) open(id exchange.ChannelID, w exchange.Waker, claim func(*ring) error) (*ring, error) {
	if w == nil {
		return nil, failure.Internalf("nobody to wake")
	}
	r, stale, err := n.ring(id)
	for _, s := range stale {
		s.abandon()
	}
	if err != nil {
		return nil, err
	}
	return r, claim(r)
}

// ring returns the ring of that name, and those that it fences off.
func (n *Network) ring(id exchange.ChannelID) (r *ring, stale []*ring, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	j := n.region(id.Region)
	if stale, err = n.begin(j, id.Attempt); err != nil {
		return nil, nil, err
	}
	if r := j.rings[id]; r != nil {
		return r, stale, nil
	}
	if n.mu.channels == channelsMax {
		return nil, stale, failure.Internalf("the process has %d channels already", channelsMax)
	}
	r = &ring{id: id, network: n}
	j.rings[id] = r
	n.mu.channels++
	return r, stale, nil
}

// Begin fences as the first channel of an attempt does, for channels of the region that
// are none of this network's: those to other processes.
func (n *Network) Begin(id types.RegionID, attempt types.Attempt) error {
	n.mu.Lock()
	j := n.region(id)
	stale, err := n.begin(j, attempt)
	n.retire(id, j)
	n.mu.Unlock()
	for _, s := range stale {
		s.abandon()
	}
	return err
}

// Over tells that channels of the attempt can't be opened any more.
func (n *Network) Over(id types.RegionID, attempt types.Attempt) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	j := n.mu.regions[id]
	return j != nil && attempt < max(j.newest, j.floor)
}

// begin returns the rings that the attempt fences off.
func (n *Network) begin(j *region, attempt types.Attempt) (stale []*ring, err error) {
	if attempt < max(j.newest, j.floor) {
		return nil, failure.Internal(exchange.ErrFenced)
	}
	if attempt > j.newest {
		j.newest = attempt
		stale = n.take(j, func(r *ring) bool { return r.halfOpen() })
	}
	return stale, nil
}

func (n *Network) region(id types.RegionID) *region {
	j := n.mu.regions[id]
	if j == nil {
		j = &region{rings: make(map[exchange.ChannelID]*ring)}
		n.mu.regions[id] = j
	}
	return j
}

// take removes the rings of a region that match.
func (n *Network) take(j *region, match func(*ring) bool) []*ring {
	var out []*ring
	for id, r := range j.rings {
		if match(r) {
			delete(j.rings, id)
			n.mu.channels--
			out = append(out, r)
		}
	}
	return out
}

// remove takes a ring out of which both ends are closed.
func (n *Network) remove(r *ring) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if j := n.mu.regions[r.id.Region]; j != nil && j.rings[r.id] == r {
		delete(j.rings, r.id)
		n.mu.channels--
		n.retire(r.id.Region, j)
	}
}

// Forget ends the region's attempts up to this one.
func (n *Network) Forget(id types.RegionID, attempt types.Attempt) {
	for _, r := range n.forget(id, attempt) {
		r.abandon()
	}
}

func (n *Network) forget(id types.RegionID, attempt types.Attempt) []*ring {
	n.mu.Lock()
	defer n.mu.Unlock()
	j := n.region(id)
	j.floor = max(j.floor, attempt+1)
	stale := n.take(j, func(r *ring) bool { return r.id.Attempt <= attempt })
	n.retire(id, j)
	return stale
}

// retire puts a region without channels among those that are probably over. So many
// of them are remembered that a late task of theirs is still refused.
func (n *Network) retire(id types.RegionID, j *region) {
	if len(j.rings) > 0 || j.retired {
		return
	}
	j.retired = true
	n.mu.retired = append(n.mu.retired, id)
	if len(n.mu.retired) <= retiredRegionsMax {
		return
	}
	oldest := n.mu.retired[0]
	n.mu.retired = append(n.mu.retired[:0], n.mu.retired[1:]...)
	if o := n.mu.regions[oldest]; len(o.rings) > 0 {
		o.retired = false
	} else {
		delete(n.mu.regions, oldest)
	}
}

// Channels returns the number of channels that are open, half open or closed at
// one end only.
func (n *Network) Channels() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.channels
}
