package kafka

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTroubles takes the broker away in the middle of what the parts do, and
// brings it back.
func TestTroubles(t *testing.T) {
	everywhere(t, []scenario{
		{"reader", 2, troubledReader, false},
		{"writer", 1, troubledWriter, false},
		{"writer that ends its epoch", 1, troubledBarrier, false},
		{"writer at least once", 1, troubledPlainWriter, false},
		{"committer", 1, troubledCommitter, false},
		{"restore", 1, troubledRestore, false},
	})
}

func troubledReader(e *env) {
	r := e.read(1, nil, nil)
	e.produce(0, "a")
	e.produce(1, "b")
	r.first(2)
	e.wires.goAway()
	e.troubled("reader", "topic "+e.topic, "partitions 0, 1", e.brokers[0], "is tried again", errAway.Error())
	e.wires.comeBack()
	e.troubled("reader")
	e.produce(1, "c")
	r.first(3)
}

func troubledWriter(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.checkpoint(1)
	e.wires.goAway()
	j.write(0, "b")
	e.troubled("writer", "topic "+e.topic, e.brokers[0], "is tried again", errAway.Error())
	e.wires.comeBack()
	e.troubled("writer")
	j.checkpoint(2)
	e.want("a", "b")
}

// troubledBarrier takes the broker away when all rows are acknowledged, and the
// marker is not.
func troubledBarrier(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	e.eventually("acknowledgement", func() bool { return j.writers[0].(*writer).buffered.Load() == 0 })
	e.wires.goAway()
	j.check(j.writers[0].Prepare(1))
	e.troubled("writer", "topic "+e.topic, e.brokers[0], "is tried again", errAway.Error())
	e.wires.comeBack()
	j.completed(1, j.prepare(1))
	e.troubled("writer")
	j.commit()
	e.want("a")
}

func troubledPlainWriter(e *env) {
	j := e.job(map[string]string{keyGuarantee: guaranteeAtLeastOnce})
	j.start(1)
	e.wires.goAway()
	j.write(0, "a")
	e.troubled("writer", "topic "+e.topic, e.brokers[0], "is tried again", errAway.Error())
	e.wires.comeBack()
	j.prepare(1)
	e.troubled("writer")
	e.want("a")
}

func troubledCommitter(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	prepared := j.prepare(1)
	j.completed(1, prepared)
	e.wires.goAway()
	committed := make(chan error, 1)
	go func() { committed <- j.committer.Commit(e.ctx, 1, prepared) }()
	e.troubled("committer", "topic "+e.topic, "checkpoint 1", e.brokers[0], "is tried again")
	e.wires.comeBack()
	e.check(<-committed)
	e.troubled("committer")
	e.want("a")
}

func troubledRestore(e *env) {
	j := e.job(nil)
	e.wires.goAway()
	started := make(chan error, 1)
	go func() { started <- j.tryStart(1) }()
	e.troubled("committer", "to read group", e.brokers[0], "is tried again")
	e.wires.comeBack()
	e.check(<-started)
	e.troubled("committer")
}

// TestPartitionTroubles words troubles of many partitions.
func TestPartitionTroubles(t *testing.T) {
	of := map[Partition]string{{"b", 1}: "y", {"b", 0}: "x"}
	for p := range int32(7) {
		of[Partition{"a", p}] = "x"
	}
	want := "topic a, partitions 0, 1, 2, 3, 4 and 2 more: x; topic b, partition 0: x; topic b, partition 1: y"
	if diff := cmp.Diff(want, partitionTroubles(of)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := partitionTroubles(nil); got != "" {
		t.Errorf("without troubles: %q", got)
	}
}
