package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
	"millrace/formats"
	"millrace/formats/raw"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
	"millrace/options"
	"millrace/types"
)

// testLimit bounds every wait of a scenario.
const testLimit = time.Minute

// env is a cluster with a topic of its own for one scenario.
type env struct {
	*testing.T
	ctx     context.Context
	brokers []string
	topic   string
	client  *kgo.Client
	admin   *kadm.Client
	fake    *kfake.Cluster // nil with a real broker
	network dial           // how the test's own clients connect; nil is the usual way
	wires   *wires
	heard   *heard
	around  func(Cluster) Cluster // what stands before the cluster, nil for nothing
}

// heard is what readers, writers and committers said last of their troubles.
type heard struct {
	mu   sync.Mutex
	last map[string]string
}

func (h *heard) from(who string) connectors.Trouble {
	return func(message string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.last == nil {
			h.last = map[string]string{}
		}
		h.last[who] = message
	}
}

func (h *heard) of(who string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[who]
}

// troubled waits until somebody says a trouble with these words, none with no words.
func (e *env) troubled(who string, words ...string) {
	e.Helper()
	e.eventually(fmt.Sprintf("trouble of the %s with %q", who, words), func() bool {
		text := e.heard.of(who)
		return (text == "") == (len(words) == 0) &&
			!slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
}

// scenario is a test that every cluster must pass.
type scenario struct {
	name       string
	partitions int
	run        func(*env)
	// fakeOnly: it needs what only the fake can be told to do.
	fakeOnly bool
}

// shared is the real broker of this run of the package.
var shared struct {
	sync.Mutex
	broker *realkafka.Broker
	dir    string
	topics atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.broker != nil {
		shared.broker.Close()
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

func realBroker(t *testing.T) *realkafka.Broker {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker != nil {
		return shared.broker
	}
	dir, err := os.MkdirTemp("", "millrace-kafka-") //nolint:usetesting // the broker outlives the test that is the first to need it
	if err != nil {
		t.Fatal(err)
	}
	b, err := realkafka.Launch(t.Context(), dir)
	if err != nil {
		t.Fatalf("launch a broker: %v", err)
	}
	shared.broker, shared.dir = b, dir
	return b
}

// everywhere runs the scenarios on the fake, by the real clock and in a bubble, and some of them on a real broker.
func everywhere(t *testing.T, scenarios []scenario) {
	t.Run("bubble", func(t *testing.T) {
		for _, s := range scenarios {
			t.Run(s.name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { s.run(bubbleEnv(t, s.partitions)) }) })
		}
	})
	t.Run("fake", func(t *testing.T) {
		for _, s := range scenarios {
			t.Run(s.name, func(t *testing.T) { s.run(fakeEnv(t, s.partitions)) })
		}
	})
	t.Run("real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("starts a broker")
		}
		real := slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return s.fakeOnly })
		for _, s := range matrix.Sample(t, 3, real) {
			t.Run(s.name, func(t *testing.T) { s.run(newEnv(t, []string{realBroker(t).Addr()}, s.partitions)) })
		}
	})
}

func fakeEnv(t *testing.T, partitions int) *env {
	t.Helper()
	return fakeEnvOver(t, nil, partitions)
}

// creating is another fake, which creates topics that somebody asks for.
func (e *env) creating() *env {
	e.Helper()
	opts := []kfake.Opt{kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1)}
	if e.network != nil {
		return bubbleEnv(e.T, 1, opts...)
	}
	return fakeEnvOver(e.T, nil, 1, opts...)
}

// bubbleEnv is a fake that is reached without the operating system: in a bubble of testing/synctest time goes on when nobody
// has anything to do, and a minute of patience takes no time.
func bubbleEnv(t *testing.T, partitions int, opts ...kfake.Opt) *env {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	return fakeEnvOver(t, network.DialContext, partitions, append(opts, kfake.ListenFn(network.Listen), kfake.Ports(9092))...)
}

func fakeEnvOver(t *testing.T, network dial, partitions int, opts ...kfake.Opt) *env {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	e := newEnvOver(t, network, c.ListenAddrs(), partitions)
	e.fake = c
	return e
}

// address is where the fake listens.
func (e *env) address() (host string, port int32) {
	e.Helper()
	host, text, err := net.SplitHostPort(e.brokers[0])
	e.check(err)
	n, err := strconv.Atoi(text)
	e.check(err)
	return host, int32(n)
}

func newEnv(t *testing.T, brokers []string, partitions int) *env {
	t.Helper()
	return newEnvOver(t, nil, brokers, partitions)
}

func newEnvOver(t *testing.T, network dial, brokers []string, partitions int) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	e := &env{
		T: t, ctx: ctx, brokers: brokers, network: network, wires: &wires{network: network}, heard: &heard{},
		topic: fmt.Sprintf("t%d", shared.topics.Add(1)),
	}
	e.client = e.newClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	t.Cleanup(e.client.Close)
	e.admin = kadm.NewClient(e.client)
	e.createTopic(max(partitions, 1))
	return e
}

// newClient is one of the test's own; the test closes it.
func (e *env) newClient(opts ...kgo.Opt) *kgo.Client {
	e.Helper()
	opts = append(opts, kgo.SeedBrokers(e.brokers...))
	if e.network != nil {
		opts = append(opts, kgo.Dialer(e.network))
	}
	client, err := kgo.NewClient(opts...)
	e.check(err)
	return client
}

func (e *env) check(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) createTopic(partitions int) {
	e.Helper()
	_, err := e.admin.CreateTopic(e.ctx, int32(partitions), 1, nil, e.topic)
	e.check(err)
	e.eventually("topic "+e.topic, func() bool {
		d, err := e.admin.ListTopics(e.ctx, e.topic)
		return err == nil && d[e.topic].Err == nil && len(d[e.topic].Partitions) == partitions
	})
}

