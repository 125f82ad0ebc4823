package kafka

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/mutant"
	"millrace/stream"
)

// enumerator finds the partitions of the source's topics. It implements
// connectors.Enumerator.
type enumerator struct {
	opts        *sourceOptions
	parallelism int32
	connect     func(ClusterSpec) (Cluster, error)
	cluster     Cluster
	state       *enumeratorState
	restored    []connectors.SplitState
	wasRestored bool
	assigned    int // splits that were assigned: the rank of the next
}

// Enumerator implements connectors.Source.
func (s *source) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	state, err := decodeEnumerator(ctx.Restored)
	if err != nil {
		return nil, err
	}
	return &enumerator{
		opts: s.opts, parallelism: max(ctx.Parallelism, 1), connect: s.connector.connect,
		state: state, restored: ctx.Splits, wasRestored: ctx.Restored != nil || len(ctx.Splits) > 0,
	}, nil
}

// split is a partition that is to be assigned.
type split struct {
	splitState
	watermark stream.Watermark
}

// Start implements connectors.Enumerator. It may be called again after an error.
func (e *enumerator) Start(ctx context.Context) ([]connectors.Assignment, error) {
	topics, err := e.metadata(ctx)
	if err != nil {
		return nil, err
	}
	positions, err := e.takeRestored()
	if err != nil {
		return nil, err
	}
	isNew := !e.wasRestored
	if mutant.On(mutant.LatestAgain) {
		clear(e.state.Topics)
		isNew = true
	}
	if _, err := e.learn(ctx, topics, isNew); err != nil {
		return nil, err
	}
	var splits []split
	for _, name := range e.opts.topics {
		for p := range e.state.Topics[name].Starts {
			splits = append(splits, e.split(name, p, positions))
		}
	}
	out, err := e.assign(splits)
	if err == nil && e.DiscoveryInterval() == 0 {
		out = noMore(out, e.parallelism)
	}
	return out, err
}

// Discover implements connectors.Enumerator.
func (e *enumerator) Discover(ctx context.Context) ([]connectors.Assignment, error) {
	topics, err := e.metadata(ctx)
	if err != nil {
		return nil, err
	}
	found, err := e.learn(ctx, topics, false)
	if err != nil {
		return nil, err
	}
	splits := make([]split, len(found))
	for i, p := range found {
		splits[i] = e.split(p.Topic, p.Index, nil)
	}
	return e.assign(splits)
}

// DiscoveryInterval implements connectors.Enumerator.
func (e *enumerator) DiscoveryInterval() int64 { return e.opts.discovery.Milliseconds() }

// Snapshot implements connectors.Enumerator.
func (e *enumerator) Snapshot() ([]byte, error) { return e.state.encode() }

// Close implements connectors.Enumerator.
func (e *enumerator) Close() error {
	if e.cluster != nil {
		e.cluster.Close()
	}
	return nil
}

// metadata asks for the topics, all of which must be there and be the ones that
// were.
func (e *enumerator) metadata(ctx context.Context) (map[string]Topic, error) {
	if e.cluster == nil {
		c, err := e.connect(e.opts.spec())
		if err != nil {
			return nil, err
		}
		e.cluster = c
	}
	topics, err := e.cluster.Topics(ctx, e.opts.topics)
	if err != nil {
		return nil, err
	}
	count := 0
	for _, name := range e.opts.topics {
		t, ok := topics[name]
		if !ok {
			return nil, failure.Externalf(failure.Backoff, "topic %s does not exist", name)
		}
		count += len(t.Partitions)
		known := e.state.Topics[name]
		if known != nil && known.ID != "" && t.ID.String() != "" && known.ID != t.ID.String() {
			return nil, failure.External(fmt.Errorf("topic %s, partitions %v: %w (id %s is now %s)",
				name, slices.Sorted(maps.Keys(known.Starts)), errRecreated, known.ID, t.ID), failure.Never)
		}
	}
	if count > partitionsMax {
		return nil, failure.Userf("%d partitions, at most %d are allowed", count, partitionsMax)
	}
	return topics, nil
}

// takeRestored makes the positions of readers the starts of their partitions:
// they are newer. So those of topics that are not read any more are kept, too.
func (e *enumerator) takeRestored() (map[Partition]split, error) {
	positions := make(map[Partition]split, len(e.restored))
	for _, r := range e.restored {
		s, err := decodeSplit(r)
		if err != nil {
			return nil, err
		}
		known := e.state.Topics[s.Topic]
		if known == nil {
			known = &knownTopic{ID: s.TopicID, Starts: make(map[int32]int64)}
			e.state.Topics[s.Topic] = known
		}
		known.Starts[s.Partition] = s.Offset
		if s.End != noEnd {
			known.setEnd(s.Partition, s.End)
		}
		positions[Partition{s.Topic, s.Partition}] = split{s, r.Watermark}
	}
	return positions, nil
}

