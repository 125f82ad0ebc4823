package program

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// The input of the program tally.
const (
	buyers  = 25 // of each partition
	bought  = 800
	perPart = buyers * bought // purchases of a partition
)

func buyer(partition, n int64) string { return fmt.Sprintf("user-%d-%d", partition, n) }

// amount is that of a buyer's purchase.
func amount(user string, number int64) int64 { return (number*31 + int64(user[len(user)-1])) % 100 }

func purchase(partition, offset int64) []byte {
	user, number := buyer(partition, offset%buyers), offset/buyers+1
	return fmt.Appendf(nil, `{"user":%q,"number":%d,"amount":%d}`, user, number, amount(user, number))
}

// tally is a record of its output.
type tally struct {
	Edition, User               string
	Number, Times, Paid, Before int64
	Mine, Since                 *int64
}

// upgrade is the program tally, whose first edition runs while people buy.
type upgrade struct {
	*processes
	broker  *realkafka.Broker
	tap     *platformtest.Tap
	written *platformtest.Writing
}

func startUpgrade(t *testing.T) *upgrade {
	broker := realkafka.Start(t)
	for _, of := range []string{"millrace", "first", "second", "third"} {
		binary(t, of) // which takes time that is none of the test's
	}
	u := &upgrade{processes: start(t), broker: broker, tap: platformtest.NewTap()}
	platformtest.CreateTopics(u.ctx, t, broker, 2, "purchases", "tallies")
	u.written = platformtest.Write(u.ctx, broker, "purchases", u.tap, []int64{perPart, perPart}, purchase)
	return u
}

// from are the arguments of an edition's submit.
func (u *upgrade) from(flags ...string) []string {
	arguments := append([]string{"submit", "--cluster", u.jobs, "--parallelism", "2"}, with(flags...)...)
	return append(arguments, "--", "-brokers", u.broker.Addr())
}

// fate is a line that says what becomes of a table.
func (u *upgrade) fate(text, fate, table, detail string) {
	u.Helper()
	line := fmt.Sprintf(`(?m)^%s +tally +tally +table %s +.*%s`, fate, table, regexp.QuoteMeta(detail))
	if !regexp.MustCompile(line).MatchString(text) {
		u.Errorf("no line %s in what the second edition would do:\n%s", line, text)
	}
}

// judge asks what would become of a savepoint, which the second edition can take and the third can't.
func (u *upgrade) judge(savepoint string) {
	u.Helper()
	before := u.listed()
	text := u.must("second", u.from("--dry-run", "--from-savepoint", savepoint)...)
	u.fate(text, "migrated", "bought", "column since added; paid may be NULL; times INT → BIGINT; column mine added; column note left behind")
	u.fate(text, "kept", "before", "value")
	for _, flag := range []string{"--dry-run", "--detached"} {
		_, messages, code := u.command("third", u.from(flag, "--from-savepoint", savepoint)...)
		if code != 2 {
			u.Errorf("third submit %s: exit code %d", flag, code)
		}
		expect(u.T, "the refusal", messages, "vertex tally", "operator tally", "bought", "column paid is STRING, in the snapshot BIGINT",
			"hint: keep the column as it was; or give the new one another name")
	}
	if after := u.listed(); after != before {
		u.Errorf("there were %d jobs, and are %d", before, after)
	}
}

// listed is how many jobs the cluster knows of.
func (u *upgrade) listed() int {
	u.Helper()
	return strings.Count(u.must("millrace", "job", "list", "--cluster", u.jobs), "tally")
}

// checkpoint waits until a checkpoint has been completed that began behind now.
func (u *upgrade) checkpoint(job string) *apiv1.DescribeJobResponse {
	u.Helper()
	before := u.job(job).CheckpointsCompleted
	return u.awaitJob(job, "checkpoints", func(d *apiv1.DescribeJobResponse) bool { return d.CheckpointsCompleted > before+1 })
}

