package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

var errStopped = errors.New("stopped")

// stopping is a context that ends when it has been asked so often: a committer asks it between its steps.
type stopping struct {
	context.Context
	left int
}

func (s *stopping) Err() error {
	if s.left--; s.left < 0 {
		return errStopped
	}
	return nil
}

// newOverwriting returns a table that a job of two writers overwrites.
func newOverwriting(t *testing.T, given ...map[string]string) *completing {
	t.Helper()
	k := newCompleting(t, given...)
	k.sink = k.sink.(connectors.Overwriter).Overwriting()
	k.restart()
	return k
}

// recover begins an attempt.
func (k *completing) recover(id types.CheckpointID, committables [][]byte) {
	k.t.Helper()
	k.restart()
	if err := k.c.Recover(k.t.Context(), id, committables); err != nil {
		k.t.Fatalf("recover %d: %v", id, err)
	}
}

// names are the files of the table by their directories: old for those that were there, the checkpoint for the job's. Hidden ones
// of the job are not among them.
func (k *completing) names() (out []string) {
	k.t.Helper()
	for _, line := range tree(k.t, k.dir) {
		name, _, _ := strings.Cut(line, ": ")
		dir, base := filepath.Split(name)
		switch id := checkpointIn(base); {
		case strings.HasPrefix(name, ".part-") || strings.HasPrefix(name, ".overwrite-"):
			continue
		case id > 0:
			base = fmt.Sprint(id)
		}
		out = append(out, dir+base)
	}
	return out
}

func (k *completing) is(when string, want ...string) {
	k.t.Helper()
	if diff := cmp.Diff(want, k.names()); diff != "" {
		k.t.Fatalf("%s (-want +got):\n%s", when, diff)
	}
}

// clean checks that nothing hidden is left of the job.
func (k *completing) clean() {
	k.t.Helper()
	entries, err := os.ReadDir(k.dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			k.t.Errorf("%s is left", e.Name())
		}
	}
	if err != nil {
		k.t.Error(err)
	}
}

var byDT = map[string]string{"format": "json", "partition.keys": "dt;hm"}

// overwrites are tables with what is there, what is written by a job of two checkpoints, and what must be there then.
var overwrites = []struct {
	name          string
	given         map[string]string
	there         []string
	first, second []string // directories that get files
	want          []string
}{
	{
		"all of a table without keys",
		map[string]string{"format": "json"},
		[]string{"old", "sub/old", "_SUCCESS"},
		[]string{"."},
		[]string{"."},
		[]string{"_SUCCESS", "1", "2"},
	},
	{
		"all of a table without keys, by nothing",
		map[string]string{"format": "json"},
		[]string{"old", "sub/old", "_SUCCESS"},
		nil, nil,
		[]string{"_SUCCESS"},
	},
	{
		"the partitions into which rows go", byDT,
		[]string{"dt=a/hm=1/old", "dt=a/hm=2/old", "dt=b/hm=1/old", "stray"},
		[]string{"dt=a/hm=1"},
		[]string{"dt=a/hm=1", "dt=c/hm=1"},
		[]string{"dt=a/hm=1/1", "dt=a/hm=1/2", "dt=a/hm=2/old", "dt=b/hm=1/old", "dt=c/hm=1/2", "stray"},
	},
	{
		"those of the first checkpoint alone", byDT,
		[]string{"dt=a/hm=1/old", "dt=b/hm=1/old"},
		[]string{"dt=a/hm=1"},
		nil,
		[]string{"dt=a/hm=1/1", "dt=b/hm=1/old"},
	},
	{
		"no partition by nothing", byDT, []string{"dt=a/hm=1/old"}, nil, nil, []string{"dt=a/hm=1/old"},
	},
	{
		"the partition that is named, by nothing",
		map[string]string{"format": "json", "partition.keys": "dt;hm", "partition.static": `[19723,"12:00"]`},
		[]string{noon + "/old", noon + "/sub/old", "dt=2024-01-01/hm=x/old"},
		nil, nil,
		[]string{"dt=2024-01-01/hm=x/old"},
	},
	{
		"the partition that is named",
		map[string]string{"format": "json", "partition.keys": "dt;hm", "partition.static": `[19723,"12:00"]`},
		[]string{noon + "/old", "dt=2024-01-01/hm=x/old"},
		[]string{noon},
		nil,
		[]string{noon + "/1", "dt=2024-01-01/hm=x/old"},
	},
	{
		"a partition that is complete then",
		map[string]string{"format": "json", "partition.keys": "dt;hm", "sink.partition-commit.policy.kind": "success-file"},
		[]string{noon + "/old"},
		[]string{noon},
		nil,
		[]string{noon + "/_SUCCESS", noon + "/1"},
	},
}

func (k *completing) there(names []string) {
	k.t.Helper()
	for _, name := range names {
		write(k.t, k.dir, name, "old\n")
	}
}

