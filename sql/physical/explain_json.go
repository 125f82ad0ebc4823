package physical

import (
	"encoding/json"
	"strings"

	"millrace/jobgraph"
)

// jsonNode is an operator in the JSON of Flink's plan visualizer.
type jsonNode struct {
	ID           int        `json:"id"`
	Type         string     `json:"type"`
	Pact         string     `json:"pact"`
	Contents     string     `json:"contents"`
	Parallelism  int        `json:"parallelism,omitempty"` // none: the cluster decides
	Predecessors []jsonEdge `json:"predecessors,omitempty"`
}

type jsonEdge struct {
	ID           int    `json:"id"`
	ShipStrategy string `json:"ship_strategy"`
	Side         string `json:"side"`
}

// json shows sources, operators and sinks with what they read. Within a vertex rows go FORWARD.
func (j *Job) json() string {
	b := &jsonPlan{graph: j.Graph, texts: make(map[string]string), last: make(map[string]int)}
	for _, s := range j.steps {
		b.texts[string(s.uid)] = s.title() + "(" + strings.Join(s.explained(), ", ") + ")"
	}
	for i := range j.Graph.Vertices {
		b.vertex(&j.Graph.Vertices[i])
	}
	for i := range j.Graph.Vertices {
		b.edges(&j.Graph.Vertices[i])
	}
	out, err := json.MarshalIndent(map[string][]jsonNode{"nodes": b.nodes}, "", "  ")
	if err != nil {
		return err.Error() // can't be: the nodes are texts and numbers
	}
	return string(out)
}

type jsonPlan struct {
	graph *jobgraph.Graph
	texts map[string]string // by uid
	nodes []jsonNode
	last  map[string]int // of a vertex, by its id
	first []int          // of the vertices, in the graph's order
}

func (b *jsonPlan) vertex(v *jobgraph.Vertex) {
	parallelism := v.Parallelism
	if parallelism == 0 {
		parallelism = b.graph.Parallelism
	}
	begin := len(b.nodes)
	add := func(uid, name, pact string) {
		n := jsonNode{ID: len(b.nodes) + 1, Type: name, Pact: pact, Contents: name, Parallelism: parallelism}
		if text, ok := b.texts[uid]; ok {
			n.Contents = text
		}
		if len(b.nodes) > begin {
			n.Predecessors = []jsonEdge{{ID: n.ID - 1, ShipStrategy: "FORWARD", Side: "second"}}
		}
		b.nodes = append(b.nodes, n)
	}
	if s := v.Source; s != nil {
		add(string(s.UID), "Source: "+s.Connector, "Data Source")
	}
	for i := range v.Operators {
		add(string(v.Operators[i].UID), v.Operators[i].Name, "Operator")
	}
	if s := v.Sink; s != nil {
		add(string(s.UID), "Sink: "+s.Connector, "Data Sink")
	}
	b.first = append(b.first, begin)
	b.last[string(v.ID)] = len(b.nodes)
}

// edges notes what the first operator of a vertex reads of others.
func (b *jsonPlan) edges(v *jobgraph.Vertex) {
	at := 0
	for i := range b.graph.Vertices {
		if &b.graph.Vertices[i] == v {
			at = b.first[i]
		}
	}
	for _, e := range b.graph.Inputs(v.ID) {
		side := "second"
		if e.Input == 0 {
			side = "first"
		}
		b.nodes[at].Predecessors = append(b.nodes[at].Predecessors, jsonEdge{ID: b.last[string(e.From)], ShipStrategy: e.Kind.String(), Side: side})
	}
}
