package kafka

import (
	"context"
	"fmt"

	"millrace/failure"
)

// resolver turns words and times into offsets of partitions of one topic.
type resolver struct {
	e          *enumerator
	topic      string
	partitions []int32
}

// starts returns where to begin.
func (r resolver) starts(ctx context.Context, b bound) (map[int32]int64, error) {
	switch b.mode {
	case modeGroup:
		return r.group(ctx, r.e.opts.reset)
	case modeSpecific:
		return r.specific(b.specific, func() (map[int32]int64, error) { return r.ask(ctx, OffsetSpec{Kind: AtEarliest}) })
	}
	return r.ask(ctx, r.spec(b))
}

// ends returns the first offsets not to read.
func (r resolver) ends(ctx context.Context, b bound) (map[int32]int64, error) {
	switch b.mode {
	case modeGroup:
		return r.group(ctx, "none")
	case modeSpecific:
		return r.specific(b.specific, func() (map[int32]int64, error) {
			return nil, failure.Userf("%s names not every partition of topic %s", keyBoundedOffset, r.topic)
		})
	}
	return r.ask(ctx, r.spec(b))
}

func (r resolver) spec(b bound) OffsetSpec {
	switch b.mode {
	case modeLatest:
		return OffsetSpec{Kind: AtLatest, Committed: r.e.opts.committed}
	case modeTimestamp:
		return OffsetSpec{Kind: AtTimestamp, TimestampMillis: b.millis}
	}
	return OffsetSpec{Kind: AtEarliest}
}

func (r resolver) ask(ctx context.Context, at OffsetSpec) (map[int32]int64, error) {
	all, err := r.e.cluster.Offsets(ctx, r.topic, at)
	if err != nil {
		return nil, err
	}
	out := make(map[int32]int64, len(r.partitions))
	for _, p := range r.partitions {
		o, ok := all[p]
		if !ok || o < 0 {
			return nil, failure.Externalf(failure.Backoff, "no offset is known of topic %s, partition %d", r.topic, p)
		}
		out[p] = o
	}
	return out, nil
}

// specific takes given offsets, and others for partitions that were not named.
func (r resolver) specific(given map[int32]int64, others func() (map[int32]int64, error)) (map[int32]int64, error) {
	out := make(map[int32]int64, len(r.partitions))
	var rest map[int32]int64
	for _, p := range r.partitions {
		o, ok := given[p]
		if !ok {
			if rest == nil {
				var err error
				if rest, err = others(); err != nil {
					return nil, err
				}
			}
			o = rest[p]
		}
		out[p] = o
	}
	return out, nil
}

// group takes a group's offsets; reset says what to do without one.
func (r resolver) group(ctx context.Context, reset string) (map[int32]int64, error) {
	committed, err := r.e.cluster.GroupOffsets(ctx, r.e.opts.group, r.topic)
	if err != nil {
		return nil, err
	}
	return r.specific(committed, func() (map[int32]int64, error) {
		switch reset {
		case "earliest":
			return r.ask(ctx, OffsetSpec{Kind: AtEarliest})
		case "latest":
			return r.ask(ctx, OffsetSpec{Kind: AtLatest, Committed: r.e.opts.committed})
		}
		return nil, failure.User(fmt.Errorf("group %s has no offset for every partition of topic %s, and %s is none",
			r.e.opts.group, r.topic, keyReset))
	})
}
