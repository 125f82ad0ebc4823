package sim

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"millrace/connectors/kafka"
	"millrace/types"
)

// The topics.
const (
	inputTopic  = "bids"
	outputTopic = "results" // with the region's number behind it
	secondTopic = "again"   // the same, of a job that begins at a savepoint while the first goes on
)

// Kafka's codes that the model answers with.
const (
	codeNone             int16 = 0
	codeInvalidState     int16 = 48
	codeInvalidIDMapping int16 = 49
	codeConcurrent       int16 = 51
	codeUnstable         int16 = 88
	codeFenced           int16 = 90
)

// broker is a model of Kafka: topics whose partitions are lists of records, and transactions as their coordinators keep
// them. Ending a transaction is decided at once and takes effect a little later, as with the real one.
type broker struct {
	w        *world
	topics   map[string]*topic
	ids      map[string]*transactionalID
	groups   map[string]kafka.Marker // by group and topic
	fetchers []*fetcher
	topicIDs uint64
	pids     int64
}

type topic struct {
	id         kafka.TopicID
	partitions []*partition
}

type partition struct{ records []record }

type record struct {
	value []byte
	of    *transaction // nil: none
}

// transactionalID is what a transaction coordinator knows of an id.
type transactionalID struct {
	pid     int64
	epoch   int16
	timeout int64
	current *transaction // open or being ended; nil: none
	last    *transaction // the one before
}

type transaction struct {
	id     string
	pid    int64
	epoch  int16
	state  transactionState
	marker *kafka.Marker
	rows   int
}

type transactionState uint8

const (
	open transactionState = iota
	ending
	committed
	aborted
)

func newBroker(w *world) *broker {
	return &broker{
		w: w, topics: make(map[string]*topic), ids: make(map[string]*transactionalID), groups: make(map[string]kafka.Marker),
	}
}

func (b *broker) create(name string, partitions int) {
	b.topicIDs++
	t := &topic{}
	binary.BigEndian.PutUint64(t.id[8:], b.topicIDs)
	for range partitions {
		t.partitions = append(t.partitions, &partition{})
	}
	b.topics[name] = t
}

func (b *broker) recreate(name string) {
	b.w.tell("kfk", "topic %s is created again", name)
	b.create(name, len(b.topics[name].partitions))
	b.w.oracle.recreates()
}

func (b *broker) addPartition(name string) {
	t := b.topics[name]
	t.partitions = append(t.partitions, &partition{})
	b.w.tell("kfk", "topic %s has %d partitions", name, len(t.partitions))
}

// append adds a record, and wakes who reads the partition.
func (b *broker) append(name string, partition int, r record) int64 {
	p := b.topics[name].partitions[partition]
	p.records = append(p.records, r)
	for _, f := range b.fetchers {
		if f.reads(name, partition) {
			f.client.p.after(b.w.latency(), f.spec.Wake)
		}
	}
	return int64(len(p.records)) - 1
}

// initialise is InitProducerID: it aborts what is open and fences its writer.
func (b *broker) initialise(id string, timeout int64) (kafka.Transaction, int16) {
	t := b.ids[id]
	if t == nil {
		b.pids++
		t = &transactionalID{pid: b.pids, epoch: -1}
		b.ids[id] = t
	}
	if c := t.current; c != nil {
		if c.state == open {
			t.epoch++ // whoever writes it is fenced from here on
			b.end(t, aborted)
		}
		return kafka.Transaction{}, codeConcurrent
	}
	t.epoch++
	t.timeout = timeout
	return kafka.Transaction{TransactionalID: id, ProducerID: t.pid, Epoch: t.epoch, Version: 1}, codeNone
}

// produce adds a record to the transaction, which begins with its first one.
func (b *broker) produce(name string, partition int, value []byte, in kafka.Transaction) int16 {
	t := b.ids[in.TransactionalID]
	if t == nil || t.pid != in.ProducerID || t.epoch != in.Epoch {
		return codeFenced
	}
	if t.current == nil {
		c := &transaction{id: in.TransactionalID, pid: in.ProducerID, epoch: in.Epoch}
		t.current = c
		b.w.after(t.timeout, func() { b.expire(t, c) })
	}
	if t.current.state != open {
		return codeInvalidState
	}
	t.current.rows++
	b.append(name, partition, record{value: value, of: t.current})
	return codeNone
}

