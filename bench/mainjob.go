package main

import (
	"fmt"
	"strconv"
	"time"

	"millrace/connectors/nexmark"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// The connectors that only this program has.
const (
	gatedConnector   = "prepared-bids"
	checkedConnector = "checked-blackhole"
)

// Of 50 events of the generator 46 are bids.
const (
	epochEvents = 50
	epochBids   = 46
)

const windowSize = 10 * time.Second

// bidSchema has the seven columns of a bid.
var bidSchema = types.NewSchema(
	types.Field{Name: "auction", Type: types.Of(types.BigInt)},
	types.Field{Name: "bidder", Type: types.Of(types.BigInt)},
	types.Field{Name: "price", Type: types.Of(types.BigInt)},
	types.Field{Name: "channel", Type: types.StringType()},
	types.Field{Name: "url", Type: types.StringType()},
	types.Field{Name: "dateTime", Type: types.TimestampOf(3)},
	types.Field{Name: "extra", Type: types.StringType()},
)

const (
	auctionColumn = 0
	priceColumn   = 2
	timeColumn    = 5
)

// events returns how many events there are: whole epochs.
func (r run) events() int64 { return (r.bids + epochBids - 1) / epochBids * epochEvents }

// source returns the options of the source.
func (r run) source() map[string]string {
	batches := (r.distinct/int64(r.parallelism) + stream.RowsMax) / stream.RowsMax
	return map[string]string{
		"event-type":       "bid",
		"events.num":       strconv.FormatInt(r.events(), 10),
		"first-event.rate": strconv.FormatInt(r.rate, 10),
		"splits":           strconv.Itoa(r.parallelism),
		"prepared-batches": strconv.FormatInt(batches, 10),
	}
}

// graph returns the job.
func (r run) graph() *jobgraph.Graph {
	aggregate := jobgraph.WindowAggregateSpec{
		Keys: []int{auctionColumn}, Time: timeColumn, Window: jobgraph.WindowSpec{Size: windowSize},
		Aggregates: []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: jobgraph.CountStar, Name: "bids"},
			{Func: "SUM", Arg: priceColumn, Name: "total"},
			{Func: "MAX", Arg: priceColumn, Name: "highest"},
		},
	}
	bids := jobgraph.Vertex{ID: "bids", Name: "bids", Source: &jobgraph.SourceSpec{
		UID: "bids", Connector: gatedConnector, Options: r.source(), Schema: bidSchema,
		Watermark: &jobgraph.WatermarkSpec{Column: timeColumn, Delay: 4 * time.Second},
	}}
	global := aggregate
	if r.preAggregation {
		bids.Operators = []jobgraph.OperatorSpec{{UID: "pre-aggregation", Body: (*jobgraph.LocalAggregateSpec)(&aggregate)}}
		global.Partial, global.Input = true, bidSchema
	}
	return &jobgraph.Graph{
		Name: "bids per auction", Parallelism: r.parallelism,
		Checkpoint: jobgraph.CheckpointSpec{Interval: r.interval, Timeout: time.Minute},
		Restart:    jobgraph.RestartSpec{Strategy: jobgraph.RestartNone},
		Vertices: []jobgraph.Vertex{bids, {
			ID: "windows", Name: "windows",
			Operators: []jobgraph.OperatorSpec{{UID: "windows", Body: &global}},
			Sink:      &jobgraph.SinkSpec{UID: "sink", Connector: checkedConnector},
		}},
		Edges: []jobgraph.Edge{{
			From: "bids", To: "windows", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{auctionColumn}},
		}},
	}
}

// cycle returns after how many events the prepared bids begin again.
func (r run) cycle() (int64, error) {
	s, err := nexmark.Open(r.source(), bidSchema)
	if err != nil {
		return 0, fmt.Errorf("source: %w", err)
	}
	return s.CycleEvents(r.parallelism), nil
}
