package statetest

import (
	"maps"
	"slices"
)

// choice is where a run takes its decisions from: rapid, or a seeded generator.
type choice interface {
	// IntN returns a number from 0 up to, not including, n.
	IntN(n int) int
}

// rowID names a row of a Value table in the model: keys are numbered.
type rowID struct {
	namespace int64
	key       int
}

// row is the columns of a row in the model.
type row struct {
	count    int64
	text     string
	wideLo   uint64
	wideHi   uint64
	flag     bool
	fraction float32
}

// timer is a timer in the model.
type timer struct {
	time, namespace int64
	key             int
}

// model is the state of a whole vertex, whatever its parallelism.
type model struct {
	values [numKinds]map[rowID]row
	timers [numKinds]map[timer]bool
	multis [numKinds]map[int][]arrival      // by key
	orders [numKinds]map[int]map[string]int // by key and order
	shared map[string]string                // the broadcast map, of every task
	// split and union are the lists, by task.
	split, union [][]string
}

func newModel(tasks int) *model {
	m := &model{split: make([][]string, tasks), union: make([][]string, tasks), shared: map[string]string{}}
	for k := range numKinds {
		m.values[k] = map[rowID]row{}
		m.timers[k] = map[timer]bool{}
		m.multis[k] = map[int][]arrival{}
		m.orders[k] = map[int]map[string]int{}
	}
	return m
}

func (m *model) clone() *model {
	c := &model{split: slices.Clone(m.split), union: slices.Clone(m.union), shared: maps.Clone(m.shared)}
	for k := range numKinds {
		c.values[k] = maps.Clone(m.values[k])
		c.timers[k] = maps.Clone(m.timers[k])
		c.multis[k] = maps.Clone(m.multis[k])
		c.orders[k] = make(map[int]map[string]int, len(m.orders[k]))
		for key, rows := range m.orders[k] {
			c.orders[k][key] = maps.Clone(rows)
		}
	}
	return c
}

// rescale deals the lists out to another number of tasks, as the contract says.
func (m *model) rescale(tasks int) {
	union := slices.Concat(m.union...)
	if tasks != len(m.split) {
		all := slices.Concat(m.split...)
		m.split = make([][]string, tasks)
		for i, e := range all {
			m.split[i%tasks] = append(m.split[i%tasks], e)
		}
	}
	m.union = make([][]string, tasks)
	for i := range m.union {
		m.union[i] = slices.Clone(union)
	}
}