// TestUpgrade: a program goes on from a savepoint where its state has other types, and every row is counted once over both editions. What can't go on
// is refused, and what runs never notices.
func TestUpgrade(t *testing.T) {
	u := startUpgrade(t)
	u.taskManager("tm-1", "first", 2)
	job := u.must("first", u.from("--detached")...)
	dripping, stop := context.WithCancel(u.ctx)
	defer stop()
	go u.tap.Drip(dripping, 500, perPart/2)
	u.awaitJob(job, "input", func(d *apiv1.DescribeJobResponse) bool {
		return runs(d) && platformtest.Count(d, func(t *apiv1.TaskDescription) int64 { return t.Progress.GetRecordsIn() }) > 1000
	})

	u.taskManager("tm-2", "second", 2)
	u.taskManager("tm-3", "third", 2)
	u.judge(u.must("millrace", "job", "savepoint", job, "--cluster", u.jobs))
	if n := u.listed(); n != 1 {
		t.Errorf("%d jobs are listed", n)
	}
	if d := u.checkpoint(job); d.Attempt != 1 || d.Summary.Restarts != 0 || len(d.RecentFailures) > 0 {
		t.Errorf("the first edition is in attempt %d after %d restarts: %v", d.Attempt, d.Summary.Restarts, d.RecentFailures)
	}

	savepoint := u.must("first", "job", "stop", job, "--savepoint", "--cluster", u.jobs)
	u.kill("tm-1")
	u.judge(savepoint)
	job = u.must("second", u.from("--detached", "--from-savepoint", savepoint)...)
	u.awaitJob(job, "the second edition", runs)
	u.checkpoint(job)
	u.kill("tm-2") // what was converted is what a restart finds
	u.taskManager("tm-4", "second", 2)
	stop()
	u.tap.Raise(perPart)
	if err := u.written.Wait(); err != nil {
		t.Fatal(err)
	}
	platformtest.Await(u.ctx, t, "all output", func() bool { return platformtest.Committed(u.ctx, t, u.broker, "tallies") >= 2*perPart })
	u.must("second", "job", "stop", job, "--cluster", u.jobs)
	u.awaitJob(job, "the end", func(d *apiv1.DescribeJobResponse) bool { return d.Summary.State == apiv1.JobState_JOB_STATE_STOPPED })
	verifyTallies(t, platformtest.ReadAll[tally](u.ctx, t, u.broker, "tallies"))
}

// verifyTallies looks at each buyer's purchases, in their order.
func verifyTallies(t *testing.T, all []tally) {
	t.Helper()
	byUser, editions := make(map[string][]tally), make(map[string]int)
	for _, r := range all {
		byUser[r.User] = append(byUser[r.User], r)
		editions[r.Edition]++
	}
	for p := range int64(2) {
		for n := range int64(buyers) {
			user := buyer(p, n)
			if err := verifyUser(user, byUser[user]); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		}
	}
	if len(byUser) != 2*buyers || editions["first"] == 0 || editions["second"] == 0 {
		t.Errorf("%d users, records by editions: %v", len(byUser), editions)
	}
	t.Logf("records by editions: %v", editions)
}

// verifyUser compares with what the editions have to say, one where the other stopped.
func verifyUser(user string, got []tally) error {
	slices.SortFunc(got, func(a, b tally) int { return int(a.Number - b.Number) })
	if len(got) != bought {
		return fmt.Errorf("there are %d records", len(got))
	}
	switched := int64(slices.IndexFunc(got, func(r tally) bool { return r.Edition == "second" }))
	if switched < 0 {
		switched = bought
	}
	var paid int64
	for i, r := range got {
		number := int64(i) + 1
		paid += amount(user, number)
		want := tally{Edition: "first", User: user, Number: number, Times: number, Paid: paid, Before: number - 1}
		if number > switched {
			mine, since := number-switched, switched+1
			want.Edition, want.Mine, want.Since = "second", &mine, &since
		}
		if text := fmt.Sprintf("%+v", r.values()); text != fmt.Sprintf("%+v", want.values()) {
			return fmt.Errorf("got %s, want %+v", text, want.values())
		}
	}
	return nil
}

// values are the record without pointers, 0 for NULL: no count and no number is 0.
func (r tally) values() []any {
	value := func(p *int64) int64 {
		if p == nil {
			return 0
		}
		return *p
	}
	return []any{r.Edition, r.User, r.Number, r.Times, r.Paid, r.Before, value(r.Mine), value(r.Since)}
}
