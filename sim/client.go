package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"millrace/connectors/kafka"
	"millrace/failure"
)

// client is what a process has of Kafka. It implements kafka.Cluster, so that the production reader, enumerator and
// committer stand upon it. What can't be answered now, or whose answer is lost, ends the call of a coordinator that is under
// way (routine.doubt), and whoever made that calls again. Tasks never wait for it.
type client struct {
	p      *process
	broker *broker
}

var _ kafka.Cluster = (*client)(nil)

var errKafkaAway = errors.New("the broker does not answer")

func (c *client) away(what string) error {
	c.doubt()
	return failure.External(fmt.Errorf("%s: %w", what, errKafkaAway), failure.Backoff)
}

// doubt ends the call that is under way.
func (c *client) doubt() {
	if r := c.p.w.current; r != nil && r.doubt != nil {
		r.doubt()
	}
}

// ask performs a request, unless it or its answer is lost.
func (c *client) ask(what string, do func() int16) (code int16, lost bool) {
	c.p.remote(func() {
		w := c.p.w
		if lost = !w.reaches(c.p.name, "kafka") || w.chance(w.faults.kafka); lost {
			return
		}
		code = do()
		lost = !w.reaches("kafka", c.p.name) || w.chance(w.faults.kafka)
		c.p.tell("kafka %s: code %d, lost %t", what, code, lost)
	})
	return code, lost
}

// call is ask for requests of which every code asks for patience: the caller is patient.
func (c *client) call(what string, do func() int16) (int16, error) {
	code, lost := c.ask(what, do)
	if lost {
		return 0, c.away(what)
	}
	if code != codeNone {
		c.doubt()
	}
	return code, nil
}

// Topics implements kafka.Cluster.
func (c *client) Topics(_ context.Context, names []string) (map[string]kafka.Topic, error) {
	out := make(map[string]kafka.Topic)
	_, err := c.call("metadata", func() int16 {
		for _, name := range names {
			if t := c.broker.topics[name]; t != nil {
				k := kafka.Topic{ID: t.id}
				for i := range t.partitions {
					k.Partitions = append(k.Partitions, int32(i))
				}
				out[name] = k
			}
		}
		return codeNone
	})
	return out, err
}

// Offsets implements kafka.Cluster.
func (c *client) Offsets(_ context.Context, name string, at kafka.OffsetSpec) (map[int32]int64, error) {
	out := make(map[int32]int64)
	_, err := c.call("offsets", func() int16 {
		for i, p := range c.broker.topics[name].partitions {
			out[int32(i)] = 0
			if at.Kind == kafka.AtLatest {
				out[int32(i)] = int64(len(p.records))
			}
		}
		return codeNone
	})
	return out, err
}

// GroupOffsets implements kafka.Cluster; no source of a schedule asks for them.
func (c *client) GroupOffsets(context.Context, string, string) (map[int32]int64, error) {
	return nil, nil
}

// CommitGroup implements kafka.Cluster.
func (c *client) CommitGroup(_ context.Context, group string, offsets map[kafka.Partition]int64) error {
	_, err := c.call("commit group "+group, func() int16 {
		for p, offset := range offsets {
			c.broker.groups[group+"/"+p.Topic] = kafka.Marker{Group: group, Topic: p.Topic, Offset: offset}
		}
		return codeNone
	})
	return err
}

// Producer implements kafka.Cluster.
func (c *client) Producer(_ context.Context, s kafka.ProducerSpec) (kafka.Producer, error) {
	var t kafka.Transaction
	code, err := c.call("open "+s.TransactionalID, func() (code int16) {
		t, code = c.broker.initialise(s.TransactionalID, int64(s.TimeoutMillis))
		return code
	})
	if err != nil || code != codeNone {
		return nil, c.away("open " + s.TransactionalID)
	}
	return &producer{client: c, topic: s.Topic, in: t}, nil
}

// Mark implements kafka.Cluster.
func (c *client) Mark(_ context.Context, t kafka.Transaction, m kafka.Marker) error {
	code, err := c.call("mark "+t.TransactionalID, func() int16 { return c.broker.mark(t, m) })
	if err == nil && code != codeNone {
		err = failure.Externalf(failure.Restart, "mark %s: code %d", t.TransactionalID, code)
	}
	return err
}

// EndTxn implements kafka.Cluster.
func (c *client) EndTxn(_ context.Context, t kafka.Transaction) (int16, error) {
	return c.callPatiently("commit "+t.TransactionalID, func() int16 { return c.broker.commit(t) })
}

// callPatiently is call for requests of whose codes only some ask to come again: the others are judged.
func (c *client) callPatiently(what string, do func() int16) (int16, error) {
	code, lost := c.ask(what, do)
	if lost {
		return 0, c.away(what)
	}
	if code == codeConcurrent || code == codeUnstable {
		c.doubt()
	}
	return code, nil
}

// ReadMarker implements kafka.Cluster.
func (c *client) ReadMarker(_ context.Context, group, name string, stable bool) (m kafka.Marker, code int16, err error) {
	what := fmt.Sprintf("marker of %s, stable %t", group, stable)
	code, err = c.callPatiently(what, func() (code int16) {
		m, code = c.broker.readMarker(group, name, stable)
		return code
	})
	return m, code, err
}

// Describe implements kafka.Cluster.
func (c *client) Describe(_ context.Context, id string) (d kafka.Description, err error) {
	code, err := c.callPatiently("describe "+id, func() int16 {
		t := c.broker.ids[id]
		if t == nil {
			return codeInvalidIDMapping
		}
		d = t.describe()
		return codeNone
	})
	if err == nil && code != codeNone {
		err = failure.Externalf(failure.Backoff, "describe %s: code %d", id, code)
	}
	return d, err
}

