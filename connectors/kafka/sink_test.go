package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// job drives a sink as tasks and a coordinator do: it writes, takes checkpoints,
// crashes and restores, on one goroutine. What it remembers across a crash is the
// last complete checkpoint, as the engine does.
type job struct {
	*env
	sink      connectors.Sink
	opts      map[string]string
	attempt   types.Attempt
	writers   []connectors.Writer
	committer connectors.Committer
	wake      chan struct{}
	pool      stream.Pool

	carried  [][][]byte // by subtask: prepared and not known to be committed
	complete struct {   // the last complete checkpoint
		id           types.CheckpointID
		committables [][]byte
	}
	largest int // parallelism so far
}

func (e *env) job(opts map[string]string) *job {
	e.Helper()
	all := map[string]string{keyGuarantee: guaranteeExactlyOnce, keyTimeout: "60000", keyLinger: "0"}
	maps.Copy(all, opts)
	s, err := e.connector().Sink().Open(e.options(all), textSchema)
	e.check(err)
	j := &job{env: e, sink: s, opts: all, wake: make(chan struct{}, 1)}
	e.Cleanup(func() {
		j.crash()
		if live := j.pool.Live(); live != 0 {
			e.Errorf("%d buffers or batches are left", live)
		}
	})
	return j
}

func (j *job) identity(subtask, parallelism int) connectors.Identity {
	return connectors.Identity{
		Cluster: "test", Job: types.JobID("job-" + j.topic), Attempt: j.attempt, Operator: "sink",
		Subtask: int32(subtask), Parallelism: int32(parallelism),
	}
}

// start begins an attempt: the committer recovers, then the tasks start.
func (j *job) start(parallelism int) {
	j.Helper()
	j.check(j.tryStart(parallelism))
}

func (j *job) tryStart(parallelism int) error {
	j.Helper()
	j.attempt++
	j.largest = max(j.largest, parallelism)
	var err error
	j.committer, err = j.sink.Committer(connectors.CommitterContext{
		Identity: j.identity(0, parallelism), Clock: clock.System(), MaxParallelism: int32(j.largest),
		Trouble: j.heard.from("committer"),
	})
	j.check(err)
	if j.committer != nil {
		if err := j.committer.Recover(j.ctx, j.complete.id, j.complete.committables); err != nil {
			return err
		}
	}
	j.carried = make([][][]byte, parallelism)
	for subtask := range parallelism {
		w, err := j.sink.Writer(connectors.WriterContext{
			Identity: j.identity(subtask, parallelism), Schema: textSchema, Pool: &j.pool, Clock: clock.System(),
			Waker: exchange.WakerFunc(j.ring), Restored: j.complete.id,
			Trouble: j.heard.from("writer"),
		})
		j.check(err)
		j.writers = append(j.writers, w)
	}
	return nil
}

func (j *job) ring() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// crash ends the attempt without goodbye.
func (j *job) crash() {
	for _, w := range j.writers {
		_ = w.Close()
	}
	j.writers = nil
	if j.committer != nil {
		_ = j.committer.Close()
		j.committer = nil
	}
}

func (j *job) await(what string, ok func() bool) {
	j.Helper()
	for !ok() {
		select {
		case <-j.wake:
		case <-j.ctx.Done():
			j.Fatalf("%s: not within %s", what, testLimit)
		}
	}
}

func (j *job) write(subtask int, values ...string) {
	j.Helper()
	j.check(j.tryWrite(subtask, values...))
}

func (j *job) tryWrite(subtask int, values ...string) error {
	j.Helper()
	w := j.writers[subtask]
	j.await("ready", w.Ready)
	b := streamtest.Batch(j, &j.pool, textSchema, "+I '"+strings.Join(values, "'\n+I '")+"'")
	defer b.Release()
	return w.Write(b)
}

// prepare takes a checkpoint up to where it would be complete, and returns what
// would be in it.
func (j *job) prepare(id types.CheckpointID) [][]byte {
	j.Helper()
	all, err := j.tryPrepare(id)
	j.check(err)
	return all
}

