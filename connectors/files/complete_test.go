package files

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/stream"
	"millrace/types"
)

// q10 are the options of Nexmark's query 10.
var q10 = map[string]string{
	"format": "json", "partition.keys": "dt;hm",
	"sink.partition-commit.trigger": "partition-time", "sink.partition-commit.delay": "1 min",
	"sink.partition-commit.policy.kind":          "success-file",
	"partition.time-extractor.timestamp-pattern": "$dt $hm:00",
	"sink.rolling-policy.rollover-interval":      "1min", "sink.rolling-policy.check-interval": "1min",
}

// noon is the partition that the tests are about, and when it is complete by q10's options.
const (
	noon     = "dt=2024-01-01/hm=12%3A00"
	noonDone = 1704110460000 // 12:01
)

// completing is a table that is committed to, at a parallelism of 2.
type completing struct {
	t     *testing.T
	dir   string
	sink  connectors.Sink
	clock *clock.Manual
	c     connectors.Committer
	id    connectors.Identity
}

func newCompleting(t *testing.T, given ...map[string]string) *completing {
	t.Helper()
	k := &completing{t: t, dir: t.TempDir(), clock: clock.NewManual(time.UnixMilli(0)), id: connectors.Identity{Job: "j", Operator: "o", Attempt: 1, Parallelism: 2}}
	k.sink = openSink(t, visits, append([]map[string]string{{"path": k.dir}}, given...)...)
	k.restart()
	return k
}

// restart has another process commit.
func (k *completing) restart() {
	k.t.Helper()
	c, err := k.sink.Committer(connectors.CommitterContext{Identity: k.id, Clock: k.clock})
	if err != nil {
		k.t.Fatal(err)
	}
	k.c = c
}

// epoch stages a file in each directory by the first of two writers, and returns what both have to commit.
func (k *completing) epoch(id types.CheckpointID, watermarks [2]stream.Watermark, dirs ...string) (out [][]byte) {
	k.t.Helper()
	for subtask, w := range watermarks {
		e := epochFiles{writer: k.id, checkpoint: id, watermark: w}
		e.writer.Subtask = int32(subtask)
		for i, dir := range dirs {
			if subtask == 0 {
				f := epochFile{dir: dir, staged: int(id)*100 + i}
				write(k.t, k.dir, stagedName(e.writer, f.staged), "{}\n")
				e.files = append(e.files, f)
			}
		}
		out = append(out, e.encode())
	}
	return out
}

func (k *completing) commit(id types.CheckpointID, committables [][]byte) {
	k.t.Helper()
	if err := k.c.Commit(k.t.Context(), id, committables); err != nil {
		k.t.Fatalf("commit %d: %v", id, err)
	}
}

