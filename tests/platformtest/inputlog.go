package platformtest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/testutil/realkafka"
)

// FoldLog reads an input topic from its beginning and folds what is there. A record that is not the one of its partition and
// offset is a fault of the input, and fails the test: the model would prove nothing.
func FoldLog(ctx context.Context, t *testing.T, b *realkafka.Broker, topic string, load Load) Model {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m := Model{}
	next := make([]int64, load.Partitions)
	for left := load.Partitions * load.PerPart; left > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read topic %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			bid, err := parseBid(r.Value)
			if want := load.At(int64(r.Partition), next[r.Partition]); err != nil || bid != want {
				t.Fatalf("record %d of partition %d of %s is %q (%v), want %+v", r.Offset, r.Partition, topic, r.Value, err, want)
			}
			next[r.Partition]++
			left--
			m.Add(bid)
		})
	}
	return m
}

func parseBid(value []byte) (Bid, error) {
	var r struct {
		Auction, Price int64
		DateTime       string `json:"dateTime"`
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return Bid{}, err
	}
	at, err := time.Parse(TimeLayout, r.DateTime)
	if err != nil {
		return Bid{}, fmt.Errorf("time of a bid: %w", err)
	}
	return Bid{Auction: r.Auction, Price: r.Price, Millis: at.UnixMilli()}, nil
}