func (j *job) tryPrepare(id types.CheckpointID) (all [][]byte, err error) {
	j.Helper()
	for _, w := range j.writers {
		if err := w.Prepare(id); err != nil {
			return nil, err
		}
	}
	for subtask, w := range j.writers {
		j.await("prepared", func() bool {
			var done bool
			var prepared [][]byte
			prepared, done, err = w.Prepared(id)
			j.carried[subtask] = append(j.carried[subtask], prepared...)
			return done || err != nil
		})
		if err != nil {
			return nil, err
		}
		all = append(all, j.carried[subtask]...)
	}
	return all, nil
}

// completed makes a checkpoint the one to restore from.
func (j *job) completed(id types.CheckpointID, committables [][]byte) {
	j.complete.id, j.complete.committables = id, committables
}

// commit commits a complete checkpoint and tells the writers.
func (j *job) commit() {
	j.Helper()
	j.check(j.committer.Commit(j.ctx, j.complete.id, j.complete.committables))
	j.forget()
}

func (j *job) forget() {
	for subtask, w := range j.writers {
		w.CheckpointComplete(j.complete.id)
		j.carried[subtask] = nil
	}
}

func (j *job) checkpoint(id types.CheckpointID) {
	j.Helper()
	j.completed(id, j.prepare(id))
	j.commit()
}

func (j *job) fail(id types.CheckpointID) {
	for _, w := range j.writers {
		w.CheckpointAborted(id)
	}
}

func TestSink(t *testing.T) {
	everywhere(t, []scenario{
		{"at least once", 2, sinkAtLeastOnce, false},
		{"none", 1, sinkNone, false},
		{"keys choose partitions", 4, sinkKeys, false},
		{"exactly once", 2, sinkExactlyOnce, false},
		{"crash before complete", 1, sinkCrashBeforeComplete, false},
		{"crash between complete and commit", 1, sinkCrashBeforeCommit, false},
		{"crash between commit and confirmation", 1, sinkCrashAfterCommit, false},
		{"failed checkpoints are carried over", 1, sinkCarriedOver, false},
		{"empty epochs", 1, sinkEmptyEpochs, false},
		{"many epochs reuse the ids", 1, sinkManyEpochs, false},
		{"restore at other parallelism", 2, sinkRescale, false},
		{"answer to EndTxn lost", 1, sinkEndLost, false},
		{"answer to EndTxn delayed", 1, sinkEndDelayed, false},
		{"answer to the marker lost", 1, sinkMarkerLost, false},
		{"answers lost in a restore", 1, sinkRestoreLost, false},
		{"fallback behind committed output", 1, sinkFallback, false},
		{"fallback that repeats", 1, sinkRepeats, false},
		{"eight committers at once", 1, sinkManyCommitters, false},
		{"zombie writer", 1, sinkZombie, false},
		{"transaction lost", 1, sinkLost, false},
		{"transaction timed out", 1, sinkTimedOut, false},
		{"used again and open", 1, sinkUsedAgain, false},
		{"old transaction is in doubt", 1, sinkInDoubt, false},
		{"order across epochs", 1, sinkOrder, false},
		{"transaction version 1", 1, sinkVersion1, true},
		{"coordinator is away", 1, sinkCoordinatorAway, true},
		{"marker is unstable for a while", 1, sinkUnstable, true},
		{"marker is unstable for long", 1, sinkHanging, false},
	})
}

func sinkAtLeastOnce(e *env) {
	j := e.job(map[string]string{keyGuarantee: guaranteeAtLeastOnce})
	j.start(2)
	j.write(0, numbered("a", 0, 100)...)
	j.write(1, numbered("b", 0, 100)...)
	if c := j.prepare(1); len(c) > 0 {
		e.Errorf("committables %q", c)
	}
	want := append(numbered("a", 0, 100), numbered("b", 0, 100)...)
	e.same(want, e.committed()) // at once: they are acknowledged
	j.commitNothing(1)
	j.write(0, "later")
	j.prepare(2)
	e.want(append(want, "later")...)
}

func (j *job) commitNothing(id types.CheckpointID) {
	j.completed(id, nil)
	j.forget()
}