// expire aborts a transaction that was open for too long.
func (b *broker) expire(t *transactionalID, c *transaction) {
	if t.current == c && c.state == open {
		b.w.tell("kfk", "%s times out with %d rows", c.id, c.rows)
		b.w.oracle.timedOut = true
		t.epoch++
		b.end(t, aborted)
	}
}

// mark puts a marker into the transaction.
func (b *broker) mark(in kafka.Transaction, m kafka.Marker) int16 {
	t := b.ids[in.TransactionalID]
	switch {
	case t == nil || t.pid != in.ProducerID || t.epoch != in.Epoch:
		return codeFenced
	case t.current == nil || t.current.state != open:
		return codeInvalidState
	}
	t.current.marker = &m
	return codeNone
}

// describe is what Kafka says of an id.
func (t *transactionalID) describe() kafka.Description {
	d := kafka.Description{State: "Empty", ProducerID: t.pid, Epoch: t.epoch}
	switch {
	case t.current != nil && t.current.state == open:
		d.State = "Ongoing"
	case t.current != nil:
		d.State = "PrepareCommit" // or PrepareAbort: the model decides with the markers
	case t.last != nil && t.last.state == committed:
		d.State = "CompleteCommit"
	case t.last != nil:
		d.State = "CompleteAbort"
	}
	return d
}

// commit is EndTxn(commit).
func (b *broker) commit(in kafka.Transaction) int16 {
	t := b.ids[in.TransactionalID]
	switch {
	case t == nil || t.pid != in.ProducerID:
		return codeInvalidIDMapping
	case t.epoch != in.Epoch:
		return codeFenced
	case t.current != nil && t.current.state == ending:
		return codeConcurrent
	case t.current != nil:
		b.end(t, committed)
		return codeNone
	case t.last != nil && t.last.epoch == in.Epoch && t.last.state == committed:
		return codeNone
	default:
		return codeInvalidState
	}
}

// end decides how a transaction ends; its markers reach the partitions a little later.
func (b *broker) end(t *transactionalID, as transactionState) {
	c := t.current
	c.state = ending
	b.w.tell("kfk", "%s epoch %d rows %d ends: committed %t", c.id, c.epoch, c.rows, as == committed)
	b.w.after(b.w.latency(), func() {
		c.state = as
		t.current, t.last = nil, c
		if as == committed && c.marker != nil {
			b.groups[c.marker.Group+"/"+c.marker.Topic] = *c.marker
		}
	})
}

// readMarker returns what a group has; with stable, codeUnstable where that is about to change.
func (b *broker) readMarker(group, name string, stable bool) (kafka.Marker, int16) {
	if stable {
		for _, id := range slices.Sorted(maps.Keys(b.ids)) {
			if c := b.ids[id].current; c != nil && c.marker != nil && c.marker.Group == group {
				return kafka.Marker{Offset: -1}, codeUnstable
			}
		}
	}
	m, ok := b.groups[group+"/"+name]
	if !ok {
		return kafka.Marker{Offset: -1}, codeNone
	}
	return m, codeNone
}

// openTransactions names the ids under which something is open.
func (b *broker) openTransactions() (out []string) {
	for _, id := range slices.Sorted(maps.Keys(b.ids)) {
		if b.ids[id].current != nil {
			out = append(out, id)
		}
	}
	return out
}

// openUntil returns the transactions of a job's sinks that are open and have output of checkpoints up to one.
func (b *broker) openUntil(of types.JobID, id types.CheckpointID) (out []*transaction) {
	for _, name := range slices.Sorted(maps.Keys(b.ids)) {
		c := b.ids[name].current
		if c != nil && c.state == open && c.marker != nil && c.marker.Offset <= int64(id) && strings.HasPrefix(name, sinkPrefix+"."+string(of)+".") {
			out = append(out, c)
		}
	}
	return out
}

// committed is what a consumer with read_committed sees of a topic: nothing of a partition behind a transaction that is open.
func (b *broker) committed(name string) (out []record) {
	for _, p := range b.topics[name].partitions {
		for _, r := range p.records {
			if r.of != nil && r.of.state != committed {
				if r.of.state == aborted {
					continue
				}
				break
			}
			out = append(out, r)
		}
	}
	return out
}
