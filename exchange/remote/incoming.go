package remote

import (
	"errors"
	"sync"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/exchange/internal/queue"
	"millrace/failure"
	datav1 "millrace/proto/millrace/data/v1"
	"millrace/stream"
	"millrace/types"
)

// incoming is the consuming end of a channel, a Receiver. It begins with its task
// (opened) or with its announcement (on an intake), whichever comes first, and is
// accepted when it has both.
type incoming struct {
	id      exchange.ChannelID
	network *Network

	mu struct {
		sync.Mutex
		queue.Queue
		opened, closed bool
		producer       types.TaskManagerID
		waker          exchange.Waker
		waits          bool
		limit          int // bytes of credit
		due            int // bytes of credit to give back
		held           int // bytes of the frames that are queued

		intake *intake // that it was announced on; nil: none yet, or nothing more comes
		number uint32
		// What the producer must hear, as long as it stands among the intake's news.
		inNews, accept bool
		closing        datav1.CloseReason
		detail         string

		// ended: an End came. broken: nothing more comes, and what was queued is
		// released. finished: the producer has closed after its end.
		ended, broken, finished bool
		err                     error
	}

	// The intake's reader's own.
	schema   *types.Schema
	sequence uint64
}

var (
	errElsewhere = errors.New("its consumer expects another producer")
	errLost      = errors.New("a stream broke behind its acceptance")
)

// open gives the end to its task.
func (c *incoming) open(producer types.TaskManagerID, creditBytes int, w exchange.Waker) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.opened {
		return failure.Internalf("this end is open already")
	}
	c.mu.opened, c.mu.producer, c.mu.waker, c.mu.limit = true, producer, w, creditBytes
	switch in := c.mu.intake; {
	case in == nil:
	case in.peer != producer:
		in.refuse(c.mu.number, datav1.CloseReason_CLOSE_REASON_REFUSED, errElsewhere)
		in.drop(c.mu.number)
		c.mu.intake = nil
	default:
		c.mu.accept = true
		c.news(datav1.CloseReason_CLOSE_REASON_UNSPECIFIED, nil)
	}
	return nil
}

// news says that the producer must hear something. It needs the lock.
func (c *incoming) news(r datav1.CloseReason, err error) {
	if c.mu.intake == nil {
		return
	}
	if r != datav1.CloseReason_CLOSE_REASON_UNSPECIFIED && c.mu.closing == datav1.CloseReason_CLOSE_REASON_UNSPECIFIED {
		c.mu.closing = r
		if err != nil {
			c.mu.detail = short(err.Error())
		}
	}
	if !c.mu.inNews {
		c.mu.inNews = true
		c.mu.intake.news(c)
	}
}

// announced puts the end on an intake, or says why not.
func (c *incoming) announced(in *intake, number uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.broken:
		return errLost
	case c.mu.opened && c.mu.producer != in.peer:
		return errElsewhere
	case c.mu.opened && c.mu.intake != nil:
		return errLost
	}
	if old := c.mu.intake; old != nil { // a stream that broke, which we have not seen yet
		old.drop(c.mu.number)
	}
	c.mu.intake, c.mu.number, c.mu.inNews = in, number, false
	c.schema, c.sequence = nil, 0
	in.put(number, c)
	switch {
	case c.mu.closed:
		c.news(datav1.CloseReason_CLOSE_REASON_GONE, nil)
	case c.mu.opened:
		c.mu.accept = true
		c.news(datav1.CloseReason_CLOSE_REASON_UNSPECIFIED, nil)
	}
	return nil
}

// Poll takes the next element and gives its credit back.
func (c *incoming) Poll() (stream.Element, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.Len() == 0 {
		c.mu.waits = true
		return stream.Element{}, false
	}
	p := c.mu.Take()
	if p.Element.Kind == stream.RowsElement {
		c.mu.held -= p.Element.Batch.SizeBytes()
		c.mu.due += p.Bytes
		if c.mu.due > 0 && c.mu.due >= c.mu.limit/4 {
			c.news(datav1.CloseReason_CLOSE_REASON_UNSPECIFIED, nil)
		}
	}
	return p.Element, true
}

// push queues an element that came, charged with that many bytes. An error has
// broken the channel.
func (c *incoming) push(e stream.Element, charge int) error {
	c.mu.Lock()
	if c.mu.closed || c.mu.broken {
		c.mu.Unlock()
		queue.Release(e)
		return nil
	}
	err := c.mayPush(e)
	if err != nil {
		dropped := c.breakOff(err)
		c.news(datav1.CloseReason_CLOSE_REASON_REFUSED, err)
		w := c.mu.waker
		c.mu.Unlock()
		dropped.Release()
		queue.Release(e)
		wake(w)
		return err
	}
	if !c.mu.Supersede(e) {
		c.mu.Put(queue.Place{Element: e, Bytes: charge})
	}
	if e.Kind == stream.RowsElement {
		c.mu.held += e.Batch.SizeBytes()
	}
	c.mu.ended = c.mu.ended || e.Kind == stream.EndElement
	w := c.wakeWaiting()
	if e.Kind == stream.BarrierElement {
		w = c.mu.waker
	}
	c.mu.Unlock()
	wake(w)
	return nil
}

// mayPush refuses what no producer of ours sends: far more than the credit, or
// rows behind the end.
func (c *incoming) mayPush(e stream.Element) error {
	switch {
	case c.mu.Len() == queuedMax:
		return failure.Internal(errFlood)
	case e.Kind != stream.RowsElement:
		return nil
	case c.mu.ended:
		return failure.Internalf("rows behind the end")
	case c.mu.held > 2*c.mu.limit+2*frame.BodyBytesMax:
		return failure.Internalf("%d bytes are queued, the credit is %d", c.mu.held, c.mu.limit)
	}
	return nil
}

