package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fillLog writes plain and compressed batches, transactions of both ends,
// tombstones, keys, headers.
func fillLog(e *env) {
	e.Helper()
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		client, err := kgo.NewClient(kgo.SeedBrokers(e.brokers...), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(e.topic))
		e.check(err)
		var records []*kgo.Record
		for i := range 30 {
			r := &kgo.Record{Value: []byte(strings.Repeat(name, i)), Key: []byte("key"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}
			if i%7 == 0 {
				r.Value = nil
			}
			if i%5 == 0 {
				r.Key = nil
			}
			records = append(records, r)
		}
		e.check(client.ProduceSync(e.ctx, records...).FirstErr())
		client.Close()
		e.transact(false, 0, "aborted "+name, "too")
		e.transact(true, 0, "committed "+name)
	}
}

// logged returns a partition's log as a broker serves it.
func logged(e *env, id TopicID, from int64, isolation int8) *kmsg.FetchResponseTopicPartition {
	e.Helper()
	r := kmsg.NewPtrFetchRequest()
	r.MinBytes, r.MaxBytes, r.IsolationLevel, r.SessionEpoch, r.ReplicaID = 1, 1<<20, isolation, -1, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = e.topic, id
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = from, 1<<20, -1
	topic.Partitions = append(topic.Partitions, p)
	r.Topics = append(r.Topics, topic)
	answer, err := e.client.Broker(0).Request(e.ctx, r)
	e.check(err)
	return &answer.(*kmsg.FetchResponse).Topics[0].Partitions[0]
}

func (e *env) topicID() TopicID {
	e.Helper()
	c, err := Connect(ClusterSpec{Brokers: e.brokers})
	e.check(err)
	defer c.Close()
	topics, err := c.Topics(e.ctx, []string{e.topic})
	e.check(err)
	return topics[e.topic].ID
}

func abortedOf(p *kmsg.FetchResponseTopicPartition) []aborted {
	var out []aborted
	for _, a := range p.AbortedTransactions {
		out = append(out, aborted{a.ProducerID, a.FirstOffset})
	}
	return out
}

// TestWalkEqualsTheClient compares the walker with the client library's own
// parser, from every offset.
func TestWalkEqualsTheClient(t *testing.T) {
	e := fakeEnv(t, 1)
	fillLog(e)
	id, end := e.topicID(), e.latestOffset(0)
	var memory unpacked
	decompress := memory.decompressor()
	for _, committed := range []bool{true, false} {
		for from := range end {
			isolation := int8(0)
			if committed {
				isolation = 1
			}
			p := logged(e, id, from, isolation)
			o := kgo.ProcessFetchPartitionOpts{Offset: from, Topic: e.topic, IsolationLevel: kgo.ReadUncommitted()}
			if committed {
				o.IsolationLevel = kgo.ReadCommitted()
			}
			want, next := kgo.ProcessFetchPartition(o, p, kgo.DefaultDecompressor(), nil)
			w := walker{decompress: decompress, committed: committed}
			var c Chunk
			if err := w.walk(p.RecordBatches, from, abortedOf(p), &c); err != nil {
				t.Fatal(err)
			}
			var wanted, got []string
			for _, r := range want.Records {
				wanted = append(wanted, fmt.Sprintf("%d %q %v", r.Offset, r.Value, r.Value == nil))
			}
			for i, v := range c.Values {
				got = append(got, fmt.Sprintf("%d %q %v", c.Offsets[i], v, v == nil))
			}
			if diff := cmp.Diff(wanted, got); diff != "" || c.Next != next || want.Err != nil {
				t.Fatalf("from %d, committed %v: next %d, want %d (%v); -want +got:\n%s", from, committed, c.Next, next, want.Err, diff)
			}
			memory.put(c.memory)
		}
	}
}

// TestWalkStopsAtACut gives the log cut in many places: whole batches are read,
// the rest waits for the next answer.
func TestWalkStopsAtACut(t *testing.T) {
	e := fakeEnv(t, 1)
	fillLog(e)
	p, end := logged(e, e.topicID(), 0, 1), e.latestOffset(0)
	var memory unpacked
	w := walker{decompress: memory.decompressor(), committed: true}
	before := int64(0)
	for n := 0; ; n = min(n+23, len(p.RecordBatches)) {
		var c Chunk
		if err := w.walk(p.RecordBatches[:n], 0, abortedOf(p), &c); err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if c.Next < before {
			t.Fatalf("cut at %d: next %d, before %d", n, c.Next, before)
		}
		before = c.Next
		memory.put(c.memory)
		if n == len(p.RecordBatches) {
			break
		}
	}
	if before != end {
		t.Errorf("next %d at the end of a log of %d", before, end)
	}
}

func TestWalkFindsCorruption(t *testing.T) {
	e := fakeEnv(t, 1)
	e.produce(0, "a")
	p := logged(e, e.topicID(), 0, 1)
	broken := slices.Clone(p.RecordBatches)
	broken[batchRecordsAt+2] ^= 1
	var memory unpacked
	w := walker{decompress: memory.decompressor(), committed: true}
	if err := w.walk(broken, 0, nil, new(Chunk)); err == nil || !strings.Contains(err.Error(), "corrupt") {
		t.Errorf("a changed byte: %v", err)
	}
}

// FuzzWalk changes batches and corrects their checksums.
func FuzzWalk(f *testing.F) {
	f.Add(int64(0), batchOf(0, 1, 0, []byte{14, 0, 0, 0, 1, 2, 'a', 0}))
	f.Add(int64(1), batchOf(2, 2, 0, []byte{12, 0, 0, 0, 1, 1, 0, 14, 0, 0, 2, 1, 2, 'b', 0}))
	f.Add(int64(0), batchOf(0, 1, 2, []byte{8, 28, 14, 0, 0, 0, 1, 2, 'a', 0}))
	f.Add(int64(0), batchOf(0, 0, batchControl, nil))
	f.Fuzz(func(t *testing.T, from int64, data []byte) {
		for rest := data; len(rest) >= batchRecordsAt; {
			length := int64(int32(binary.BigEndian.Uint32(rest[batchLengthAt:]))) + batchLengthFrom
			if length < batchRecordsAt || length > int64(len(rest)) {
				break
			}
			binary.BigEndian.PutUint32(rest[batchCRCAt:], crc32.Checksum(rest[batchAttributesAt:length], castagnoli))
			rest = rest[length:]
		}
		var memory unpacked
		w := walker{decompress: memory.decompressor(), committed: from%2 == 0}
		var c Chunk
		_ = w.walk(data, from, []aborted{{1, 0}, {-1, 3}}, &c)
		if len(c.Values) != len(c.Offsets) {
			t.Errorf("%d values, %d offsets", len(c.Values), len(c.Offsets))
		}
		for _, o := range c.Offsets {
			if o < from {
				t.Errorf("offset %d, asked from %d", o, from)
			}
		}
	})
}

// batchOf makes a record batch of given records.
func batchOf(base int64, count int, attributes uint16, records []byte) []byte {
	b := make([]byte, batchRecordsAt, batchRecordsAt+len(records))
	b = append(b, records...)
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchLengthFrom))
	b[batchMagicAt] = 2
	binary.BigEndian.PutUint16(b[batchAttributesAt:], attributes)
	binary.BigEndian.PutUint32(b[batchLastDeltaAt:], uint32(max(count-1, 0)))
	binary.BigEndian.PutUint32(b[batchCountAt:], uint32(count))
	binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchAttributesAt:], castagnoli))
	return b
}