func TestOverwriting(t *testing.T) {
	for _, c := range overwrites {
		t.Run(c.name, func(t *testing.T) {
			k := newOverwriting(t, c.given)
			k.there(c.there)
			before := k.names()
			k.recover(0, nil)
			// Event time has ended for one writer and not for the other: more may come.
			k.commit(1, k.epoch(1, [2]stream.Watermark{stream.MaxWatermark, stream.MaxWatermark - 1}, c.first...))
			k.is("before the end", before...)
			last := k.epoch(2, both(stream.MaxWatermark), c.second...)
			k.is("in front of the last commit", before...)
			k.commit(2, last)
			k.is("at the end", c.want...)
			k.clean()
			k.commit(2, last)
			k.recover(2, last)
			k.is("after it was repeated", c.want...)
			k.clean()
		})
	}
}

// Wherever the last commit stops, the next one ends it, also behind others that stop.
func TestOverwritingFromEveryStep(t *testing.T) {
	for _, c := range overwrites {
		t.Run(c.name, func(t *testing.T) {
			for n, stopped := 0, true; stopped; n++ {
				k := newOverwriting(t, c.given)
				k.there(c.there)
				k.recover(0, nil)
				k.commit(1, k.epoch(1, both(stream.NoWatermark), c.first...))
				last := k.epoch(2, both(stream.MaxWatermark), c.second...)
				k.restart()
				err := k.c.Commit(&stopping{Context: t.Context(), left: n}, 2, last)
				if stopped = errors.Is(err, errStopped); !stopped && err != nil {
					t.Fatal(err)
				}
				done := cmp.Equal(k.names(), c.want)
				for m := range n + 1 {
					k.restart()
					if err := k.c.Recover(&stopping{Context: t.Context(), left: m}, 2, last); err != nil && !errors.Is(err, errStopped) {
						t.Fatal(err)
					}
					if done { // readers see it, and go on to
						k.is(fmt.Sprintf("stopped at step %d, and at step %d of the recovery", n, m), c.want...)
					}
				}
				k.recover(2, last)
				k.is(fmt.Sprintf("stopped at step %d", n), c.want...)
				k.clean()
				if n > 100 {
					t.Fatal("it never comes through")
				}
			}
		})
	}
}

// A job that falls back behind the end of another attempt, which is visible, does not write it again.
func TestOverwritingFallenBack(t *testing.T) {
	k := newOverwriting(t, byDT)
	k.recover(0, nil)
	first := k.epoch(1, both(stream.NoWatermark), noon)
	k.commit(1, first)
	k.commit(2, k.epoch(2, both(stream.MaxWatermark), noon))
	k.restart()
	if err := k.c.Recover(t.Context(), 1, first); !errors.Is(err, connectors.ErrAhead) || failure.ClassOf(err).Retry != failure.Restart {
		t.Errorf("recovery of checkpoint 1 behind the end says %v", err)
	}
	k.is("at the end", noon+"/1", noon+"/2")
}

// Nor does one that falls back into the middle of that: where output of the later checkpoint is visible, that one can still be
// restored, and where none is, its rows come again.
func TestOverwritingFallenBackIntoTheLastCommit(t *testing.T) {
	ahead, again := 0, 0
	for n, stopped := 0, true; stopped; n++ {
		k := newOverwriting(t, byDT)
		k.there([]string{noon + "/old"})
		k.recover(0, nil)
		first := k.epoch(1, both(stream.NoWatermark), noon)
		k.commit(1, first)
		last := k.epoch(2, both(stream.MaxWatermark), noon, "dt=b/hm=1")
		err := k.c.Commit(&stopping{Context: t.Context(), left: n}, 2, last)
		if stopped = errors.Is(err, errStopped); !stopped {
			break
		}
		k.restart()
		switch err := k.c.Recover(t.Context(), 1, first); {
		case errors.Is(err, connectors.ErrAhead):
			ahead++
			k.recover(2, last)
			k.is(fmt.Sprintf("stopped at step %d, then ended", n), noon+"/1", noon+"/2", "dt=b/hm=1/2")
		case err != nil:
			t.Fatal(err)
		default:
			again++
			k.commit(3, k.epoch(3, both(stream.MaxWatermark), noon))
			k.is(fmt.Sprintf("stopped at step %d, then written again", n), noon+"/1", noon+"/3")
		}
	}
	if ahead == 0 || again == 0 {
		t.Errorf("%d times output was ahead, %d times it was not", ahead, again)
	}
}

// What the end of the collection leaves, where the process dies in its middle.
func TestOverwritingStoppedInTheEnd(t *testing.T) {
	k := newOverwriting(t, map[string]string{"format": "json"})
	k.recover(0, nil)
	last := k.epoch(1, both(stream.MaxWatermark), ".")
	k.commit(1, last)
	write(t, k.dir, ".overwrite-j-o-done/part", "x")
	write(t, k.dir, "later", "another job's")
	k.recover(1, last)
	k.is("all was done", "later", "1")
	k.clean()
}

