package kafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
)

// reading drives a source as tasks and a coordinator do, on one goroutine.
type reading struct {
	*env
	source     connectors.Source
	enumerator connectors.Enumerator
	readers    []connectors.Reader
	wake       chan struct{}
	pool       stream.Pool
	metrics    metrics.Task
	dead       deadLetters
	rows       []string // "partition:text", as read
	finished   int
}

type deadLetters struct{ letters []connectors.DeadLetter }

func (d *deadLetters) Put(l connectors.DeadLetter) {
	l.Raw = slices.Clone(l.Raw)
	d.letters = append(d.letters, l)
}

// snapshot is a source's part of a checkpoint.
type snapshot struct {
	enumerator []byte
	splits     []connectors.SplitState
}

func (e *env) read(parallelism int, opts map[string]string, from *snapshot) *reading {
	e.Helper()
	r, err := e.tryRead(parallelism, opts, from)
	e.check(err)
	return r
}

func (e *env) tryRead(parallelism int, opts map[string]string, from *snapshot) (*reading, error) {
	all := map[string]string{keyStartup: modeEarliest}
	maps.Copy(all, opts)
	src, err := e.connector().Source().Open(e.options(all), textSchema)
	if err != nil {
		return nil, err
	}
	r := &reading{env: e, source: src, wake: make(chan struct{}, 1)}
	e.Cleanup(r.close)
	ctx := connectors.EnumeratorContext{Identity: connectors.Identity{Parallelism: int32(parallelism)}, Clock: clock.System()}
	if from != nil {
		ctx.Restored, ctx.Splits = from.enumerator, from.splits
	}
	if r.enumerator, err = src.Enumerator(ctx); err != nil {
		return nil, err
	}
	for subtask := range parallelism {
		reader, err := src.Reader(connectors.ReaderContext{
			Identity: connectors.Identity{Subtask: int32(subtask), Parallelism: int32(parallelism)}, Schema: textSchema,
			Pool: &r.pool, Clock: clock.System(), Waker: exchange.WakerFunc(r.ring), Dead: &r.dead, RowsMax: 5, Metrics: &r.metrics,
			Trouble: r.heard.from("reader"),
		})
		if err != nil {
			return nil, err
		}
		r.readers = append(r.readers, reader)
	}
	assignments, err := r.enumerator.Start(e.ctx)
	if err != nil {
		return nil, err
	}
	return r, r.assign(assignments)
}

func (r *reading) ring() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reading) assign(assignments []connectors.Assignment) error {
	for _, a := range assignments {
		if err := r.readers[a.Subtask].Assign(a.Splits); err != nil {
			return err
		}
		if a.NoMore {
			r.readers[a.Subtask].NoMoreSplits()
		}
	}
	return nil
}

// close ends the readers as a crash does: what is not in a snapshot is gone.
func (r *reading) close() {
	for _, reader := range r.readers {
		_ = reader.Close()
	}
	r.readers = nil
	if r.enumerator != nil {
		_ = r.enumerator.Close()
		r.enumerator = nil
	}
	if live := r.pool.Live(); live != 0 {
		r.Errorf("%d buffers or batches are left", live)
	}
}

// step reads a batch of every reader, and tells whether one worked and whether
// all are done.
func (r *reading) step() (worked, done bool, err error) {
	done = true
	for _, reader := range r.readers {
		b, status, err := reader.Read()
		if err != nil {
			return false, false, err
		}
		r.finished += len(reader.Finished())
		worked = worked || status == connectors.More
		done = done && status == connectors.Done
		if b != nil {
			for i := range b.Rows() {
				r.rows = append(r.rows, string(b.Columns[0].Bytes(b.Row(i))))
			}
			b.Release()
		}
	}
	return worked, done, nil
}

// until reads until a condition holds or every reader is done.
func (r *reading) until(what string, ok func() bool) error {
	r.Helper()
	for !ok() {
		worked, done, err := r.step()
		if err != nil || done {
			return err
		}
		if worked {
			continue
		}
		select {
		case <-r.wake:
		case <-r.ctx.Done():
			r.Fatalf("%s: only %d rows: %q", what, len(r.rows), r.rows)
		}
	}
	return nil
}

func (r *reading) all() []string {
	r.Helper()
	r.check(r.until("the end", func() bool { return false }))
	return r.sorted()
}

