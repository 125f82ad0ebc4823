package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
)

// troubles gathers what is tried again, for people. It is safe for concurrent use.
type troubles struct {
	say connectors.Trouble
	mu  sync.Mutex
	of  map[string]string // by what is tried
}

// set says what is the matter with one thing; "" ends it.
func (t *troubles) set(what, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[what] == message {
		return
	}
	if t.of == nil {
		t.of = make(map[string]string)
	}
	t.of[what] = message
	if message == "" {
		delete(t.of, what)
	}
	all := slices.Compact(slices.Sorted(maps.Values(t.of)))
	if rest := len(all) - troublesMax; rest > 0 {
		all = append(all[:troublesMax], fmt.Sprintf("and %d more", rest))
	}
	t.say.Say(strings.Join(all, "; ")) // under the lock, so that the last word is the last
}

// partitionTroubles words what is the matter with partitions: the same trouble
// of one topic once.
func partitionTroubles(of map[Partition]string) string {
	type group struct{ topic, text string }
	groups := make(map[group][]int32)
	for p, text := range of {
		g := group{p.Topic, text}
		groups[g] = append(groups[g], p.Index)
	}
	ordered := slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.text, b.text))
	})
	var out []string
	for _, g := range ordered[:min(len(ordered), troublesMax)] {
		out = append(out, fmt.Sprintf("topic %s, %s: %s", g.topic, partitionNames(groups[g]), g.text))
	}
	if rest := len(ordered) - len(out); rest > 0 {
		out = append(out, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(out, "; ")
}

// partitionNames lists partitions, some of them where there are many.
func partitionNames(ps []int32) string {
	if len(ps) == 1 {
		return fmt.Sprintf("partition %d", ps[0])
	}
	slices.Sort(ps)
	var names []string
	for _, p := range ps[:min(len(ps), troublesMax)] {
		names = append(names, strconv.Itoa(int(p)))
	}
	text := "partitions " + strings.Join(names, ", ")
	if rest := len(ps) - len(names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// connections tells of connections that fail. It implements the hooks of the
// client that it needs.
type connections struct {
	warn func(what string, cause error)
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (c connections) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	c.failed(meta, err)
}

// OnBrokerRead implements kgo.HookBrokerRead.
func (c connections) OnBrokerRead(meta kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	c.failed(meta, err)
}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (c connections) OnBrokerWrite(meta kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	c.failed(meta, err)
}

func (c connections) failed(meta kgo.BrokerMetadata, err error) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) || errors.Is(err, kgo.ErrClientClosed) {
		return // or it is the closing that fails things
	}
	c.warn(fmt.Sprintf("broker at %s:%d", meta.Host, meta.Port), err)
}
