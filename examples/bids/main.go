// Command bids counts the bids of each auction in windows of ten seconds: the main job, from Go.
//
//	bids run                                    on a cluster in this process, over a broker at localhost:9092
//	bids submit --cluster ... -- -columns       on a cluster that has task managers of this binary
package main

import (
	"flag"
	"time"

	"millrace/sdk"
)

// Bid is a record of the topic bids.
type Bid struct {
	Auction  int64
	Price    int64
	DateTime time.Time `millrace:",rowtime" type:"TIMESTAMP(3)"`
}

// Total is what the job says of an auction and a window.
type Total struct {
	Auction     int64
	WindowStart time.Time `millrace:"window_start" type:"TIMESTAMP(3)"`
	WindowEnd   time.Time `millrace:"window_end" type:"TIMESTAMP(3)"`
	Bids        int64
	Total       int64
	Highest     int64
}

func main() { sdk.Main(job) }

func job(env *sdk.Env) {
	flags := flag.NewFlagSet("bids", flag.ContinueOnError)
	brokers := flags.String("brokers", "localhost:9092", "addresses of Kafka")
	bounded := flags.Bool("bounded", false, "end at what there is now")
	columns := flags.Bool("columns", false, "aggregate by the engine's own functions")
	if err := flags.Parse(env.Args()); err != nil {
		env.Problemf("%s", err)
		return
	}
	env.Configure(sdk.Job{Name: "bids"})
	bids := sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids", Brokers: *brokers, Bounded: *bounded}, sdk.Watermark(4*time.Second))
	windows := sdk.Windows(sdk.KeyByFields[int64](bids, "auction"), sdk.Tumble(10*time.Second))
	aggregate := byRow
	if *columns {
		aggregate = byColumn
	}
	aggregate(windows).To("totals", sdk.Kafka{Topic: "bids-per-auction", Brokers: *brokers, Options: map[string]string{
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "bids",
	}})
}

type sums struct{ Bids, Total, Highest int64 }

// byRow calls a function for each bid.
func byRow(windows *sdk.Windowed[int64, Bid]) *sdk.Stream[Total] {
	return sdk.Aggregate(windows, "bids-per-auction", sdk.Aggregator[int64, Bid, sums, Total]{
		Add: func(s *sums, b *Bid) error {
			s.Bids++
			s.Total += b.Price
			s.Highest = max(s.Highest, b.Price)
			return nil
		},
		Result: func(w sdk.WindowOf[int64], s *sums) (Total, error) {
			return Total{w.Key, w.Start, w.End, s.Bids, s.Total, s.Highest}, nil
		},
	})
}

// byColumn has the engine aggregate columns.
func byColumn(windows *sdk.Windowed[int64, Bid]) *sdk.Stream[Total] {
	return sdk.AggregateColumns[Total](windows, "bids-per-auction", sdk.Count("bids"), sdk.Sum("price", "total"), sdk.Max("price", "highest"))
}
