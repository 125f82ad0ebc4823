package remote_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/exchange"
	"millrace/stream"
	"millrace/types"
)

// bidSchema is Nexmark's bid.
var bidSchema = types.NewSchema(
	types.Field{Name: "auction", Type: types.Of(types.BigInt)},
	types.Field{Name: "bidder", Type: types.Of(types.BigInt)},
	types.Field{Name: "price", Type: types.Of(types.BigInt)},
	types.Field{Name: "channel", Type: types.StringType()},
	types.Field{Name: "url", Type: types.StringType()},
	types.Field{Name: "dateTime", Type: types.TimestampOf(3)},
	types.Field{Name: "extra", Type: types.StringType()},
)

// bids returns a batch of bids of the benchmark's average size: 67.5 bytes of
// extra and a url of about 60.
func bids(r *rand.Rand, p *stream.Pool, rows int) *stream.Batch {
	b := p.NewBatch(bidSchema, rows)
	channels := []string{"Google", "Facebook", "Baidu", "Apple", "channel-4711"}
	padding := strings.Repeat("abcdefgh", 16)
	for c, f := range bidSchema.Fields {
		bu := stream.NewBuilder(p, f.Type, rows)
		for i := range rows {
			switch f.Name {
			case "channel":
				bu.AppendString(channels[r.IntN(len(channels))])
			case "url":
				bu.AppendString(fmt.Sprintf("https://www.nexmark.com/abcd/efgh/%04d/item.htm?query=1", r.IntN(10_000)))
			case "extra":
				bu.AppendString(padding[:40+r.IntN(56)])
			default:
				bu.AppendInt64(1_700_000_000_000 + int64(i) + r.Int64N(1000))
			}
		}
		b.Columns[c] = bu.Finish()
	}
	return b
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBids sends batches of bids from one network to another over loopback
// and reports rows a CPU-second of both ends together. Half is the share of a
// batch's rows that is selected.
func BenchmarkBids(b *testing.B) {
	for _, rows := range []int{8192, 1024} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) { benchmarkBids(b, rows, rows, 1) })
	}
	b.Run("rows=8192/selected=6200", func(b *testing.B) { benchmarkBids(b, 8192, 6200, 1) })
	b.Run("rows=8192/selected=4096", func(b *testing.B) { benchmarkBids(b, 8192, 4096, 1) })
	b.Run("rows=8192/selected=2048", func(b *testing.B) { benchmarkBids(b, 8192, 2048, 1) })
	b.Run("rows=8192/channels=8", func(b *testing.B) { benchmarkBids(b, 8192, 8192, 8) })
}

func benchmarkBids(b *testing.B, rows, selected, channels int) {
	p, c := pair(b, loopback{})
	r := rand.New(rand.NewPCG(1, 2))
	batches := make([]*stream.Batch, 4)
	bytes := 0
	for i := range batches {
		batches[i] = bids(r, &p.pool, rows)
		if selected < rows {
			buf := p.pool.Get(4 * selected)
			for k := range selected {
				stream.Int32s(buf)[k] = int32(k * rows / selected)
			}
			batches[i].SetSel(buf, selected)
		}
		bytes = batches[i].SizeBytes()
	}
	ends := make([]*benchEnd, channels)
	for i := range ends {
		ends[i] = openBench(b, p, c, int32(i))
	}
	send := func(n int) {
		for i := range n {
			ends[i%channels].send(batches[i%len(batches)].Retain())
		}
		for _, e := range ends {
			e.sync()
		}
	}
	send(50 * channels)
	b.SetBytes(int64(bytes * selected / rows))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	send(b.N)
	used := cpu(b) - before
	b.StopTimer()
	b.ReportMetric(float64(b.N)*float64(selected)/used.Seconds()/1e6, "Mrows/cpu-s")
	b.ReportMetric(float64(b.N)*float64(bytes)*float64(selected)/float64(rows)/used.Seconds()/1e9, "GB/cpu-s")
	for _, e := range ends {
		e.close()
	}
	for _, x := range batches {
		x.Release()
	}
}

// benchEnd is a channel with a task at its end that drops what comes.
type benchEnd struct {
	s       exchange.Sender
	credit  bell
	synced  chan struct{}
	done    chan struct{}
	barrier types.CheckpointID
}

type bell chan struct{}

func (c bell) Wake() {
	select {
	case c <- struct{}{}:
	default:
	}
}

func openBench(b *testing.B, p, c *place, edge int32) *benchEnd {
	id := exchange.ChannelID{Region: types.RegionID{Job: "j"}, Attempt: 1, Edge: edge}
	e := &benchEnd{credit: make(bell, 1), synced: make(chan struct{}), done: make(chan struct{})}
	var err error
	if e.s, err = p.Sender(id, c.id, 0, e.credit); err != nil {
		b.Fatal(err)
	}
	came := make(bell, 1)
	r, err := c.Receiver(id, p.id, 0, came)
	if err != nil {
		b.Fatal(err)
	}
	go e.consume(r, came)
	return e
}

func (e *benchEnd) consume(r exchange.Receiver, came bell) {
	defer close(e.done)
	defer r.Close()
	for {
		x, ok := r.Poll()
		switch {
		case !ok:
			<-came
		case x.Kind == stream.RowsElement:
			x.Batch.Release()
		case x.Kind == stream.BarrierElement:
			e.synced <- struct{}{}
		case x.Kind == stream.EndElement:
			return
		}
	}
}

func (e *benchEnd) send(b *stream.Batch) {
	for e.s.Credit() <= 0 {
		<-e.credit
	}
	e.s.Send(stream.RowsOf(b))
}

func (e *benchEnd) sync() {
	e.barrier++
	e.s.Send(stream.BarrierOf(stream.Barrier{ID: e.barrier}))
	<-e.synced
}

func (e *benchEnd) close() {
	e.s.Send(stream.End())
	<-e.done
	e.s.Close()
}
