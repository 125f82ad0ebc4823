package demo

import (
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"millrace/jobgraph"
	"millrace/jobgraph/codec"
)

// mainJob is the graph of the main job as anybody would write it.
//
//go:embed bids-per-auction.json
var mainJob []byte

// Of 50 events of the generator 46 are bids.
const (
	eventsEpoch = 50
	bidsEpoch   = 46
)

// tasks is the parallelism of the main job, and the number of partitions of the topics.
const tasks = 2

// countGraph is the main job over the demo's topics, up to the end of the input as it is now.
func countGraph(t topics, brokers string) (*jobgraph.Graph, error) {
	g, err := codec.ParseJSON(mainJob)
	if err != nil {
		return nil, fmt.Errorf("graph of the main job: %w", err)
	}
	g.Parallelism = tasks
	g.Checkpoint.Interval = checkpointInterval
	g.Restart.Delay = restartDelay
	source, sink := g.Vertices[0].Source, g.Vertices[len(g.Vertices)-1].Sink
	source.Options["properties.bootstrap.servers"] = brokers
	source.Options["topic"] = t.in
	source.Options["scan.bounded.mode"] = "latest-offset"
	sink.Options["properties.bootstrap.servers"] = brokers
	sink.Options["topic"] = t.out
	sink.Options["sink.transactional-id-prefix"] = t.out
	return g, nil
}

const (
	// checkpointInterval is short, so that on a fast machine too the loss finds checkpoints behind it and work before it.
	checkpointInterval = 200 * time.Millisecond
	restartDelay       = 500 * time.Millisecond
)

// fillGraph generates bids into the input topic. One task writes, and a restart writes nothing twice, so that bids come in
// the order of event time in every partition and none is late: the verification knows of no late bids.
func fillGraph(count *jobgraph.Graph, t topics, brokers string, bids int64) *jobgraph.Graph {
	events := (bids + bidsEpoch - 1) / bidsEpoch * eventsEpoch
	return &jobgraph.Graph{
		Name: "generate bids", Parallelism: 1,
		Checkpoint: jobgraph.CheckpointSpec{Interval: jobgraph.DefaultCheckpointInterval},
		Vertices: []jobgraph.Vertex{{
			ID: "generate", Name: "bids, generated",
			Source: &jobgraph.SourceSpec{
				UID: "generate-source", Connector: "nexmark", Schema: count.Vertices[0].Source.Schema,
				Options: map[string]string{"event-type": "bid", "events.num": strconv.FormatInt(events, 10)},
			},
			Sink: &jobgraph.SinkSpec{
				UID: "generate-sink", Connector: "kafka",
				Options: map[string]string{
					"topic": t.in, "properties.bootstrap.servers": brokers, "format": "json",
					"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": t.in,
					"properties.compression.type": "lz4", // the broker inside the process keeps the topic in memory
				},
			},
		}},
	}
}
