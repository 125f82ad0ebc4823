package realkafka_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/internal/testutil/realkafka"
)

const testLimit = 4 * time.Minute

// TestKillAndRestart is what every other user of the package relies on: acknowledged records and the address survive
// SIGKILL, and Kafka's own reader tells committed records from open ones.
func TestKillAndRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker")
	}
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	b := realkafka.Start(t)
	if err := b.CreateTopic(ctx, "numbers", 1); err != nil {
		t.Fatal(err)
	}
	produce(t, ctx, b, 0, 100)
	produceOpen(t, ctx, b)

	before := b.Addr()
	b.Kill()
	if connection, err := net.Dial("tcp", b.Addr()); err == nil {
		connection.Close()
		t.Fatal("the killed broker still accepts connections")
	}
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if b.Addr() != before {
		t.Fatalf("the address changed from %s to %s", before, b.Addr())
	}
	if diff := cmp.Diff(numbers(0, 100), consume(t, ctx, b, realkafka.ReadCommitted, 0)); diff != "" {
		t.Errorf("read_committed after the restart (-want +got):\n%s", diff)
	}
	want := append(numbers(0, 100), "open")
	if diff := cmp.Diff(want, consume(t, ctx, b, realkafka.ReadUncommitted, 101)); diff != "" {
		t.Errorf("read_uncommitted after the restart (-want +got):\n%s", diff)
	}
}

// TestLaunchSaysWhy starts a broker that refuses its configuration.
func TestLaunchSaysWhy(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker")
	}
	b, err := realkafka.Launch(t.Context(), t.TempDir(), realkafka.Property("num.io.threads", "none"))
	if err == nil {
		b.Close()
		t.Fatal("a broker started with num.io.threads=none")
	}
	if !strings.Contains(err.Error(), "num.io.threads") {
		t.Errorf("the error does not quote the broker: %v", err)
	}
}

func produce(t *testing.T, ctx context.Context, b *realkafka.Broker, from, to int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for _, number := range numbers(from, to) {
		records = append(records, kgo.StringRecord(number))
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// produceOpen leaves a record in a transaction that nobody ends.
func produceOpen(t *testing.T, ctx context.Context, b *realkafka.Broker) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("numbers"),
		kgo.TransactionalID("never-ended"), kgo.TransactionTimeout(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func consume(t *testing.T, ctx context.Context, b *realkafka.Broker, isolation realkafka.Isolation, limit int) []string {
	t.Helper()
	var values []string
	options := realkafka.ConsoleOptions{Topic: "numbers", Isolation: isolation, RecordsMax: limit}
	for value, err := range b.ConsoleConsumer(ctx, options) {
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, string(value))
	}
	return values
}

func numbers(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}