func sinkNone(e *env) {
	j := e.job(map[string]string{keyGuarantee: guaranteeNone})
	j.start(1)
	j.write(0, "a", "b")
	j.prepare(1)
	e.want("a", "b")
}

func sinkKeys(e *env) {
	j := e.job(map[string]string{keyGuarantee: guaranteeAtLeastOnce, keyKeyFields: "text", keyKeyFormat: "raw"})
	j.start(1)
	values := numbered("k", 0, 50)
	j.write(0, values...)
	j.write(0, values...)
	j.prepare(1)
	partitions := map[string]int32{}
	client := e.newClient(kgo.ConsumeTopics(e.topic))
	defer client.Close()
	for n := 0; n < 100; {
		fetches := client.PollFetches(e.ctx)
		e.check(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			if string(r.Key) != string(r.Value) {
				e.Errorf("key %q of value %q", r.Key, r.Value)
			}
			if p, ok := partitions[string(r.Key)]; ok && p != r.Partition {
				e.Errorf("key %q in partitions %d and %d", r.Key, p, r.Partition)
			}
			partitions[string(r.Key)] = r.Partition
		})
	}
	used := slices.Compact(slices.Sorted(maps.Values(partitions)))
	if len(partitions) != 50 || len(used) != 4 {
		e.Errorf("%d keys in partitions %v", len(partitions), used)
	}
}

func sinkExactlyOnce(e *env) {
	j := e.job(nil)
	j.start(2)
	j.write(0, "a1", "a2")
	j.write(1, "b1")
	prepared := j.prepare(1)
	if len(prepared) != 2 {
		e.Fatalf("%d committables", len(prepared))
	}
	j.write(0, "next") // the next epoch does not wait for the commit
	if got := e.committed(); len(got) > 0 {
		e.Errorf("visible before the commit: %q", got)
	}
	j.completed(1, prepared)
	j.commit()
	e.want("a1", "a2", "b1")
	j.checkpoint(2)
	e.want("a1", "a2", "b1", "next")
}

func sinkCrashBeforeComplete(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "first")
	j.checkpoint(1)
	j.write(0, "lost")
	j.prepare(2) // and nobody completes it
	j.write(0, "lost too")
	j.crash()
	j.start(1)
	j.write(0, "again")
	j.checkpoint(3)
	e.want("again", "first")
}

func sinkCrashBeforeCommit(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	j.write(0, "of the next epoch")
	j.crash()
	j.start(1)
	e.same([]string{"a"}, e.committed()) // at once, since the restore confirms
	j.write(0, "b")
	j.checkpoint(2)
	e.want("a", "b")
}

func sinkCrashAfterCommit(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	j.check(j.committer.Commit(e.ctx, 1, j.complete.committables))
	j.crash()
	for range 3 {
		j.start(1)
		e.same([]string{"a"}, e.committed())
		j.crash()
	}
}

func sinkCarriedOver(e *env) {
	j := e.job(nil)
	j.start(1)
	var want []string
	for id := types.CheckpointID(1); id <= poolSize-poolSlack; id++ {
		value := fmt.Sprint("epoch ", id)
		want = append(want, value)
		j.write(0, value)
		j.prepare(id)
		j.fail(id)
	}
	if got := e.committed(); len(got) > 0 {
		e.Errorf("visible without a complete checkpoint: %q", got)
	}
	last := types.CheckpointID(poolSize)
	j.write(0, "last")
	j.checkpoint(last)
	e.want(append(want, "last")...)
}

func sinkEmptyEpochs(e *env) {
	j := e.job(nil)
	j.start(1)
	for id := types.CheckpointID(1); id <= 3*poolSize; id++ {
		if c := j.prepare(id); len(c) > 0 {
			e.Fatalf("committables of an empty epoch: %q", c)
		}
		j.completed(id, nil)
		j.commit()
	}
	j.write(0, "a")
	j.checkpoint(100)
	e.want("a")
}

func sinkManyEpochs(e *env) {
	j := e.job(nil)
	j.start(1)
	var want []string
	for id := types.CheckpointID(1); id <= 3*poolSize; id++ {
		value := fmt.Sprint("epoch ", id)
		want = append(want, value)
		j.write(0, value)
		j.checkpoint(id)
	}
	e.want(want...)
}

