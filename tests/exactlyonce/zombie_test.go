package exactlyonce

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// zombiesVariable is how many rounds TestZombieLeaders plays; `make zombies` sets it.
const zombiesVariable = "MILLRACE_ZOMBIES"

const (
	zombiesLimit = 5 * time.Minute // of a platform's start and the job's end
	roundLimit   = 4 * time.Minute // of a round
	// zombiesPerSecond are the records of a partition, roundRecords what a round may use up.
	zombiesPerSecond, roundRecords = 600, 30 * zombiesPerSecond
)

// heldWrite is a write that a leader has decided when it is paused.
type heldWrite struct {
	point string
	key   string // of the job, in etcd; the write that is refused there
	what  string
	// cancels makes the leader decide it by asking it to cancel the job.
	cancels bool
	// mayGiveUp is for what the zombie need not make count any more when it has found out what it is.
	mayGiveUp bool
}

// pointers and records are transactions in etcd: each must be attempted, and refused. A manifest is an object under a key of
// its leader's own, which no other leader minds; whether the leader has found out by the time that it is written decides
// whether it goes on to the pointer.
var (
	heldPointer  = heldWrite{point: crash.BeforeComplete, key: "/checkpoint/latest", what: "a checkpoint's pointer"}
	heldRecord   = heldWrite{point: crash.BeforeRecord, key: "/state", what: "the job's record, cancelled", cancels: true}
	heldManifest = heldWrite{point: crash.BeforeManifest, key: "/checkpoint/latest", what: "a manifest", mayGiveUp: true}
)

// zombieRounds are the rounds of this run: a draw, two of each, or so many as asked for and a fifth more with manifests.
func zombieRounds(t *testing.T) (rounds []heldWrite) {
	t.Helper()
	text := os.Getenv(zombiesVariable)
	switch n, err := strconv.Atoi(text); {
	case text != "" && (err != nil || n < 1):
		t.Fatalf("%s=%q: want a number of rounds", zombiesVariable, text)
	case text != "":
		for i := range n {
			rounds = append(rounds, []heldWrite{heldPointer, heldRecord}[i%2])
		}
		for range n / 5 {
			rounds = append(rounds, heldManifest)
		}
	case matrix.All():
		return []heldWrite{heldPointer, heldRecord, heldManifest, heldManifest, heldRecord, heldPointer}
	default:
		return matrix.Sample(t, 1, []heldWrite{heldPointer, heldRecord})
	}
	return rounds
}

// TestZombieLeaders pauses one leader after the other with a write that it has decided, for longer than its lease and until
// its successor has completed a checkpoint, and lets it go on. Every write is attempted and every one refused: by the zombie's
// own figures and words, by the history in etcd, and by the output.
func TestZombieLeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a platform")
	}
	rounds := zombieRounds(t)
	ctx := platformtest.Limited(t, zombiesLimit+time.Duration(len(rounds))*roundLimit)
	z := startZombies(ctx, t, len(rounds))
	for i, w := range rounds {
		z.round(ctx, i+1, w)
		if t.Failed() {
			break
		}
	}
	if n := z.history.Records(); n != 1 {
		t.Errorf("the job's record was written %d times, want once, when it was submitted", n)
	}
	z.tap.Raise(z.load.PerPart)
	d := z.job.Finish(ctx)
	c := platformtest.Verify(ctx, t, z.platform.Broker, z.out, z.load.model())
	z.history.Check(t)
	pointers, terms := z.history.Pointers()
	t.Logf("%d rounds: %d writes attempted, %d refused by etcd, %d refused before they were sent, %d given up; none applied",
		len(rounds), z.attempted, z.byEtcd, z.attempted-z.byEtcd, z.givenUp)
	t.Logf("%d checkpoints of %d leaders became the latest, in order; %d records of output, %d of input lost, %d doubled; attempt %d, %d restarts, failures %q",
		pointers, terms, c.Records, c.Lost, c.Doubled, d.Attempt, d.Summary.Restarts, d.RecentFailures)
}

