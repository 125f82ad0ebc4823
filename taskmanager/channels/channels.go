// Package channels knows which channels a task has: one for each pair of subtasks that
// an edge of the graph connects. It opens a task's ends of them, as its gate and its
// outlets.
//
// It is for whoever makes tasks. It starts no goroutine.
package channels

import (
	"millrace/exchange"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// Channels are those of an attempt of a region. They are immutable.
type Channels struct {
	Graph *jobgraph.Graph
	Flows map[types.VertexID]*jobgraph.Flow
	// Widths are the numbers of subtasks of all vertices.
	Widths map[types.VertexID]int
	// Placements say where tasks run; those of which nothing is said run here.
	Placements map[types.TaskID]types.TaskManagerID
	Region     types.RegionID
	Attempt    types.Attempt
	Network    exchange.Network
	Pool       *stream.Pool
	// CreditBytes is what a channel holds; 0 is the default.
	CreditBytes int
}

func (c *Channels) id(edge int, from, to int32) exchange.ChannelID {
	return exchange.ChannelID{Region: c.Region, Attempt: c.Attempt, Edge: int32(edge), From: from, To: to}
}

// Gate opens the consuming ends of a task's channels. The waker is the task's.
func (c *Channels) Gate(t types.TaskID, w exchange.Waker) (exchange.Gate, error) {
	var channels []exchange.GateChannel
	for i, e := range c.Graph.Edges {
		if e.To != t.Vertex {
			continue
		}
		for from := range c.Widths[e.From] {
			if e.Kind == jobgraph.Forward && from != int(t.Subtask) {
				continue
			}
			channels = append(channels, exchange.GateChannel{
				Input: e.Input, ID: c.id(i, int32(from), t.Subtask), Producer: c.Placements[types.TaskID{Vertex: e.From, Subtask: int32(from)}],
				CreditBytes: c.CreditBytes, InOrder: exchange.InOrder(e.Kind),
			})
		}
	}
	return exchange.OpenGate(c.Network, channels, w)
}

// Outlets are the producing ends of a task's channels.
type Outlets struct {
	Ports [][]exchange.Outlet // by output port; empty for a task that only has a sink
	Dead  []exchange.Outlet   // for what a source can't decode
}

// Close closes them.
func (o *Outlets) Close() {
	for _, port := range o.Ports {
		for _, outlet := range port {
			outlet.Close()
		}
	}
	for _, outlet := range o.Dead {
		outlet.Close()
	}
}

// Outlets opens the producing ends of a task's channels, all of them or none. The waker is the task's.
func (c *Channels) Outlets(t types.TaskID, w exchange.Waker) (out Outlets, err error) {
	for i, e := range c.Graph.Edges {
		if e.From != t.Vertex {
			continue
		}
		o, err := c.outlet(i, e, t, w)
		if err != nil {
			out.Close()
			return Outlets{}, err
		}
		if e.Port == jobgraph.DeadLetterPort {
			out.Dead = append(out.Dead, o)
			continue
		}
		for len(out.Ports) <= e.Port {
			out.Ports = append(out.Ports, nil)
		}
		out.Ports[e.Port] = append(out.Ports[e.Port], o)
	}
	return out, nil
}

func (c *Channels) outlet(edge int, e jobgraph.Edge, t types.TaskID, w exchange.Waker) (o exchange.Outlet, err error) {
	var senders []exchange.Sender
	defer func() {
		if err != nil {
			for _, s := range senders {
				s.Close()
			}
		}
	}()
	for to := range c.Widths[e.To] {
		if e.Kind == jobgraph.Forward && to != int(t.Subtask) {
			continue
		}
		consumer := c.Placements[types.TaskID{Vertex: e.To, Subtask: int32(to)}]
		s, err := c.Network.Sender(c.id(edge, t.Subtask, int32(to)), consumer, c.CreditBytes, w)
		if err != nil {
			return nil, err
		}
		senders = append(senders, s)
	}
	schema := c.Flows[t.Vertex].Output(c.Graph.Vertex(t.Vertex).Source, e.Port)
	return exchange.NewOutlet(e.Partitioning, schema, senders, c.Pool, c.Graph.KeyGroups(), exchange.OutletOptions{})
}
