package sim

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"millrace/blobstore"
	"millrace/blobstore/blobtest"
	blobmemory "millrace/blobstore/memory"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/connectors/kafka"
	"millrace/internal/clock"
	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/coordtest"
	"millrace/jobmanager/coord/memory"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/statebackend/statetest"
	"millrace/types"
)

// seedsOfATest is how many of the thousand schedules one run of the tests plays.
const seedsOfATest = 100

func TestSeeds(t *testing.T) {
	var all []uint64
	for seed := range uint64(1000) {
		all = append(all, seed+1)
	}
	for _, seed := range matrix.Sample(t, seedsOfATest, all) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			if r := Run(seed); len(r.Violations) > 0 {
				r.Print(t.Output())
				t.Fail()
			}
		})
	}
}

// TestSameSeedSameTrace is what makes a failing seed worth anything.
func TestSameSeedSameTrace(t *testing.T) {
	r := matrix.Rand(t)
	for range 4 {
		seed := uint64(r.IntN(100_000))
		first, second := Run(seed), Run(seed)
		if first.Trace == second.Trace {
			continue
		}
		for i := range first.Trace {
			if i >= len(second.Trace) || first.Trace[i] != second.Trace[i] {
				t.Fatalf("seed %d has two traces; they part behind\n%s", seed, first.Trace[max(i-500, 0):i])
			}
		}
		t.Fatalf("seed %d has two traces: one goes on", seed)
	}
}

func calm() *world {
	w := newWorld(1)
	w.healed = true
	return w
}

func TestBlobsConform(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blobstore.Store {
		w := calm()
		return blobs{blobmemory.New(clock.System()), &process{w: w, name: "a"}}
	})
}

// cluster implements coordtest.Cluster.
type cluster struct {
	*memory.Cluster
	w *world
}

func (c cluster) Open(*testing.T) coord.Store {
	return etcd{c.Cluster.Open(), &process{w: c.w, name: "a"}}
}

func (c cluster) Expire(t *testing.T, candidate string) {
	t.Helper()
	for !c.Cluster.Expire(candidate) {
		if t.Context().Err() != nil {
			t.Fatalf("no candidate %s", candidate)
		}
		runtime.Gosched()
	}
}

func TestEtcdConforms(t *testing.T) {
	coordtest.Run(t, func(*testing.T) coordtest.Cluster { return cluster{memory.NewCluster(), calm()} })
}

// TestTransactions holds the model of Kafka to what docs/design/0002-kafka-transactions.md says of the real one.
func TestTransactions(t *testing.T) {
	w := calm()
	b := w.kafka
	b.create("out", 1)
	expect := func(what string, want, got int16) {
		t.Helper()
		if want != got {
			t.Errorf("%s: code %d, want %d", what, got, want)
		}
	}
	visible := func(want int) {
		t.Helper()
		if got := len(b.committed("out")); got != want {
			t.Errorf("%d records are visible, want %d", got, want)
		}
	}
	says := func(state string) {
		t.Helper()
		if d := b.ids["a"].describe(); d.State != state {
			t.Errorf("the coordinator says %s, want %s", d.State, state)
		}
	}
	first, code := b.initialise("a", 1_000)
	says("Empty")
	expect("init", codeNone, code)
	expect("commit of nothing", codeInvalidState, b.commit(first))
	expect("produce", codeNone, b.produce("out", 0, []byte("1"), first))
	expect("mark", codeNone, b.mark(first, kafka.Marker{Group: "g", Topic: "out", Offset: 7}))
	visible(0)
	says("Ongoing")
	_, code = b.readMarker("g", "out", true)
	expect("marker of an open transaction", codeUnstable, code)
	expect("commit", codeNone, b.commit(first))
	expect("commit that is under way", codeConcurrent, b.commit(first))
	says("PrepareCommit")
	w.run(100)
	says("CompleteCommit")
	visible(1)
	expect("commit once more", codeNone, b.commit(first))
	m, code := b.readMarker("g", "out", true)
	expect("marker", codeNone, code)
	if m.Offset != 7 {
		t.Errorf("marker %+v", m)
	}

	second, _ := b.initialise("a", 1_000)
	expect("zombie's produce", codeFenced, b.produce("out", 0, []byte("2"), first))
	expect("zombie's commit", codeFenced, b.commit(first))
	expect("produce", codeNone, b.produce("out", 0, []byte("3"), second))
	_, code = b.initialise("a", 1_000)
	expect("init over an open transaction", codeConcurrent, code)
	w.run(200)
	expect("commit of what was aborted", codeFenced, b.commit(second))
	visible(1)

	third, _ := b.initialise("a", 1_000)
	expect("produce", codeNone, b.produce("out", 0, []byte("4"), third))
	w.run(2_000)
	expect("commit behind the timeout", codeFenced, b.commit(third))
	visible(1)
	expect("unknown id", codeInvalidIDMapping, b.commit(kafka.Transaction{TransactionalID: "b"}))
}