func sinkRescale(e *env) {
	j := e.job(nil)
	var want []string
	id := types.CheckpointID(0)
	for i, parallelism := range []int{3, 1, 2} {
		j.start(parallelism)
		for subtask := range parallelism {
			value := fmt.Sprint("attempt ", i, " subtask ", subtask)
			want = append(want, value)
			j.write(subtask, value)
		}
		id++
		j.completed(id, j.prepare(id))
		for subtask := range parallelism {
			j.write(subtask, "of an epoch that fails")
		}
		id++
		j.prepare(id)
		j.crash()
	}
	j.start(1)
	e.want(want...)
}

func sinkEndLost(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	e.wires.lose(kmsg.EndTxn, 2)
	j.checkpoint(1)
	e.want("a")
	j.write(0, "b")
	j.checkpoint(2)
	e.want("a", "b")
	if n := e.wires.losses(); n != 2 {
		e.Errorf("%d answers were lost", n)
	}
}

// sinkEndDelayed has the answer arrive when nobody waits for it any more: the
// commit was asked for again, by another committer as well.
func sinkEndDelayed(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	arrive := e.wires.delay(kmsg.EndTxn)
	defer arrive() // whoever waits for it must end
	committed := make(chan error, 1)
	go func() { committed <- j.committer.Commit(e.ctx, 1, j.complete.committables) }()
	e.troubled("committer", "to commit transaction", "is tried again")
	arrive()
	e.check(<-committed)
	j.forget()
	e.want("a")
	j.write(0, "b")
	j.checkpoint(2)
	e.want("a", "b")
}

// sinkRestoreLost loses answers to the commit, the settling and the note of a restore.
func sinkRestoreLost(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	j.write(0, "of an epoch that ends")
	j.crash()
	for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID, kmsg.OffsetCommit} {
		e.wires.lose(key, 1)
	}
	j.start(1)
	if n := e.wires.losses(); n != 3 {
		e.Errorf("%d answers were lost", n)
	}
	j.write(0, "b")
	j.checkpoint(2)
	e.want("a", "b")
}

// fallBack commits two checkpoints and returns to the first.
func (j *job) fallBack() {
	j.Helper()
	j.start(1)
	j.write(0, "a")
	j.checkpoint(1)
	first := j.complete
	j.write(0, "b")
	j.checkpoint(2)
	j.crash()
	j.complete = first
}

func sinkFallback(e *env) {
	j := e.job(nil)
	j.fallBack()
	if err := j.tryStart(1); !errors.Is(err, connectors.ErrAhead) || !strings.Contains(err.Error(), "checkpoint 2") {
		e.Errorf("the restore of checkpoint 1 says %v", err)
	}
	e.want("a", "b")
}

func sinkRepeats(e *env) {
	j := e.job(map[string]string{connectors.RepeatOnFallback.Key: "true"})
	j.fallBack()
	j.start(1)
	j.write(0, "b")
	j.checkpoint(3)
	e.want("a", "b", "b")
}

func sinkMarkerLost(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	e.wires.lose(kmsg.TxnOffsetCommit, 2)
	j.checkpoint(1)
	e.want("a")
	if n := e.wires.losses(); n != 2 {
		e.Errorf("%d answers were lost", n)
	}
}

func sinkManyCommitters(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	errs := make(chan error)
	for range 8 {
		go func() { errs <- j.committer.Commit(e.ctx, 1, j.complete.committables) }()
	}
	for range 8 {
		e.check(<-errs)
	}
	e.same([]string{"a"}, e.committed())
}

// sinkZombie lets an attempt go on that was given up, when it has opened the transaction that it writes. (One that it opens later nobody has fenced: it
// stands in the way of readers until Kafka ends it, and what was prepared of it is refused as that of an old attempt.)
func sinkZombie(e *env) {
	initialised := make(chan struct{}, poolSize)
	e.around = func(c Cluster) Cluster { return told{c, initialised} }
	j := e.job(nil)
	j.start(1)
	j.write(0, "first")
	j.checkpoint(1)
	j.write(0, "of the zombie")
	<-initialised
	<-initialised // the second
	zombie := j.leave()
	e.around = nil

	j.start(1)
	j.write(0, "second")
	j.checkpoint(2)
	if c, err := zombie.tryPrepare(2); err == nil {
		e.Errorf("a zombie prepared %q", c)
	}
	e.want("first", "second")
}

