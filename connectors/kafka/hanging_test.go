package kafka

import (
	"fmt"
	"testing"

	"millrace/failure"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
)

// TestHangingTransactions kills a broker right behind its answer to the commit: it comes back with a transaction that it holds for complete,
// and which has no commit markers (docs/design/0002-kafka-transactions.md, hole 2). What was committed becomes visible all the same.
func TestHangingTransactions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts brokers")
	}
	for _, version := range matrix.Sample(t, 1, []int{2, 1}) {
		t.Run(fmt.Sprintf("transaction version %d", version), func(t *testing.T) {
			b, err := realkafka.Launch(t.Context(), t.TempDir(), realkafka.Feature("transaction.version", version))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			for range 3 { // not every death does it
				hang(newEnv(t, []string{b.Addr()}, 2), b)
			}
		})
	}
}

// TestPartitionOfGroup: as String.hashCode of Java and Utils.abs of Kafka have it; the hash of the third is the least number.
func TestPartitionOfGroup(t *testing.T) {
	for group, want := range map[string]int32{"": 0, "abc": 96354 % 50, "polygenelubricants": 0, "millrace.job.sink.0.1": 16, "zzzzzzz": 18} {
		if got := partitionOfGroup(group, 50); got != want {
			t.Errorf("%q: %d, want %d", group, got, want)
		}
	}
}

func hang(e *env, b *realkafka.Broker) {
	e.Helper()
	j := e.job(nil)
	j.start(1)
	j.write(0, "a", "b", "c")
	j.completed(1, j.prepare(1))
	c, err := decodeCommittable(j.complete.committables[0])
	e.check(err)
	raw, err := connect(ClusterSpec{Brokers: e.brokers}, nil)
	e.check(err)
	defer raw.Close()
	code, err := raw.EndTxn(e.ctx, c.transaction())
	b.Kill()
	e.check(err)
	if code != codeNone {
		e.Fatalf("commit: code %d", code)
	}
	e.check(b.Restart(e.ctx))
	for {
		err := j.committer.Commit(e.ctx, j.complete.id, j.complete.committables)
		if err == nil {
			break
		}
		if failure.ClassOf(err).Retry != failure.Backoff || e.ctx.Err() != nil {
			e.Fatal(err)
		}
	}
	e.want("a", "b", "c")
	e.Logf("the committer: %s", e.heard.of("committer"))
}