// TestOracleFindsEveryKind is the first test of the oracle; the planted bugs are the other.
func TestOracleFindsEveryKind(t *testing.T) {
	right := `_{"auction":1,"window_start":"2023-11-14 22:13:20","bids":2,"total":30,"highest":20}`
	late := `_{"auction":1,"window_start":"2023-11-14 22:13:20","bids":3,"total":31,"highest":20}`
	for name, test := range map[string]struct {
		values   []string
		violated bool
	}{
		"exact":      {[]string{right}, false},
		"with late":  {[]string{late}, false},
		"missing":    {nil, true},
		"twice":      {[]string{right, right}, true},
		"wrong":      {[]string{`_{"auction":1,"window_start":"2023-11-14 22:13:20","bids":2,"total":31,"highest":20}`}, true},
		"unexpected": {[]string{right, `_{"auction":2,"window_start":"2023-11-14 22:13:20","bids":1,"total":1,"highest":1}`}, true},
		"garbage":    {[]string{"_{"}, true},
	} {
		w := calm()
		w.kafka.create("out", 1)
		for _, v := range test.values {
			w.kafka.append("out", 0, record{value: []byte(v)})
		}
		at := begin.UnixMilli()
		w.oracle.model.add(1, 10, at, false)
		w.oracle.model.add(1, 20, at, false)
		w.oracle.model.add(1, 1, at, true)
		w.oracle.output("out", true, false, w.kafka.committed("out"))
		if w.oracle.violated() != test.violated {
			t.Errorf("%s: violations %v", name, w.oracle.broken)
		}
	}
}

// TestOracleForgetsWhatNobodyFound: a topic that was created again before any job had found the first one is the only one that
// there ever was; who had found the first may not read on.
func TestOracleForgetsWhatNobodyFound(t *testing.T) {
	for _, known := range []bool{false, true} {
		w := calm()
		w.kafka.create(inputTopic, 1)
		w.oracle.firstInput = w.kafka.topics[inputTopic].id
		w.jobs = []*job{{}}
		j := w.oracle.begins(firstJob, &checkpointv1.JobRecord{})
		w.oracle.model.add(1, 10, begin.UnixMilli(), false)
		if known {
			keys, err := coord.ForJob(firstJob)
			must(err)
			key, err := keys.Enumerator("bids-0")
			must(err)
			w.oracle.written([]coord.Op{coord.Put(key, fmt.Appendf(nil, `{"topics":{"bids":{"id":%q}}}`, w.oracle.firstInput))})
		}
		w.kafka.recreate(inputTopic)
		if got := len(w.oracle.model); got != 0 && !known || got != 1 && known {
			t.Errorf("known %t: %d windows are expected", known, got)
		}
		j.end = &checkpointv1.JobRecord{Phase: checkpointv1.JobPhase_JOB_PHASE_STOPPED}
		w.oracle.readsOn(j)
		if w.oracle.violated() != known {
			t.Errorf("known %t: violations %v", known, w.oracle.broken)
		}
	}
}

// TestOracleSeesThatASourceReadsOn: where one has ended it stays, but in a job that begins where another was drained.
func TestOracleSeesThatASourceReadsOn(t *testing.T) {
	for _, test := range []struct {
		name     string
		attempt  uint64 // of the first checkpoint
		ended    bool
		to       int64
		violated bool
	}{
		{"stays", 1, true, 5, false},
		{"reads on", 1, true, 6, true},
		{"runs", 1, false, 6, false},
		{"another job's", 0, true, 6, false},
	} {
		w := calm()
		w.jobs = []*job{{}}
		j := w.oracle.begins(firstJob, &checkpointv1.JobRecord{})
		at := func(attempt uint64, offset int64) {
			m := &checkpointv1.Manifest{Attempt: attempt, Vertices: []*checkpointv1.VertexState{{VertexId: "bids-0", Tasks: []*checkpointv1.TaskState{{
				Ended: test.ended, Splits: []*checkpointv1.SplitState{{Id: "bids-0", State: fmt.Appendf(nil, `{"offset":%d}`, offset)}},
			}}}}}
			now, err := positionsOf(m)
			must(err)
			j.staysEnded(m, now)
		}
		at(test.attempt, 5)
		at(2, test.to)
		if w.oracle.violated() != test.violated {
			t.Errorf("%s: violations %v", test.name, w.oracle.broken)
		}
	}
}