// sinkHanging has a commit of which the marker is long in coming: what the coordinator says of it is told.
func sinkHanging(e *env) {
	var settled atomic.Bool
	e.around = func(c Cluster) Cluster { return unsettled{c, &settled} }
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	committed := make(chan error, 1)
	go func() { committed <- j.committer.Commit(e.ctx, j.complete.id, j.complete.committables) }()
	e.troubled("committer", "to commit transaction", "UNSTABLE_OFFSET_COMMIT", "its coordinator says that", "of producer")
	settled.Store(true)
	e.check(<-committed)
	e.same([]string{"a"}, e.committed())
}

// unsettled is a cluster whose markers are about to change until they are settled.
type unsettled struct {
	Cluster
	settled *atomic.Bool
}

// ReadMarker implements Cluster.
func (c unsettled) ReadMarker(ctx context.Context, group, topic string, stable bool) (Marker, int16, error) {
	if c.settled.Load() {
		return c.Cluster.ReadMarker(ctx, group, topic, stable)
	}
	if stable {
		return Marker{Offset: -1}, codeUnstableOffset, nil
	}
	return Marker{Offset: -1}, codeNone, nil
}

// told is a cluster that tells of each transactional id that a writer has initialised.
type told struct {
	Cluster
	initialised chan<- struct{}
}

// Producer implements Cluster.
func (c told) Producer(ctx context.Context, s ProducerSpec) (Producer, error) {
	p, err := c.Cluster.Producer(ctx, s)
	if err == nil && s.TransactionalID != "" {
		c.initialised <- struct{}{}
	}
	return p, err
}

// overthrow initialises an id, as somebody who must not.
func (j *job) overthrow(committable []byte) {
	j.Helper()
	c, err := decodeCommittable(committable)
	j.check(err)
	client := j.newClient(kgo.TransactionalID(c.TransactionalID))
	defer client.Close()
	_, _, err = client.ProducerID(j.ctx)
	j.check(err)
}

func sinkLost(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.checkpoint(1)
	j.write(0, "b", "c")
	prepared := j.prepare(2)
	j.completed(2, prepared)
	j.overthrow(prepared[0])
	err := j.committer.Commit(e.ctx, 2, prepared)
	wantLoss(e, err, "checkpoint 2, topic "+e.topic+", 2 rows")
	// Offset 0 is "a", 1 the end of its transaction.
	wantLoss(e, err, "within the offsets partition 0: 2 to 3,")
	j.crash()
	wantLoss(e, j.tryStart(1), "lost")
	e.want("a")
}

func sinkTimedOut(e *env) {
	j := e.job(map[string]string{keyTimeout: "1000"})
	j.start(1)
	j.write(0, "a")
	prepared := j.prepare(1)
	j.completed(1, prepared)
	// The log grows by the abort's marker.
	end := e.latestOffset(0)
	e.eventually("the broker's abort", func() bool { return e.latestOffset(0) > end })
	wantLoss(e, j.committer.Commit(e.ctx, 1, prepared), "lost")
}

// sinkUsedAgain restores from a checkpoint whose transaction is committed, and
// confirmed, and its id used again by an epoch that is prepared and in no
// complete checkpoint.
func sinkUsedAgain(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	committables := j.prepare(1)
	j.completed(1, committables)
	j.commit()
	first, err := decodeCommittable(committables[0])
	e.check(err)
	var want []string
	for id := types.CheckpointID(2); ; id++ {
		value := fmt.Sprint("epoch ", id)
		j.write(0, value)
		prepared := j.prepare(id)
		c, err := decodeCommittable(prepared[0])
		e.check(err)
		if c.TransactionalID == first.TransactionalID {
			break // prepared, not complete
		}
		want = append(want, value)
		j.completed(id, append(prepared, committables...))
		j.commit()
	}
	j.crash()
	j.start(1)
	e.same(append([]string{"a"}, want...), e.committed())
}