// eventually waits for a condition.
func (e *env) eventually(what string, ok func() bool) {
	e.Helper()
	for !ok() {
		if !sleep(e.ctx, 5*time.Millisecond) {
			e.Fatalf("%s: not within %s", what, testLimit)
		}
	}
}

// connector is what is tested, with connections that scenarios can tamper with.
func (e *env) connector() *Connector {
	return &Connector{
		Formats: formats.Registry{"raw": rawFormat, "picky": pickyFormat},
		Connect: func(s ClusterSpec) (Cluster, error) {
			c, err := connect(s, e.wires.dial)
			if err != nil || e.around == nil {
				return c, err
			}
			return e.around(c), nil
		},
	}
}

func (e *env) options(more map[string]string) map[string]string {
	o := map[string]string{keyBrokers: strings.Join(e.brokers, ","), keyTopic: e.topic, keyFormat: "raw"}
	maps.Copy(o, more)
	return o
}

var rawFormat = formats.Format{
	Decoder: func(s *types.Schema, _ options.Values) (formats.Decoder, error) { return raw.NewDecoder(s) },
	Encoder: func(s *types.Schema, _ options.Values) (formats.Encoder, error) { return raw.NewEncoder(s) },
}

// pickyFormat is raw, but does not understand records that begin with "bad".
var pickyFormat = formats.Format{
	Decoder: func(s *types.Schema, _ options.Values) (formats.Decoder, error) {
		d, err := raw.NewDecoder(s)
		return picky{d}, err
	},
}

type picky struct{ formats.Decoder }

func (p picky) Decode(payloads [][]byte, out *formats.Rows, rowsMax int) (int, error) {
	for i, v := range payloads {
		if out.Len() >= rowsMax {
			return i, nil
		}
		if strings.HasPrefix(string(v), "bad") {
			return i, &formats.RecordError{Reason: "it is bad"}
		}
		if _, err := p.Decoder.Decode(payloads[i:i+1], out, rowsMax); err != nil {
			return i, err
		}
	}
	return len(payloads), nil
}

var textSchema = types.NewSchema(types.Field{Name: "text", Type: types.StringType()})

// produce writes values to a partition, without a transaction.
func (e *env) produce(partition int32, values ...string) {
	e.Helper()
	e.check(produceWith(e.ctx, e.client, e.topic, partition, values...))
}

func produceWith(ctx context.Context, client *kgo.Client, topic string, partition int32, values ...string) error {
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// transact writes values in a transaction of some other producer and ends it, the partition's only one. The broker answers that it has ended before its marker is there; until then
// nothing behind it is committed, and what is written next would be no part of a bounded reading.
func (e *env) transact(commit bool, partition int32, values ...string) {
	e.Helper()
	client := e.newClient(kgo.TransactionalID("other-"+e.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	e.check(client.BeginTransaction())
	e.check(produceWith(e.ctx, client, e.topic, partition, values...))
	e.check(client.EndTransaction(e.ctx, kgo.TransactionEndTry(commit)))
	e.eventually("the marker of a transaction", func() bool { return e.offset(e.admin.ListCommittedOffsets, partition) == e.latestOffset(partition) })
}

// committed reads what a read_committed consumer sees now, sorted.
func (e *env) committed() []string {
	e.Helper()
	ends, err := e.admin.ListCommittedOffsets(e.ctx, e.topic)
	e.check(err)
	starts := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			starts[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(left) == 0 {
		return nil
	}
	client := e.newClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{e.topic: starts}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer client.Close()
	var values []string
	for len(left) > 0 {
		fetches := client.PollFetches(e.ctx)
		e.check(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				values = append(values, string(r.Value))
			}
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
	}
	slices.Sort(values)
	return values
}

// latestOffset is the end of the log, committed or not.
func (e *env) latestOffset(partition int32) int64 {
	e.Helper()
	return e.offset(e.admin.ListEndOffsets, partition)
}

// offset is what a listing of offsets has of a partition.
func (e *env) offset(list func(context.Context, ...string) (kadm.ListedOffsets, error), partition int32) int64 {
	e.Helper()
	ends, err := list(e.ctx, e.topic)
	e.check(err)
	o, ok := ends.Lookup(e.topic, partition)
	if !ok {
		e.Fatalf("no offset of partition %d", partition)
	}
	return o.Offset
}

// setTransactionVersion changes the feature of the fake.
func (e *env) setTransactionVersion(level int16) {
	e.Helper()
	update := kmsg.NewPtrUpdateFeaturesRequest()
	f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	f.Feature, f.MaxVersionLevel, f.UpgradeType, f.AllowDowngrade = "transaction.version", level, 2, true
	update.FeatureUpdates = append(update.FeatureUpdates, f)
	answer, err := update.RequestWith(e.ctx, e.client)
	e.check(err)
	if answer.ErrorCode != 0 {
		e.Fatalf("transaction.version %d: code %d", level, answer.ErrorCode)
	}
}

// want fails unless the committed rows become these, in any order.
func (e *env) want(values ...string) {
	e.Helper()
	slices.Sort(values)
	var got []string
	for {
		if got = e.committed(); slices.Equal(got, values) {
			return
		}
		if len(got) > len(values) || !sleep(e.ctx, 10*time.Millisecond) {
			e.Fatalf("committed %q, want %q", got, values)
		}
	}
}

// errTampered is what a cut connection fails with.
var errTampered = errors.New("the test cut the connection")
