package standalone

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/command/config"
	"millrace/failure"
	"millrace/jobgraph"
)

// partitions is how many a topic of the broker inside the process has: one a task of a small job.
const partitions = 2

// Broker is a Kafka broker inside the process, on loopback.
type Broker struct{ fake *kfake.Cluster }

// StartBroker runs a broker with the topics that the configuration names. It takes Dir, Config and Durable of the options.
func StartBroker(o Options) (*Broker, error) {
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(partitions)}
	if topics := o.Config.List(config.EmbeddedTopics); len(topics) > 0 {
		options = append(options, kfake.SeedTopics(partitions, topics...))
	}
	if port := int(o.Config.Int(config.EmbeddedBroker)); port != 0 {
		options = append(options, kfake.Ports(port))
	}
	if o.Durable {
		options = append(options, kfake.DataDir(filepath.Join(o.Dir, "kafka")))
	}
	fake, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, failure.External(fmt.Errorf("start the broker inside the process: %w", err), failure.Never)
	}
	return &Broker{fake}, nil
}

// Addresses returns where clients connect.
func (b *Broker) Addresses() []string { return b.fake.ListenAddrs() }

// Close ends the broker.
func (b *Broker) Close() { b.fake.Close() }

// createTimeout bounds the creation of topics in this process.
const createTimeout = 10 * time.Second

// CreateTopics makes the topics that a graph writes, where the broker is inside the process and lacks them. Those that it
// reads are left alone: a name that is mistyped must not become an empty topic.
func (s *Standalone) CreateTopics(ctx context.Context, g *jobgraph.Graph) error {
	if s.broker == nil {
		return nil
	}
	var topics []string
	for i := range g.Vertices {
		if sink := g.Vertices[i].Sink; sink != nil && sink.Connector == "kafka" && sink.Options["topic"] != "" {
			topics = append(topics, sink.Options["topic"])
		}
	}
	if len(topics) == 0 {
		return nil
	}
	return s.broker.create(ctx, topics)
}

func (b *Broker) create(ctx context.Context, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addresses()...))
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopics(ctx, partitions, -1, nil, topics...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, t := range created {
		if t.Err != nil && !errors.Is(t.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Topic, t.Err)
		}
	}
	return nil
}
