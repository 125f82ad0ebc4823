package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/failure"
)

// ClusterSpec says how to reach a cluster.
type ClusterSpec struct {
	Brokers  []string
	ClientID string
	// Warn takes, from any goroutine, failures of what is then tried again by
	// itself. Nil takes nothing.
	Warn func(what string, cause error)
}

// dial is how connections are made; nil is the usual way. Tests lose answers with it.
type dial func(ctx context.Context, network, host string) (net.Conn, error)

// cluster is a Cluster reached by franz-go.
type cluster struct {
	spec ClusterSpec
	dial dial
	main *kgo.Client
	raw  rawClients
}

// Connect returns the cluster of the spec. It does not reach out yet.
func Connect(spec ClusterSpec) (Cluster, error) { return connect(spec, nil) }

func connect(spec ClusterSpec, d dial) (*cluster, error) {
	c := &cluster{spec: spec, dial: d}
	main, err := c.client()
	if err != nil {
		return nil, err
	}
	c.main = main
	return c, nil
}

// client makes a client with what all clients have in common.
func (c *cluster) client(opts ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(c.spec.Brokers...), kgo.DisableClientMetrics(), kgo.RetryTimeout(requestTimeout),
		kgo.MetadataMinAge(metadataAgeMin),
	}
	if c.spec.ClientID != "" {
		all = append(all, kgo.ClientID(c.spec.ClientID))
	}
	if c.dial != nil {
		all = append(all, kgo.Dialer(c.dial))
	}
	if c.spec.Warn != nil {
		all = append(all, kgo.WithHooks(connections{c.spec.Warn}))
	}
	client, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, failure.User(fmt.Errorf("kafka client: %w", err))
	}
	return client, nil
}

// Close implements Cluster.
func (c *cluster) Close() {
	c.main.Close()
	c.raw.close()
}

// Topics implements Cluster. It asks a broker rather than the client's cache,
// which may not know yet what was created or recreated.
func (c *cluster) Topics(ctx context.Context, names []string) (map[string]Topic, error) {
	ask := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		ask.Topics = append(ask.Topics, t)
	}
	answer, err := ask.RequestWith(ctx, c.main)
	if err != nil {
		return nil, external("metadata of "+strings.Join(names, ", "), err)
	}
	topics := make(map[string]Topic, len(answer.Topics))
	for _, found := range answer.Topics {
		err := kerr.ErrorForCode(found.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) || found.Topic == nil {
			continue
		}
		if err != nil {
			return nil, external("metadata of topic "+*found.Topic, err)
		}
		t := Topic{ID: found.TopicID}
		for _, p := range found.Partitions {
			t.Partitions = append(t.Partitions, p.Partition)
		}
		slices.Sort(t.Partitions)
		topics[*found.Topic] = t
	}
	return topics, nil
}

// Offsets implements Cluster.
func (c *cluster) Offsets(ctx context.Context, topic string, at OffsetSpec) (map[int32]int64, error) {
	listed, err := list(ctx, kadm.NewClient(c.main), topic, at)
	if err != nil {
		return nil, external("offsets of topic "+topic, err)
	}
	offsets := make(map[int32]int64, len(listed[topic]))
	for p, o := range listed[topic] {
		if o.Err != nil {
			return nil, external(fmt.Sprintf("offset of topic %s, partition %d", topic, p), o.Err)
		}
		offsets[p] = o.Offset
	}
	return offsets, nil
}

func list(ctx context.Context, admin *kadm.Client, topic string, at OffsetSpec) (kadm.ListedOffsets, error) {
	switch {
	case at.Kind == AtEarliest:
		return admin.ListStartOffsets(ctx, topic)
	case at.Kind == AtTimestamp:
		return admin.ListOffsetsAfterMilli(ctx, at.TimestampMillis, topic)
	case at.Committed:
		return admin.ListCommittedOffsets(ctx, topic)
	}
	return admin.ListEndOffsets(ctx, topic)
}

// GroupOffsets implements Cluster.
func (c *cluster) GroupOffsets(ctx context.Context, group, topic string) (map[int32]int64, error) {
	found, err := kadm.NewClient(c.main).FetchOffsetsForTopics(ctx, group, topic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, external("offsets of group "+group, err)
	}
	offsets := make(map[int32]int64)
	for p, o := range found[topic] {
		if o.Err != nil {
			return nil, external(fmt.Sprintf("offset of group %s, topic %s, partition %d", group, topic, p), o.Err)
		}
		if o.At >= 0 {
			offsets[p] = o.At
		}
	}
	return offsets, nil
}

// CommitGroup implements Cluster.
func (c *cluster) CommitGroup(ctx context.Context, group string, offsets map[Partition]int64) error {
	var commit kadm.Offsets
	for p, o := range offsets {
		commit.AddOffset(p.Topic, p.Index, o, -1)
	}
	answer, err := kadm.NewClient(c.main).CommitOffsets(ctx, group, commit)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return external("publish offsets of group "+group, err)
	}
	return nil
}

// rawClients send single requests on transactions, capped at the versions of a
// transaction version. It is safe for concurrent use.
type rawClients struct {
	mu      sync.Mutex
	clients [2]*kgo.Client // of transaction version 1 and 2
}

func (r *rawClients) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.clients {
		if c != nil {
			c.Close()
		}
	}
}