// Barrier returns the newest barrier that is queued.
func (c *incoming) Barrier() (stream.Barrier, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.Barrier()
}

// AppendBefore appends the elements that are queued before a barrier.
func (c *incoming) AppendBefore(to []stream.Element, id types.CheckpointID) ([]stream.Element, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.AppendBefore(to, id)
}

// takes tells that elements are worth decoding.
func (c *incoming) takes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.mu.closed && !c.mu.broken
}

func (c *incoming) wakeWaiting() exchange.Waker {
	if !c.mu.waits {
		return nil
	}
	c.mu.waits = false
	return c.mu.waker
}

// Broken tells that nothing more comes though the producer hasn't ended.
func (c *incoming) Broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.broken
}

// Err returns why the channel is broken, nil where it is not or where its producer
// went away of its own accord.
func (c *incoming) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.err
}

// Close ends the consumer's side.
func (c *incoming) Close() {
	c.mu.Lock()
	dropped := c.drain()
	c.mu.closed, c.mu.waits = true, false
	c.news(datav1.CloseReason_CLOSE_REASON_GONE, nil)
	over := c.mu.finished || c.mu.broken
	c.mu.Unlock()
	dropped.Release()
	if over {
		c.network.removeIn(c)
	}
}

// drain empties the end for good.
func (c *incoming) drain() queue.Queue {
	q := c.mu.Queue
	c.mu.Queue = queue.Queue{}
	c.mu.held, c.mu.due = 0, 0
	return q
}

// abandon breaks the channel from outside. The network knows it no more.
func (c *incoming) abandon() {
	c.mu.Lock()
	if !c.mu.finished {
		c.news(datav1.CloseReason_CLOSE_REASON_FENCED, exchange.ErrFenced)
	}
	dropped := c.breakOff(nil)
	w := c.mu.waker
	c.mu.Unlock()
	wake(w)
	dropped.Release()
}

// breakOff makes the end useless and returns what was queued. It needs the lock.
func (c *incoming) breakOff(err error) queue.Queue {
	c.mu.broken = true
	if err != nil && c.mu.err == nil {
		c.mu.err = brokenError(c.id, c.mu.producer, err)
	}
	return c.drain()
}

// closedByProducer ends what comes: nothing follows what is queued, or the channel
// is broken.
func (c *incoming) closedByProducer(m *datav1.ChannelClosed) {
	c.mu.Lock()
	c.mu.intake = nil
	var dropped queue.Queue
	if m.Reason == datav1.CloseReason_CLOSE_REASON_ENDED && c.mu.ended {
		c.mu.finished = true
	} else if !c.mu.broken {
		var err error
		if m.Detail != "" {
			err = failure.Internalf("its producer gave up: %.*s", detailBytesMax, m.Detail)
		}
		dropped = c.breakOff(err)
	}
	w, over := c.mu.waker, c.mu.closed
	c.mu.Unlock()
	dropped.Release()
	wake(w)
	if over {
		c.network.removeIn(c)
	}
}

// lost says that the stream is over. It tells whether that broke the channel.
func (c *incoming) lost(in *intake, cause error) bool {
	c.mu.Lock()
	if c.mu.intake != in {
		c.mu.Unlock()
		return false
	}
	c.mu.intake, c.mu.inNews, c.mu.accept = nil, false, false
	if !c.mu.opened && !c.mu.broken {
		c.mu.Unlock()
		c.network.removeUnopened(c)
		return false
	}
	breaks := !c.mu.broken && !c.mu.closed
	var dropped queue.Queue
	if breaks {
		dropped = c.breakOff(cause)
	}
	w, over := c.mu.waker, c.mu.closed
	c.mu.Unlock()
	dropped.Release()
	wake(w)
	if over {
		c.network.removeIn(c)
	}
	return breaks
}

// removeUnopened forgets an end of which nothing is left, unless its task has come.
func (n *Network) removeUnopened(c *incoming) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.mu.Lock()
	waiting := c.mu.opened || c.mu.intake != nil
	c.mu.Unlock()
	if j := n.mu.regions[c.id.Region]; j != nil && j.in[c.id] == c && !waiting {
		delete(j.in, c.id)
		n.mu.channels--
		n.dropEmpty(c.id.Region, j)
	}
}

func (c *incoming) isAccepted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.opened && (c.mu.intake != nil || c.mu.finished)
}

// tellNews adds what the producer must hear.
func (c *incoming) tellNews(in *intake, to *datav1.ToProducer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.intake != in {
		return // the producer has closed, or speaks on another stream
	}
	c.mu.inNews = false
	n := c.mu.number
	if c.mu.accept {
		c.mu.accept = false
		to.Accepted = append(to.Accepted, &datav1.ChannelAccepted{Number: n, CreditBytes: int64(c.mu.limit)})
	}
	if c.mu.due > 0 {
		to.Credits = append(to.Credits, &datav1.Credit{Number: n, Bytes: int64(c.mu.due)})
		c.mu.due = 0
	}
	if c.mu.closing != datav1.CloseReason_CLOSE_REASON_UNSPECIFIED {
		to.Closed = append(to.Closed, &datav1.ChannelClosed{Number: n, Reason: c.mu.closing, Detail: c.mu.detail})
		c.mu.closing, c.mu.detail = datav1.CloseReason_CLOSE_REASON_UNSPECIFIED, ""
	}
}