func TestTierConforms(t *testing.T) { statetest.RunTier(t, newTier(&process{w: calm(), name: "a"})) }

// passSeeds is how many schedules are looked at until every point was passed.
const passSeeds = 60

// TestEveryPointIsPassed fails where a crash point is added to which no schedule comes. That each is struck is what a
// thousand schedules must show.
func TestEveryPointIsPassed(t *testing.T) {
	missing := make(map[string]bool)
	for _, p := range crash.All() {
		missing[p] = true
	}
	for seed := uint64(1); seed <= passSeeds && len(missing) > 0; seed++ {
		for p := range Run(seed).Passed {
			delete(missing, p)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no schedule comes to %v", slices.Sorted(maps.Keys(missing)))
	}
}

// TestOracleJudgesSavepoints: what is wrong with one is found by what the stores have.
func TestOracleJudgesSavepoints(t *testing.T) {
	own := blobstore.SavepointKey{Job: firstJob, Savepoint: 7, Unique: "u"}
	task := types.TaskID{Vertex: "window-0"}
	chunk, err := own.Chunk(task, "1")
	must(err)
	foreign, err := blobstore.ChunkKey{Job: firstJob, Attempt: 1, Checkpoint: 7, Task: task, Unique: "1"}.Path()
	must(err)
	state := []byte("what a task had")
	for name, test := range map[string]struct {
		change   func(w *world, m *checkpointv1.Manifest)
		violated bool
	}{
		"right": {func(*world, *checkpointv1.Manifest) {}, false},
		"position": {func(_ *world, m *checkpointv1.Manifest) {
			m.Vertices[0].Tasks[0].Splits[0].State = []byte(`{"offset":6}`)
		}, true},
		"commits": {func(_ *world, m *checkpointv1.Manifest) {
			m.Vertices[0].Tasks[0].Committables = [][]byte{[]byte("again")}
		}, true},
		"foreign": {func(_ *world, m *checkpointv1.Manifest) {
			m.Vertices[0].Tasks[0].Files[0].At = &checkpointv1.StateFile_Object{Object: foreign}
		}, true},
		"gone":    {func(w *world, _ *checkpointv1.Manifest) { must(w.blob.Delete(w.ctx, chunk)) }, true},
		"damaged": {func(_ *world, m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[0].Sha256[0]++ }, true},
		"chain": {func(_ *world, m *checkpointv1.Manifest) {
			of := m.Vertices[0].Tasks[0]
			delta := proto.CloneOf(of.Files[0])
			delta.Kind = uint32(statebackend.Delta)
			of.Files = append(of.Files, delta)
		}, true},
	} {
		w := calm()
		w.jobs = []*job{{}}
		j := w.oracle.begins(firstJob, &checkpointv1.JobRecord{})
		j.at[7] = positions{"window-0/bids-0": 5}
		for _, key := range []string{chunk, foreign} {
			must(w.blob.Create(w.ctx, key, blobstore.Bytes(state)))
		}
		sum := sha256.Sum256(state)
		m := &checkpointv1.Manifest{
			FormatVersion: checkpoint.FormatVersion, JobId: string(firstJob), CheckpointId: 7, Kind: checkpoint.Savepoint.Proto(),
			Vertices: []*checkpointv1.VertexState{{VertexId: "window-0", MaxParallelism: keyGroups, LargestParallelism: 1, Tasks: []*checkpointv1.TaskState{{
				Splits: []*checkpointv1.SplitState{{Id: "bids-0", State: []byte(`{"offset":5}`)}},
				Files: []*checkpointv1.StateFile{{
					At: &checkpointv1.StateFile_Object{Object: chunk}, Sha256: sum[:], Bytes: int64(len(state)), Kind: uint32(statebackend.Base), LastKeyGroup: keyGroups - 1,
				}},
			}}}},
		}
		test.change(w, m)
		data, digest, err := checkpointcodec.Encode(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		key, err := own.Manifest()
		must(err)
		must(w.blob.Create(w.ctx, key, blobstore.Bytes(data)))
		j.saved(&checkpointv1.JobSavepoints{Savepoints: []*checkpointv1.SavepointRecord{{SavepointId: 7, ManifestObject: key, ManifestSha256: digest.Bytes()}}})
		if w.oracle.violated() != test.violated {
			t.Errorf("%s: violations %v", name, w.oracle.broken)
		}
	}
}