// complete checks which partitions have the file, and how many marks there are.
func (k *completing) complete(when string, marks int, want ...string) {
	k.t.Helper()
	var got []string
	for _, line := range tree(k.t, k.dir) {
		name, _, _ := strings.Cut(line, ": ")
		switch {
		case strings.HasSuffix(name, "/_SUCCESS"):
			got = append(got, strings.TrimSuffix(name, "/_SUCCESS"))
		case strings.HasPrefix(name, ".pending-"):
			marks--
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || marks != 0 {
		k.t.Fatalf("%s: %d marks too few; complete (-want +got):\n%s", when, marks, diff)
	}
}

func both(w stream.Watermark) [2]stream.Watermark { return [2]stream.Watermark{w, w} }

func TestPartitionsCompleteByTheirTime(t *testing.T) {
	k := newCompleting(t, q10)
	k.commit(1, k.epoch(1, both(stream.NoWatermark), noon))
	k.complete("without a watermark", 1)
	k.commit(2, k.epoch(2, both(noonDone), "dt=2024-01-01/hm=12%3A01"))
	k.complete("at its time", 2)
	k.commit(3, k.epoch(3, [2]stream.Watermark{noonDone + 5, noonDone - 5}))
	k.complete("with one writer behind", 2)
	k.commit(4, k.epoch(4, both(noonDone+1)))
	k.complete("behind its time", 1, noon)
	k.commit(5, k.epoch(5, both(stream.MaxWatermark)))
	k.complete("at the end", 0, noon, "dt=2024-01-01/hm=12%3A01")
}

func TestPartitionsCompleteByTheClock(t *testing.T) {
	for _, c := range []struct {
		delay string
		waits bool
	}{{"0 s", false}, {"10 s", true}} {
		t.Run(c.delay, func(t *testing.T) {
			k := newCompleting(t, byDay, map[string]string{"sink.partition-commit.policy.kind": "success-file", "sink.partition-commit.delay": c.delay})
			k.commit(1, k.epoch(1, both(stream.NoWatermark), noon))
			if c.waits {
				k.complete("at once", 1)
				k.clock.Advance(10 * time.Second)
				k.commit(2, k.epoch(2, both(stream.NoWatermark), noon))
				k.complete("before the delay is over", 1)
				k.clock.Advance(time.Millisecond)
				k.commit(3, k.epoch(3, both(stream.NoWatermark)))
			}
			k.complete("behind the delay", 0, noon)
		})
	}
}

// Wherever a process dies, the next one goes on: what is committed again changes nothing, and a partition that waits is known
// by its mark.
func TestCompletionGoesOn(t *testing.T) {
	k := newCompleting(t, q10)
	first := k.epoch(1, both(0), noon)
	k.commit(1, first)
	k.restart()
	if err := k.c.Recover(t.Context(), 1, first); err != nil {
		t.Fatal(err)
	}
	k.complete("before its time", 1)
	k.id.Job = "from-a-savepoint"
	k.restart()
	if err := k.c.Recover(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	last := k.epoch(2, both(noonDone+1))
	k.commit(2, last)
	k.complete("behind its time", 0, noon)
	for range 2 {
		k.restart()
		k.commit(2, slices.Concat(first, last))
		k.complete("repeated", 0, noon)
	}
}

// What is half done: a mark that never got its name, a partition that is complete and has its mark yet.
func TestCompletionFromEveryState(t *testing.T) {
	k := newCompleting(t, q10)
	p := newPending(k.sink.(*sink).completed, k.id)
	write(t, k.dir, p.mark(noon)+"~", "\x01")
	k.commit(1, k.epoch(1, both(0), noon))
	k.complete("over half a mark", 1)
	write(t, k.dir, noon+"/_SUCCESS", "")
	k.restart()
	k.commit(2, k.epoch(2, both(noonDone+1)))
	k.complete("completed twice", 0, noon)

	write(t, k.dir, p.mark("dt=gone/hm=1"), string(append([]byte{stateVersion, 12}, "dt=gone/hm=1\x00"...)))
	k.restart()
	k.commit(3, k.epoch(3, both(stream.MaxWatermark)))
	k.complete("of a partition that was taken away", 0, noon)
}

// A writer tells how far its input was, also where it has written nothing.
func TestWritersTellTheirProgress(t *testing.T) {
	s := openSink(t, visits, map[string]string{"path": t.TempDir()}, q10)
	woken := make(waker, 1)
	w, err := s.Writer(connectors.WriterContext{Identity: connectors.Identity{Parallelism: 3, Subtask: 2}, Schema: visits, Waker: woken, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	for i, at := range []stream.Watermark{stream.NoWatermark, 7, stream.MaxWatermark} {
		if i > 0 {
			w.(connectors.Timed).Advance(at)
		}
		id := types.CheckpointID(i + 1)
		if err := w.Prepare(id); err != nil {
			t.Fatal(err)
		}
		var committables [][]byte
		for done := false; !done; {
			if committables, done, err = w.Prepared(id); err != nil {
				t.Fatal(err)
			}
			if !done {
				<-woken
			}
		}
		_, epochs, err := movesOf(committables)
		if err != nil || len(epochs) != 1 || epochs[0].watermark != at || epochs[0].checkpoint != id || epochs[0].writer.Parallelism != 3 {
			t.Errorf("checkpoint %d: %+v, %v", id, epochs, err)
		}
	}
}

func TestTimesOfPartitions(t *testing.T) {
	for _, c := range []struct {
		name, dir, want string // as RFC 3339, or a part of an error
		given           map[string]string
	}{
		{"q10", noon, "2024-01-01T12:00:00Z", nil},
		{"in a zone", noon, "2024-01-01T11:00:00Z", map[string]string{"sink.partition-commit.watermark-time-zone": "Europe/Berlin"}},
		{"a day alone", noon, "2024-01-01T00:00:00Z", map[string]string{"partition.time-extractor.timestamp-pattern": "$dt"}},
		{"without a pattern", noon, "2024-01-01T00:00:00Z", map[string]string{"partition.time-extractor.timestamp-pattern": ""}},
		{"few digits", "dt=2024-3-1/hm=7%3A05", "2024-03-01T07:05:00Z", nil},
		{"another form", "dt=20240301/hm=07", "2024-03-01T07:00:00Z", map[string]string{
			"partition.time-extractor.timestamp-pattern": "$dt/$hm", "partition.time-extractor.timestamp-formatter": "yyyyMMdd/HH",
		}},
		{"no time", "dt=2024-01-01/hm=x", `"2024-01-01 x:00" is no time`, nil},
		{"NULL", "dt=__DEFAULT_PARTITION__/hm=1", "or leave such rows out", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openSink(t, visits, map[string]string{"path": t.TempDir()}, q10, c.given).(*sink)
			at, err := s.completed.timeOf(c.dir)
			got := time.UnixMilli(at).UTC().Format(time.RFC3339)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
			if checked := s.completed.check(c.dir); (checked == nil) != (err == nil) {
				t.Errorf("a row of it: %v", checked)
			}
		})
	}
}

func TestBadCompletion(t *testing.T) {
	for _, c := range []struct {
		want  string
		given map[string]string
	}{
		{"the table has no partitions", map[string]string{"partition.keys": ""}},
		{`no time zone is named "Mars"`, map[string]string{"sink.partition-commit.watermark-time-zone": "Mars"}},
		{"is no name of a file", map[string]string{"sink.partition-commit.success-file.name": "../x"}},
		{"success-file", map[string]string{"sink.partition-commit.policy.kind": "metastore"}},
		{"can't be read", map[string]string{"partition.time-extractor.timestamp-formatter": "yyyy-QQ"}},
		{"can't stand in it", map[string]string{"partition.time-extractor.timestamp-formatter": "yyyy-01"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			given := map[string]string{"path": t.TempDir()}
			for _, m := range []map[string]string{q10, c.given} {
				maps.Copy(given, m)
			}
			_, err := connector.Sink().Open(given, visits)
			if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainUser {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// A table has the options of both directions.
func TestOneTableIsReadAndWritten(t *testing.T) {
	given := map[string]string{"path": t.TempDir(), "on-error": "skip", "partition.time-extractor.kind": "default"}
	s := openSink(t, visits, q10, given)
	commit(t, s, 1, writeRows(t, s, visits, clock.System(), "1 '12:00' 'a' 2024-01-01"))
	maps.Copy(given, q10)
	rows, err := readRows(t, visits, given)
	if err != nil || fmt.Sprint(rows) != "[+I 1 '12:00' 'a' 2024-01-01]" {
		t.Errorf("%q, %v", rows, err)
	}
}