// A job that never comes to an end leaves what was there, wherever it restarts from.
func TestOverwritingThatFails(t *testing.T) {
	k := newOverwriting(t, byDT)
	k.there([]string{noon + "/old"})
	k.recover(0, nil)
	k.epoch(1, both(stream.NoWatermark), noon) // no checkpoint has it
	k.id.Attempt++
	k.recover(0, nil)
	first := k.epoch(2, both(stream.NoWatermark), noon)
	k.commit(2, first)
	third := k.epoch(3, both(stream.NoWatermark), noon)
	k.commit(3, third)
	k.id.Attempt++
	k.recover(2, first) // checkpoint 3 was damaged
	k.is("before the end", noon+"/old")
	k.commit(4, k.epoch(4, both(stream.MaxWatermark), "dt=b/hm=1"))
	k.is("at the end", noon+"/2", "dt=b/hm=1/4")
	k.clean()
}

// A new attempt without a checkpoint begins anew.
func TestOverwritingBeginsAnew(t *testing.T) {
	k := newOverwriting(t, map[string]string{"format": "json"})
	k.recover(0, nil)
	write(t, k.dir, ".overwrite-j-o/part-j-o-00000-000000000001", "left\n")
	k.recover(0, nil)
	k.commit(2, k.epoch(2, both(stream.MaxWatermark)))
	k.is("at the end")
}

// A job that goes on from another's savepoint has what that one had then, and takes nothing away from it.
func TestOverwritingFromASavepoint(t *testing.T) {
	k := newOverwriting(t, map[string]string{"format": "json"})
	k.there([]string{"old"})
	k.recover(0, nil)
	k.commit(1, k.epoch(1, both(stream.NoWatermark), "."))
	saved := k.epoch(2, both(stream.NoWatermark), ".")
	k.commit(2, saved)
	k.commit(3, k.epoch(3, both(stream.NoWatermark), "."))
	other := *k
	other.id.Job = "j2"
	for range 2 { // it may be begun again
		other.recover(2, saved)
	}
	k.is("before the end", "old")
	other.commit(9, other.epoch(9, both(stream.MaxWatermark), "."))
	k.is("at the end of the new job", "1", "2", "9")
	k.commit(4, k.epoch(4, both(stream.MaxWatermark), "."))
	k.is("at the end of the old job", "1", "2", "3", "4")
	k.clean()
}

// A collection that somebody has taken away is missed.
func TestOverwritingWithoutItsCollection(t *testing.T) {
	k := newOverwriting(t, map[string]string{"format": "json"})
	for name, watermark := range map[string]stream.Watermark{"in the middle": 5, "at the end": stream.MaxWatermark} {
		k.there([]string{"old"})
		k.recover(0, nil)
		if err := os.RemoveAll(filepath.Join(k.dir, ".overwrite-j-o")); err != nil {
			t.Fatal(err)
		}
		err := k.c.Commit(t.Context(), 1, k.epoch(1, both(watermark), "."))
		if failure.ClassOf(err) != (failure.Class{Domain: failure.DomainExternal, Retry: failure.Never}) || !strings.Contains(err.Error(), "is lost") {
			t.Errorf("%s: error %v", name, err)
		}
		k.is(name, "old")
	}
}

// What the writers of a sink that overwrites have to commit says how far their input was, also where they have no rows.
func TestOverwritingWriterTells(t *testing.T) {
	s := openSink(t, visits, at(t.TempDir(), byDT)).(connectors.Overwriter).Overwriting()
	committables := writeRows(t, s, visits, nil, "")
	if len(committables) != 1 {
		t.Fatalf("%d committables of an epoch without rows", len(committables))
	}
	if e, err := epochFilesOf(committables[0]); err != nil || len(e.files) != 0 || e.watermark != stream.NoWatermark {
		t.Errorf("epoch %+v, %v", e, err)
	}
}

func TestStaticPartitions(t *testing.T) {
	for text, want := range map[string]string{
		`[19723,"12:00"]`: noon,
		`[null,""]`:       "dt=__DEFAULT_PARTITION__/hm=__DEFAULT_PARTITION__",
		`[19723]`:         "error: 1 values for 2 columns",
		`["x","y"]`:       "error: column dt",
		`{}`:              "error: is no JSON array",
	} {
		opened, err := connector.Sink().Open(at(t.TempDir(), map[string]string{"format": "json", "partition.keys": "dt;hm", "partition.static": text}), visits)
		var got string
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = opened.(*sink).static
		}
		if ok := got == want || strings.HasPrefix(want, "error") && strings.Contains(got, strings.TrimPrefix(want, "error: ")); !ok {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		if err != nil && failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: %v of class %s", text, err, failure.ClassOf(err))
		}
	}
}