func (r *reading) first(n int) {
	r.Helper()
	r.check(r.until(fmt.Sprint(n, " rows"), func() bool { return len(r.rows) >= n }))
}

func (r *reading) sorted() []string {
	s := slices.Clone(r.rows)
	slices.Sort(s)
	return s
}

func (r *reading) snapshot() *snapshot {
	r.Helper()
	data, err := r.enumerator.Snapshot()
	r.check(err)
	s := &snapshot{enumerator: data}
	for _, reader := range r.readers {
		s.splits = reader.Positions(s.splits)
	}
	return s
}

func numbered(prefix string, from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%03d", prefix, i))
	}
	return out
}

func (e *env) same(want, got []string) {
	e.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("-want +got:\n%s", diff)
	}
}

var bounded = map[string]string{keyBounded: modeLatest}

func with(base map[string]string, pairs ...string) map[string]string {
	m := maps.Clone(base)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestSource(t *testing.T) {
	everywhere(t, []scenario{
		{"bounded", 3, readBounded, false},
		{"an empty topic ends at once", 2, readEmpty, false},
		{"startup modes", 1, readStartupModes, false},
		{"group offsets", 2, readGroupOffsets, false},
		{"restart from positions at other parallelism", 4, readRestart, false},
		{"transactions aborted in between", 1, readTransactions, false},
		{"the end is a marker", 1, readUpToMarker, false},
		{"compressed batches", 1, readCompressed, false},
		{"partition added", 1, readPartitionAdded, false},
		{"topic recreated", 1, readRecreated, false},
		{"offset out of range", 1, readOutOfRange, false},
		{"undecodable records", 1, readUndecodable, false},
		{"topic that comes later", 1, readMissingTopic, false},
	})
}

func readBounded(e *env) {
	var want []string
	for p := range int32(3) {
		values := numbered(fmt.Sprint(p, "-"), 0, 20+int(p))
		e.produce(p, values...)
		want = append(want, values...)
	}
	r := e.read(2, bounded, nil)
	e.produce(0, "too late") // the end was resolved before
	e.same(want, r.all())
	if r.finished != 3 {
		e.Errorf("%d splits finished", r.finished)
	}
	again := e.read(2, bounded, r.snapshot())
	if rows := again.all(); len(rows) > 0 {
		e.Errorf("a finished source gives %q again", rows)
	}
}

func readEmpty(e *env) {
	r := e.read(3, bounded, nil)
	e.same(nil, r.all())
	if r.finished != 2 {
		e.Errorf("%d splits finished", r.finished)
	}
}

func readStartupModes(e *env) {
	old := time.UnixMilli(1_700_000_000_000)
	for i, v := range numbered("", 0, 10) {
		rec := &kgo.Record{Topic: e.topic, Value: []byte(v), Timestamp: old.Add(time.Duration(i) * time.Second)}
		e.check(e.client.ProduceSync(e.ctx, rec).FirstErr())
	}
	for _, c := range []struct {
		opts map[string]string
		want []string
	}{
		{with(bounded), numbered("", 0, 10)},
		{with(bounded, keyStartup, modeTimestamp, keyStartupTime, "1700000004000"), numbered("", 4, 10)},
		{with(bounded, keyStartup, modeTimestamp, keyStartupTime, "1800000004000"), nil},
		{with(bounded, keyStartup, modeSpecific, keyStartupOffset, "partition:0,offset:7"), numbered("", 7, 10)},
		{with(bounded, keyStartup, modeLatest), nil},
		{with(bounded, keyBounded, modeSpecific, keyBoundedOffset, "partition:0,offset:3"), numbered("", 0, 3)},
		{with(bounded, keyBounded, modeTimestamp, keyBoundedTime, "1700000004000"), numbered("", 0, 4)},
	} {
		e.same(c.want, e.read(1, c.opts, nil).all())
	}
	r := e.read(1, map[string]string{keyStartup: modeLatest}, nil)
	e.produce(0, "new")
	r.first(1)
	e.same([]string{"new"}, r.rows)
}

func readGroupOffsets(e *env) {
	e.produce(0, numbered("a", 0, 10)...)
	e.produce(1, numbered("b", 0, 10)...)
	group := map[string]string{keyStartup: modeGroup, keyGroup: "g-" + e.topic, keyBounded: modeLatest}
	var err error
	e.eventually("a coordinator of groups", func() bool { // a broker that has just begun has none yet
		_, err = e.tryRead(1, group, nil)
		return failure.ClassOf(err).Retry != failure.Backoff
	})
	if failure.ClassOf(err) != failure.ClassOf(failure.User(errTampered)) {
		e.Errorf("a group without offsets: %v", err)
	}
	r := e.read(1, with(group, keyReset, "earliest"), nil)
	r.first(5)
	r.snapshot()
	want := len(r.rows)
	r.readers[0].CheckpointComplete(1)
	var published int64
	e.eventually("published offsets", func() bool {
		offsets, err := e.admin.FetchOffsetsForTopics(e.ctx, group[keyGroup], e.topic)
		published = 0
		offsets.Each(func(o kadm.OffsetResponse) { published += max(o.At, 0) })
		return err == nil && published == int64(want)
	})
	r.close()
	rest := e.read(1, group, nil)
	if rows := rest.all(); len(rows) != 20-want {
		e.Errorf("%d rows behind the group's offsets, want %d", len(rows), 20-want)
	}
}

func readRestart(e *env) {
	var want []string
	for p := range int32(4) {
		values := numbered(fmt.Sprint(p, "-"), 0, 30)
		e.produce(p, values...)
		want = append(want, values...)
	}
	var rows []string
	var from *snapshot
	for _, parallelism := range []int{2, 1, 3, 4} {
		r := e.read(parallelism, bounded, from)
		r.first(25)
		from = r.snapshot()
		rows = append(rows, r.rows...)
		r.close()
	}
	r := e.read(2, bounded, from)
	r.all()
	rows = append(rows, r.rows...)
	slices.Sort(rows)
	e.same(want, rows)
}

func readTransactions(e *env) {
	e.transact(false, 0, "aborted1")
	e.transact(true, 0, "committed1", "committed2")
	e.produce(0, "plain")
	e.transact(false, 0, "aborted2", "aborted3")
	e.produce(0, "plain2")
	e.same([]string{"committed1", "committed2", "plain", "plain2"}, e.read(1, bounded, nil).all())
	e.same([]string{"aborted1", "aborted2", "aborted3", "committed1", "committed2", "plain", "plain2"},
		e.read(1, with(bounded, keyIsolation, isolationUncommitted), nil).all())
}

func readUpToMarker(e *env) {
	e.transact(true, 0, "committed")
	e.same([]string{"committed"}, e.read(1, bounded, nil).all())
	e.transact(false, 0, "aborted")
	r := e.read(1, bounded, nil)
	e.same([]string{"committed"}, r.all())
	s, err := decodeSplit(r.snapshot().splits[0])
	e.check(err)
	if end := e.latestOffset(0); s.Offset != end {
		e.Errorf("position %d at the end of a log of %d", s.Offset, end)
	}
}

func readCompressed(e *env) {
	var want []string
	codecs := map[string]kgo.CompressionCodec{"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression()}
	if e.network == nil {
		// The finalizer of a decoder of zstd closes a channel, which only the bubble may where it was made in one.
		codecs["zstd"] = kgo.ZstdCompression()
	}
	for name, codec := range codecs {
		client := e.newClient(kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		var values []string
		for i := range 100 {
			values = append(values, fmt.Sprintf("%s %03d %s", name, i, strings.Repeat("x", 50)))
		}
		e.check(produceWith(e.ctx, client, e.topic, 0, values...))
		client.Close()
		want = append(want, values...)
	}
	slices.Sort(want)
	e.same(want, e.read(1, bounded, nil).all())
}

func readPartitionAdded(e *env) {
	e.produce(0, "old")
	r := e.read(2, map[string]string{keyStartup: modeLatest}, nil)
	_, err := e.admin.CreatePartitions(e.ctx, 1, e.topic)
	e.check(err)
	e.eventually("the new partition", func() bool {
		topics, err := e.admin.ListTopics(e.ctx, e.topic)
		return err == nil && len(topics[e.topic].Partitions) == 2
	})
	var found []connectors.Assignment
	// The client that produces learns of the partition in its own time; another
	// one knows it from the start.
	fresh := e.newClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer fresh.Close()
	e.check(produceWith(e.ctx, fresh, e.topic, 1, "before discovery"))
	found, err = r.enumerator.Discover(e.ctx)
	e.check(err)
	if len(found) != 1 || found[0].Subtask != 1 || len(found[0].Splits) != 1 || found[0].NoMore {
		e.Fatalf("discovered %v", found)
	}
	e.check(r.assign(found))
	r.first(1)
	e.same([]string{"before discovery"}, r.rows)
	if again, err := r.enumerator.Discover(e.ctx); err != nil || len(again) > 0 {
		e.Errorf("discovered again: %v, %v", again, err)
	}
}

func readRecreated(e *env) {
	e.produce(0, numbered("", 0, 10)...)
	r := e.read(1, nil, nil)
	r.first(5)
	from := r.snapshot()
	r.close()
	_, err := e.admin.DeleteTopic(e.ctx, e.topic)
	e.check(err)
	e.eventually("deletion", func() bool {
		_, err := e.admin.CreateTopic(e.ctx, 1, 1, nil, e.topic)
		return err == nil
	})
	err = nil
	e.eventually("the new topic", func() bool {
		_, err = e.tryRead(1, nil, from)
		return err == nil || failure.ClassOf(err).Retry != failure.Backoff
	})
	wantLoss(e, err, "topic "+e.topic)
	if !errors.Is(err, errRecreated) {
		e.Errorf("recreated topic: %v", err)
	}
}

// wantLoss checks an error after which the job must not go on by itself.
func wantLoss(e *env, err error, naming string) {
	e.Helper()
	if err == nil || !strings.Contains(err.Error(), naming) {
		e.Fatalf("error %v does not name %s", err, naming)
	}
	if c := failure.ClassOf(err); c != (failure.Class{Domain: failure.DomainExternal, Retry: failure.Never}) {
		e.Errorf("class %s of %v", c, err)
	}
}

func readOutOfRange(e *env) {
	e.produce(0, numbered("", 0, 10)...)
	r := e.read(1, nil, nil)
	from := r.snapshot()
	r.close()
	offsets := kadm.Offsets{}
	offsets.AddOffset(e.topic, 0, 6, -1)
	_, err := e.admin.DeleteRecords(e.ctx, offsets)
	e.check(err)
	e.eventually("deletion", func() bool {
		starts, err := e.admin.ListStartOffsets(e.ctx, e.topic)
		o, _ := starts.Lookup(e.topic, 0)
		return err == nil && o.Offset == 6
	})
	r = e.read(1, nil, from)
	wantLoss(e, r.until("an error", func() bool { return false }), position(e.topic, 0, 0))
}

func readUndecodable(e *env) {
	e.produce(0, "a", "bad1", "b", "bad2", "bad3", "c")
	picky := with(bounded, keyFormat, "picky")

	r := e.read(1, picky, nil)
	err := r.until("an error", func() bool { return false })
	var at *connectors.PositionError
	if !errors.As(err, &at) || at.SourcePosition() != position(e.topic, 0, 1) || failure.ClassOf(err).Domain != failure.DomainUser {
		e.Errorf("fail: %v", err)
	}
	r.close()

	r = e.read(1, with(picky, keyOnError, onErrorSkip), nil)
	e.same([]string{"a", "b", "c"}, r.all())
	if n := r.metrics.Skipped.Load(); n != 3 {
		e.Errorf("%d skipped", n)
	}

	r = e.read(1, with(picky, keyOnError, onErrorDead), nil)
	e.same([]string{"a", "b", "c"}, r.all())
	var dead []string
	for _, l := range r.dead.letters {
		dead = append(dead, fmt.Sprintf("%s: %s: %s: %s", l.Split, l.Position, l.Raw, l.Reason))
	}
	var want []string
	for i, offset := range []int64{1, 3, 4} {
		want = append(want, fmt.Sprintf("%s: %s: bad%d: byte 0: it is bad", splitID(e.topic, 0), position(e.topic, 0, offset), i+1))
	}
	e.same(want, dead)
}

func readMissingTopic(e *env) {
	_, err := e.tryRead(1, map[string]string{keyTopic: e.topic + "-missing"}, nil)
	if failure.ClassOf(err) != (failure.Class{Domain: failure.DomainExternal, Retry: failure.Backoff}) {
		e.Errorf("missing topic: %v", err)
	}
}