// WriteMarkers implements kafka.Cluster: brokers of the model forget none.
func (c *client) WriteMarkers(_ context.Context, t kafka.Transaction, _ int16, _, _ string) (int, error) {
	_, err := c.callPatiently("markers of "+t.TransactionalID, func() int16 { return codeNone })
	return 0, err
}

// InitProducerID implements kafka.Cluster.
func (c *client) InitProducerID(_ context.Context, id string, timeout int32) (int16, error) {
	return c.call("settle "+id, func() int16 {
		_, code := c.broker.initialise(id, int64(timeout))
		return code
	})
}

// Close implements kafka.Cluster.
func (c *client) Close() {}

// Fetch implements kafka.Cluster.
func (c *client) Fetch(s kafka.FetchSpec) (kafka.Fetcher, error) {
	f := &fetcher{client: c, spec: s}
	c.broker.fetchers = append(c.broker.fetchers, f)
	f.poll()
	return f, nil
}

// fetcher implements kafka.Fetcher.
type fetcher struct {
	client *client
	spec   kafka.FetchSpec
	parts  []*kafka.FetchStart
	turn   int
	chunk  kafka.Chunk
	closed bool
}

// fetchPollMillis is how often a fetcher looks by itself: after a network was cut nobody tells it.
const fetchPollMillis = 400

func (f *fetcher) poll() {
	f.client.p.after(fetchPollMillis, func() {
		if !f.closed {
			f.spec.Wake()
			f.poll()
		}
	})
}

func (f *fetcher) reads(name string, partition int) bool {
	return slices.ContainsFunc(f.parts, func(s *kafka.FetchStart) bool { return s.Topic == name && int(s.Index) == partition })
}

// Add implements kafka.Fetcher.
func (f *fetcher) Add(starts []kafka.FetchStart) error {
	for _, s := range starts {
		f.parts = append(f.parts, &s)
	}
	return nil
}

// Remove implements kafka.Fetcher.
func (f *fetcher) Remove(p kafka.Partition) {
	f.parts = slices.DeleteFunc(f.parts, func(s *kafka.FetchStart) bool { return s.Partition == p })
}

// chunkRowsMax is small, so that barriers come between rows that were written together.
const chunkRowsMax = 6

// Next implements kafka.Fetcher.
func (f *fetcher) Next() (*kafka.Chunk, bool) {
	w := f.client.p.w
	if !w.answers(f.client.p.name, "kafka") {
		return nil, false
	}
	for range f.parts {
		f.turn++
		s := f.parts[f.turn%len(f.parts)]
		t := f.client.broker.topics[s.Topic]
		if t.id != s.ID {
			f.chunk = kafka.Chunk{Partition: s.Partition, Next: s.Offset, Err: failure.External(errRecreated, failure.Never)}
			f.Remove(s.Partition)
			return &f.chunk, true
		}
		records := t.partitions[s.Index].records
		if s.Offset >= int64(len(records)) {
			continue
		}
		n := min(1+w.rng.Int64N(chunkRowsMax), int64(len(records))-s.Offset)
		f.chunk = kafka.Chunk{Partition: s.Partition, Next: s.Offset + n}
		for i := range n {
			f.chunk.Values = append(f.chunk.Values, records[s.Offset+i].value)
			f.chunk.Offsets = append(f.chunk.Offsets, s.Offset+i)
		}
		s.Offset += n
		return &f.chunk, true
	}
	return nil, false
}

var errRecreated = errors.New("the topic was deleted and created again")

// Close implements kafka.Fetcher.
func (f *fetcher) Close() {
	f.closed = true
	f.client.broker.fetchers = slices.DeleteFunc(f.client.broker.fetchers, func(o *fetcher) bool { return o == f })
}

// producer implements kafka.Producer. What it was given arrives in order, also when its process has died meanwhile.
type producer struct {
	client *client
	topic  string
	in     kafka.Transaction
	last   int64 // when what was produced last arrives
	under  int   // way
}

var _ kafka.Producer = (*producer)(nil)

// Transaction implements kafka.Producer.
func (p *producer) Transaction() kafka.Transaction { return p.in }

// Produce implements kafka.Producer.
func (p *producer) Produce(_ context.Context, rs []kafka.Record, done func(error)) {
	w := p.client.p.w
	p.under++
	p.last = max(p.last, w.now+w.latency())
	w.after(p.last-w.now, func() { p.arrive(rs, done) })
}

func (p *producer) arrive(rs []kafka.Record, done func(error)) {
	w := p.client.p.w
	if !w.reaches(p.client.p.name, "kafka") {
		if !p.client.p.dead {
			w.after(retryMin, func() { p.arrive(rs, done) })
		}
		return
	}
	var err error
	if w.chance(w.faults.produce) {
		err = failure.Externalf(failure.Restart, "produce to %s is refused", p.topic)
	} else {
		for _, r := range rs {
			at := int(r.Value[0]) % len(p.client.broker.topics[p.topic].partitions)
			if code := p.client.broker.produce(p.topic, at, r.Value, p.in); code != codeNone {
				err = failure.Externalf(failure.Restart, "produce to %s as %s: code %d", p.topic, p.in.TransactionalID, code)
			}
		}
	}
	p.client.p.after(w.latency(), func() {
		p.under--
		done(err)
	})
}

// Written implements kafka.Producer.
func (p *producer) Written() []kafka.WrittenRange { return nil }

// Flush implements kafka.Producer. It does not block.
func (p *producer) Flush(context.Context) error {
	if p.under > 0 {
		return failure.Externalf(failure.Backoff, "%d produces are under way", p.under)
	}
	return nil
}

// Unchanged implements kafka.Producer.
func (p *producer) Unchanged(context.Context) error { return nil }

// Close implements kafka.Producer.
func (p *producer) Close() {}
