package task

import (
	"fmt"

	"millrace/exchange"
	"millrace/exchange/inflight"
	"millrace/failure"
	"millrace/jobgraph"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/stream"
	"millrace/types"
)

// Replays makes the replay of one task of what was in flight.
type Replays struct {
	Graph       *jobgraph.Graph
	Task        types.TaskID
	Parallelism int
	Pool        *stream.Pool
	// Read returns the channels of an object.
	Read func(*controlv1.InFlight) ([]inflight.Channel, error)
}

// Of returns what of these objects is the task's.
func (r *Replays) Of(files []*controlv1.InFlight) (*exchange.Replay, error) {
	out := &exchange.Replay{}
	former := 0
	for _, f := range files {
		channels, err := r.Read(f)
		if err != nil {
			out.Release()
			return nil, err
		}
		for i := range channels {
			if err := r.add(out, former, f, &channels[i]); err != nil {
				out.Release()
				return nil, fmt.Errorf("what was in flight to subtask %d on edge %d from subtask %d: %w", f.Subtask, channels[i].Edge, channels[i].From, err)
			}
		}
		if len(channels) > 0 {
			former++
		}
	}
	return out, nil
}

// add adds a channel of a former task. Its event time counts whether or not rows of it
// are this task's.
func (r *Replays) add(out *exchange.Replay, former int, f *controlv1.InFlight, c *inflight.Channel) error {
	if int(c.Edge) >= len(r.Graph.Edges) || r.Graph.Edges[c.Edge].To != r.Task.Vertex {
		return failure.Internalf("vertex %s has no such edge", r.Task.Vertex)
	}
	e := r.Graph.Edges[c.Edge]
	number := len(out.Channels)
	out.Channels = append(out.Channels, exchange.ReplayChannel{Former: former, Input: e.Input, Watermark: c.Watermark, Idle: c.Idle})
	filter := func(b *stream.Batch) *stream.Batch { return b }
	if c.Schema != nil {
		route := exchange.Reroute{
			From: int(f.Subtask), FromParallelism: int(f.Parallelism), To: int(r.Task.Subtask), ToParallelism: r.Parallelism,
			MaxParallelism: r.Graph.KeyGroups(),
		}
		var err error
		if filter, err = route.Filter(e.Partitioning, c.Schema); err != nil {
			return err
		}
	}
	return c.Each(r.Pool, func(el stream.Element) error {
		if el.Kind == stream.RowsElement {
			if el.Batch = filter(el.Batch); el.Batch == nil {
				return nil
			}
		}
		out.Elements = append(out.Elements, exchange.ReplayElement{Channel: number, Element: el})
		return nil
	})
}