func (k *knownTopic) setEnd(partition int32, end int64) {
	if k.Ends == nil {
		k.Ends = make(map[int32]int64)
	}
	k.Ends[partition] = end
}

// learn adds the partitions that are not known yet and returns them. In a new
// job they begin as the options say; later ones were empty when the job began,
// and are read from their earliest record.
func (e *enumerator) learn(ctx context.Context, topics map[string]Topic, isNew bool) ([]Partition, error) {
	var found []Partition
	for _, name := range e.opts.topics {
		t, known := topics[name], e.state.Topics[name]
		var fresh []int32
		for _, p := range t.Partitions {
			if known == nil || !has(known.Starts, p) {
				fresh = append(fresh, p)
			}
		}
		if known != nil && len(fresh) == 0 {
			continue
		}
		learned, err := e.resolve(ctx, name, t, fresh, isNew)
		if err != nil {
			return nil, err
		}
		if known == nil {
			e.state.Topics[name] = learned
		} else {
			maps.Copy(known.Starts, learned.Starts)
			for p, end := range learned.Ends {
				known.setEnd(p, end)
			}
		}
		for _, p := range fresh {
			found = append(found, Partition{name, p})
		}
	}
	return found, nil
}

func has(m map[int32]int64, p int32) bool {
	_, ok := m[p]
	return ok
}

// resolve makes numbers of words for partitions of a topic.
func (e *enumerator) resolve(ctx context.Context, name string, t Topic, partitions []int32, isNew bool) (*knownTopic, error) {
	k := &knownTopic{ID: t.ID.String(), Starts: make(map[int32]int64)}
	starts := bound{mode: modeEarliest}
	if isNew {
		starts = e.opts.start
	}
	r := resolver{e, name, partitions}
	var err error
	if k.Starts, err = r.starts(ctx, starts); err != nil {
		return nil, err
	}
	if e.opts.bounded() {
		k.Ends, err = r.ends(ctx, e.opts.end)
	}
	return k, err
}

func (e *enumerator) split(topic string, p int32, positions map[Partition]split) split {
	known := e.state.Topics[topic]
	s := split{splitState{
		Topic: topic, TopicID: known.ID, Partition: p, Offset: known.Starts[p], End: noEnd,
	}, stream.NoWatermark}
	if e.opts.bounded() {
		s.End = known.end(p)
	}
	if at, ok := positions[Partition{topic, p}]; ok {
		s.watermark = at.watermark
	}
	return s
}

// assign deals splits, in the order of their names, to the subtasks in turn.
func (e *enumerator) assign(splits []split) ([]connectors.Assignment, error) {
	slices.SortFunc(splits, func(a, b split) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	bySubtask := make(map[int32]*connectors.Assignment)
	for _, s := range splits {
		data, err := s.encode()
		if err != nil {
			return nil, failure.Internal(err)
		}
		subtask := int32(e.assigned % int(e.parallelism))
		e.assigned++
		if bySubtask[subtask] == nil {
			bySubtask[subtask] = &connectors.Assignment{Subtask: subtask}
		}
		a := bySubtask[subtask]
		a.Splits = append(a.Splits, connectors.SplitState{ID: splitID(s.Topic, s.Partition), State: data, Watermark: s.watermark})
	}
	if first, second := bySubtask[0], bySubtask[1]; first != nil && second != nil && e.wasRestored && mutant.On(mutant.SplitsTwice) {
		second.Splits = append(second.Splits, first.Splits[0])
	}
	out := make([]connectors.Assignment, 0, len(bySubtask))
	for _, subtask := range slices.Sorted(maps.Keys(bySubtask)) {
		out = append(out, *bySubtask[subtask])
	}
	return out, nil
}

// noMore tells every subtask, those without splits too, that none follows.
func noMore(out []connectors.Assignment, parallelism int32) []connectors.Assignment {
	all := make([]connectors.Assignment, parallelism)
	for i := range all {
		all[i] = connectors.Assignment{Subtask: int32(i), NoMore: true}
	}
	for _, a := range out {
		all[a.Subtask].Splits = a.Splits
	}
	return all
}
