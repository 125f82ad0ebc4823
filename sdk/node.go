package sdk

import (
	"fmt"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators/native"
	"millrace/types"
)

// node is an operator of the job, a source or a sink.
type node struct {
	env         *Env
	what        string // for people: map, filter, ...
	uid         types.OperatorUID
	named       bool // the user gave the uid
	name        string
	operator    string // the operator's, where it is another than the name
	parallelism int
	group       string // slot sharing
	at          string // where it was made

	source *jobgraph.SourceSpec
	sink   *jobgraph.SinkSpec
	// primaryKey are columns of a sink, by name.
	primaryKey []string
	body       jobgraph.OperatorBody
	make       func() native.Function // of a NativeSpec
	sides      []*sideInfo            // of a NativeSpec, by port from 1
	processes  bool                   // it is a Process of any sort
	updates    bool                   // which gives updates
	late       any                    // the stream of late rows
	meant      bool                   // that its rows go nowhere was said otherwise
	inputs     []input
}

// input is an edge to a node.
type input struct {
	from *node
	port int
	kind jobgraph.PartitioningKind
	keys []int
}

// Option says something of an operator that it need not say.
type Option func(*node)

// UID gives an operator that keeps no state a name that stays the same when others are added. Those that keep state are given one anyway.
func UID(uid string) Option {
	return func(n *node) { n.uid, n.named = types.OperatorUID(uid), true }
}

// Name is what people see of an operator, instead of what it is and its uid.
func Name(name string) Option { return func(n *node) { n.name = name } }

// Parallelism is how many tasks an operator has, instead of as many as the job says. Where it is not that of the operator in front, rows are dealt out anew.
func Parallelism(p int) Option { return func(n *node) { n.parallelism = p } }

// SlotSharingGroup keeps the operator out of the slots of other groups.
func SlotSharingGroup(group string) Option { return func(n *node) { n.group = group } }

// add makes a node. With a uid "" it gets one by its place among those of its kind.
func (e *Env) add(what string, options []Option, inputs ...input) *node {
	n := &node{env: e, what: what, at: callSite(), inputs: inputs}
	for _, o := range options {
		o(n)
	}
	what = n.what // an option may say it better
	if n.uid == "" {
		if n.named {
			e.problem(failure.Message{Primary: "the " + what + " has an empty uid", Hint: "give it a name that stays the same when the job changes"})
		}
		e.counts[what]++
		n.uid = types.OperatorUID(fmt.Sprintf("%s-%d", what, e.counts[what]))
	}
	for _, other := range e.nodes {
		if other.uid == n.uid {
			e.problem(failure.Message{Primary: fmt.Sprintf("the uid %q is that of the %s at %s too", n.uid, other.what, other.at), Hint: "a uid names one operator"})
			break
		}
	}
	e.nodes = append(e.nodes, n)
	return n
}

// stateful makes a node that keeps state, and has to have a uid.
func (e *Env) stateful(what, uid string, options []Option, inputs ...input) *node {
	return e.add(what, append([]Option{UID(uid)}, options...), inputs...)
}

// native makes the node call a function.
func (n *node) native(spec *jobgraph.NativeSpec, make func() native.Function) {
	spec.What = n.what
	n.body, n.make = spec, make
}