func sinkInDoubt(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	prepared := j.prepare(1)
	j.overthrow(prepared[0])
	old, err := decodeCommittable(prepared[0])
	e.check(err)
	old.FirstRecordMillis -= (markerRetention + time.Hour).Milliseconds()
	data, err := old.encode()
	e.check(err)
	wantLoss(e, j.committer.Commit(e.ctx, 1, [][]byte{data}), "in doubt")
}

// sinkOrder writes many epochs in a hurry: rows must not overtake each other
// though every epoch has a client of its own.
func sinkOrder(e *env) {
	j := e.job(nil)
	j.start(1)
	var want []string
	for id := types.CheckpointID(1); id <= poolSize-poolSlack; id++ {
		for batch := range 5 {
			values := numbered(fmt.Sprintf("%d-%d-", id, batch), 0, 20)
			j.write(0, values...)
			want = append(want, values...)
		}
		j.check(j.writers[0].Prepare(id))
	}
	var all [][]byte
	for id := types.CheckpointID(1); id <= poolSize-poolSlack; id++ {
		j.await("prepared", func() bool {
			prepared, done, err := j.writers[0].Prepared(id)
			j.check(err)
			all = append(all, prepared...)
			return done
		})
	}
	j.completed(poolSize, all)
	j.commit()
	e.want(want...) // sorted is as written
	e.same(want, e.read(1, bounded, nil).allInOrder())
}

func (r *reading) allInOrder() []string {
	r.Helper()
	r.all()
	return r.rows
}

func sinkVersion1(e *env) {
	e.setTransactionVersion(1)
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	prepared := j.prepare(1)
	if c, err := decodeCommittable(prepared[0]); err != nil || c.TransactionVersion != 1 {
		e.Errorf("committable %v, %v", c, err)
	}
	j.completed(1, prepared)
	e.wires.lose(kmsg.EndTxn, 1)
	j.commit()
	j.write(0, "lost")
	j.prepare(2)
	j.crash()
	j.start(1)
	j.write(0, "b")
	j.checkpoint(3)
	e.want("a", "b")
}

// answer makes the fake answer requests of a key n times without its work.
func (e *env) answer(key kmsg.Key, n int, with func(kmsg.Request) kmsg.Response) {
	e.fake.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if n--; n >= 0 {
			if n > 0 {
				e.fake.KeepControl()
			}
			return with(req), nil, true
		}
		return nil, nil, false
	})
}

func sinkCoordinatorAway(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	for _, code := range []int16{codeConcurrent, codeConcurrent, 7, 14, 15, codeUnknownServerError} {
		e.answer(kmsg.EndTxn, 1, func(req kmsg.Request) kmsg.Response {
			answer := req.ResponseKind().(*kmsg.EndTxnResponse)
			answer.ErrorCode = code
			return answer
		})
	}
	j.commit()
	e.want("a")
}

func sinkUnstable(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	e.answer(kmsg.OffsetFetch, 3, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		g := kmsg.NewOffsetFetchResponseGroup()
		g.Group = req.(*kmsg.OffsetFetchRequest).Groups[0].Group
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Offset, p.ErrorCode = -1, codeUnstableOffset
		g.Topics = []kmsg.OffsetFetchResponseGroupTopic{{Topic: e.topic, Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{p}}}
		answer.Groups = append(answer.Groups, g)
		return answer
	})
	j.commit()
	e.want("a")
}

// TestCommitterSaysWhoIsToBlame takes committables that are none.
func TestCommitterSaysWhoIsToBlame(t *testing.T) {
	e := fakeEnv(t, 1)
	j := e.job(nil)
	j.start(1)
	for _, data := range []string{"", "{}", "null", `{"v":2}`, `{"v":1,"id":"x"}`, strings.Repeat(" ", stateBytesMax+1)} {
		err := j.committer.Commit(e.ctx, 1, [][]byte{[]byte(data)})
		if err == nil || failure.ClassOf(err).Domain != failure.DomainInternal {
			t.Errorf("%.20q: %v", data, err)
		}
	}
}