// zombies is the state of the test.
type zombies struct {
	t                          *testing.T
	platform                   *platformtest.Platform
	job                        platformtest.Running
	history                    *platformtest.History
	load                       poisoned
	tap                        *platformtest.Tap
	out                        string
	attempted, byEtcd, givenUp int
}

func startZombies(ctx context.Context, t *testing.T, rounds int) *zombies {
	t.Helper()
	z := &zombies{t: t, load: poisoned{Load: platformtest.Load{Partitions: 2, PerPart: int64(rounds+1) * roundRecords}}}
	z.platform = platformtest.Start(ctx, t, platformtest.Spec{TaskManagers: 2})
	j, tap, _ := z.load.prepare(ctx, t, z.platform.Broker, "zombies")
	z.tap, z.out = tap, j.Out
	z.platform.AwaitTaskManagers(ctx, 2)
	z.job = platformtest.Run(ctx, t, z.platform.Jobs, j.Graph(t))
	z.history = z.platform.Follow(t, z.job.ID)
	dripping, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	go tap.Drip(dripping, zombiesPerSecond, z.load.PerPart)
	z.job.AwaitDescription(ctx, "checkpoints before the first pause", platformtest.Checkpointed(3))
	return z
}

// round pauses the leader with a write, has another lead and complete a checkpoint, and lets the first go on.
func (z *zombies) round(ctx context.Context, n int, w heldWrite) {
	z.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, roundLimit)
	defer cancel()
	p, began := z.platform, time.Now()
	l := p.Leads(ctx)
	before := l.Mark(z.t)
	counted := p.Figure(ctx, l, refusedWrites)
	l.Hold(z.t, w.point)
	var answer <-chan error
	if w.cancels {
		answer = z.cancel(ctx, l)
	}
	l.AwaitSaid(ctx, z.t, before, "pauses at "+w.point)
	p.AwaitOther(ctx, l)
	z.job.AwaitRunning(ctx)
	l.Resume()
	// It says so when all that it had decided is answered.
	l.AwaitSaid(ctx, z.t, before, "leadership is lost")
	z.judge(n, w, l.Said(z.t, before, "a decided write does not count", z.job.ID+w.key), p.Figure(ctx, l, refusedWrites)-counted)
	if answer != nil {
		if err := <-answer; err == nil {
			z.t.Errorf("round %d: %s said that it cancels the job, in a term that was over", n, l.Name)
		}
	}
	z.job.AwaitRunning(ctx)
	z.t.Logf("round %d took %s", n, time.Since(began).Round(100*time.Millisecond))
}

const refusedWrites = "millrace_jobmanager_numberOfRefusedWrites"

// judge holds what the zombie says of one write, and what it counts, against what must be.
func (z *zombies) judge(n int, w heldWrite, refusals []string, counted int64) {
	z.t.Helper()
	if len(refusals) == 0 && w.mayGiveUp {
		z.givenUp++
		z.t.Logf("round %d, %s: it found out before it would have made it count; %d refused in all", n, w.what, counted)
		return
	}
	if len(refusals) != 1 || counted < 1 {
		z.t.Errorf("round %d, %s: want it attempted and refused, once; %d writes were refused, of these: %q", n, w.what, counted, refusals)
		return
	}
	z.attempted++
	by := "before it was sent"
	if !strings.Contains(refusals[0], "not sent") {
		z.byEtcd++
		by = "by etcd"
	}
	_, cause, _ := strings.Cut(refusals[0], "key=")
	z.t.Logf("round %d, %s: attempted, refused %s; %d refused in all; key=%s", n, w.what, by, counted, cause)
}

// cancel asks one job manager, whether it leads or not, to cancel the job.
func (z *zombies) cancel(ctx context.Context, l *platformtest.Part) <-chan error {
	z.t.Helper()
	conn, err := grpc.NewClient(l.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		z.t.Fatal(err)
	}
	z.t.Cleanup(func() { _ = conn.Close() })
	answer := make(chan error, 1)
	go func() {
		_, err := apiv1.NewJobServiceClient(conn).CancelJob(ctx, &apiv1.CancelJobRequest{JobId: z.job.ID})
		answer <- err
	}()
	return answer
}
