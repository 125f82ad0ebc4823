package kafka

import (
	"context"
	"fmt"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetsTopic is where Kafka keeps what groups commit.
const offsetsTopic = "__consumer_offsets"

// WriteMarkers implements Cluster. It does what Kafka's own tools do to a transaction that hangs (KIP-664), but commits it: the brokers are asked where it is
// open, and the requests go to their leaders.
func (c *cluster) WriteMarkers(ctx context.Context, t Transaction, epoch int16, group, topic string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	open, err := c.openIn(ctx, t, group, topic)
	if err != nil || len(open.Topics) == 0 {
		return 0, err
	}
	open.ProducerID, open.ProducerEpoch, open.Committed, open.TransactionVersion = t.ProducerID, epoch, true, int8(t.Version)
	write := kmsg.NewPtrWriteTxnMarkersRequest()
	write.Markers = append(write.Markers, open)
	answer, err := write.RequestWith(ctx, c.main)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, m := range answer.Markers {
		for _, in := range m.Topics {
			for _, p := range in.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return n, fmt.Errorf("partition %d of %s: %w", p.Partition, in.Topic, err)
				}
				n++
			}
		}
	}
	return n, nil
}

// openIn returns a marker for the partitions in which a transaction is open.
func (c *cluster) openIn(ctx context.Context, t Transaction, group, topic string) (kmsg.WriteTxnMarkersRequestMarker, error) {
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	topics, err := c.Topics(ctx, []string{topic, offsetsTopic})
	if err != nil {
		return marker, err
	}
	describe := kmsg.NewPtrDescribeProducersRequest()
	ask := func(name string, partitions []int32) {
		t := kmsg.NewDescribeProducersRequestTopic()
		t.Topic, t.Partitions = name, partitions
		describe.Topics = append(describe.Topics, t)
	}
	ask(topic, topics[topic].Partitions)
	if n := len(topics[offsetsTopic].Partitions); n > 0 {
		ask(offsetsTopic, []int32{partitionOfGroup(group, n)})
	}
	answer, err := describe.RequestWith(ctx, c.main)
	if err != nil {
		return marker, err
	}
	for _, in := range answer.Topics {
		where := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
		where.Topic = in.Topic
		for _, p := range in.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return marker, fmt.Errorf("producers of partition %d of %s: %w", p.Partition, in.Topic, err)
			}
			for _, producer := range p.ActiveProducers {
				if producer.ProducerID == t.ProducerID && producer.ProducerEpoch == int32(t.Epoch) && producer.CurrentTxnStartOffset >= 0 {
					where.Partitions = append(where.Partitions, p.Partition)
					marker.CoordinatorEpoch = max(marker.CoordinatorEpoch, producer.CoordinatorEpoch)
				}
			}
		}
		if len(where.Partitions) > 0 {
			marker.Topics = append(marker.Topics, where)
		}
	}
	return marker, nil
}

// partitionOfGroup returns the partition of offsetsTopic that has a group, as Kafka does: by Java's hash of a text.
func partitionOfGroup(group string, partitions int) int32 {
	h := int32(0)
	for _, unit := range utf16.Encode([]rune(group)) {
		h = 31*h + int32(unit)
	}
	if h < 0 {
		h = -h
	}
	return max(h, 0) % int32(partitions) // -h of the least one is itself, which Kafka takes for 0
}
