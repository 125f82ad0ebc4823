package kafka

import (
	"context"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/testutil/realkafka"
)

// BenchmarkFetch reads records of 336 bytes from two partitions of a real broker,
// without decoding them, and reports records a CPU-second of this process:
//
//	go test -run '^$' -bench Fetch -benchtime 5x ./connectors/kafka
func BenchmarkFetch(b *testing.B) {
	const records = 500_000
	broker := realkafka.Start(b)
	ctx := b.Context()
	fill(b, broker.Addr(), records, kgo.NoCompression())
	c, err := Connect(ClusterSpec{Brokers: []string{broker.Addr()}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	topics, err := c.Topics(ctx, []string{"bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		drain(ctx, b, c, topics["bench"].ID, records)
	}
	b.ReportMetric(float64(records)*float64(b.N)/(cpu(b)-start).Seconds(), "records/CPU-s")
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fill(b *testing.B, addr string, records int, codec kgo.CompressionCodec) {
	b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(b.Context(), 2, 1, nil, "bench"); err != nil {
		b.Fatal(err)
	}
	var failed atomic.Value
	value := []byte(strings.Repeat("x", 336))
	for i := range records {
		client.Produce(b.Context(), &kgo.Record{Topic: "bench", Partition: int32(i % 2), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(err)
			}
		})
	}
	if err := client.Flush(b.Context()); err != nil || failed.Load() != nil {
		b.Fatal(err, failed.Load())
	}
}

func drain(ctx context.Context, b *testing.B, c Cluster, id TopicID, records int) {
	b.Helper()
	wake := make(chan struct{}, 1)
	f, err := c.Fetch(FetchSpec{Committed: true, Wake: func() { ring(wake) }, Warn: func(string, error) {}})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var starts []FetchStart
	for p := range int32(2) {
		starts = append(starts, FetchStart{Partition: Partition{"bench", p}, ID: id})
	}
	if err := f.Add(starts); err != nil {
		b.Fatal(err)
	}
	for n := 0; n < records; {
		chunk, ok := f.Next()
		if !ok {
			select {
			case <-wake:
			case <-ctx.Done():
				b.Fatal(ctx.Err())
			}
			continue
		}
		if chunk.Err != nil {
			b.Fatal(chunk.Err)
		}
		n += len(chunk.Values)
	}
}
