package nexmark_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/tests/platformtest"
)

// partitions is how many a topic has. Events are dealt out to them in turn.
const partitions = 4

// broker is a Kafka broker with topics of events.
type broker struct {
	address string
	topics  int
	whole   map[string]string // topics with all events, by what is in them
}

// embedded is the broker inside the process, apache one of Apache Kafka; each from its first use on.
var (
	embedded, apache *broker
	fake             *kfake.Cluster
	brokers          sync.Mutex
)

func embeddedBroker(t *testing.T) *broker {
	t.Helper()
	brokers.Lock()
	defer brokers.Unlock()
	if embedded == nil {
		var err error
		if fake, err = kfake.NewCluster(kfake.NumBrokers(1)); err != nil {
			t.Fatal(err)
		}
		embedded = newBroker(fake.ListenAddrs()[0])
	}
	return embedded
}

func realBroker(t *testing.T) *broker {
	t.Helper()
	b := platformtest.SharedBroker(t)
	brokers.Lock()
	defer brokers.Unlock()
	if apache == nil {
		apache = newBroker(b.Addr())
	}
	return apache
}

func newBroker(address string) *broker {
	return &broker{address: address, whole: make(map[string]string)}
}

func closeBrokers() {
	if fake != nil {
		fake.Close()
	}
	platformtest.CloseSharedBroker()
}

// create makes a topic.
func (b *broker) create(t *testing.T) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b.topics++
	topic := fmt.Sprintf("nexmark-%d", b.topics)
	created, err := kadm.NewClient(client).CreateTopics(t.Context(), partitions, 1, nil, topic)
	if err != nil {
		t.Fatal(err)
	}
	if err := created.Error(); err != nil {
		t.Fatal(err)
	}
	return topic
}

// fill writes the events from one number to another, in their order within each partition.
func (b *broker) fill(t *testing.T, topic string, events [][]byte, from, to int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := make([]*kgo.Record, 0, to-from)
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: events[i]})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// full returns a topic with all events, which is shared.
func (b *broker) full(t *testing.T, name string, events [][]byte) string {
	t.Helper()
	if b.whole[name] == "" {
		topic := b.create(t)
		b.fill(t, topic, events, 0, len(events))
		b.whole[name] = topic
	}
	return b.whole[name]
}

// ends are the offsets at which a topic with so many events ends, as scan.bounded.specific-offsets has them.
func ends(events int) string {
	var out []string
	for p := range partitions {
		out = append(out, fmt.Sprintf("partition:%d,offset:%d", p, (events-p+partitions-1)/partitions))
	}
	return strings.Join(out, ";")
}
