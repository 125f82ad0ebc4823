package standalone

import (
	"fmt"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/cmd/millrace/config"
	"millrace/internal/failure"
)

// partitions is how many a topic has that nobody created: one a task of a small job.
const partitions = 2

// broker is a Kafka broker inside the process, on loopback.
type broker struct{ fake *kfake.Cluster }

func startBroker(o Options) (*broker, error) {
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(partitions)}
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
	return &broker{fake}, nil
}

func (b *broker) addresses() []string { return b.fake.ListenAddrs() }

func (b *broker) close() { b.fake.Close() }
