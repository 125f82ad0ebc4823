package cluster

import (
	"testing"
	"time"

	"millrace/internal/clock"
)

// waits are what is there again after a while: everybody says what is missing, tries again, and nothing is lost.
var waits = []scenario{
	{"etcd-away-at-the-start", etcdAwayAtStart},
	{"store-away-at-the-start", storeAwayAtStart},
	{"job-manager-away-at-the-start", jobManagerAwayAtStart},
	{"too-few-slots", tooFewSlots},
	{"standby-an-hour-behind", func(t *testing.T) { standbyWithAnotherTime(t, "-1h") }},
	{"standby-an-hour-ahead", func(t *testing.T) { standbyWithAnotherTime(t, "1h") }},
	{"etcd-killed-for-40-seconds", func(t *testing.T) { etcdAway(t, false) }},
	{"etcd-paused-for-40-seconds", func(t *testing.T) { etcdAway(t, true) }},
	{"job-manager-away-for-40-seconds", jobManagerAway},
}

func TestWaitedFor(t *testing.T) { sample(t, 1, waits) }

// away is longer than tasks run on without a job manager, and than a lease.
const away = 40 * time.Second

// longer is how long a job lasts that is to see the end of that, and of what comes before and behind it.
const longer = 90 * time.Second

func etcdAwayAtStart(t *testing.T) {
	p := newPlatform(t, false)
	p.etcd.Kill()
	j := p.jobManager(0)
	tm := p.taskManager(0)
	p.says(j, "campaigns again")
	p.says(tm, "no job manager takes this task manager in; it tries again")
	p.awaitCommand([]string{"cluster", "status"}, "the cluster does not answer", "it campaigns again: ")
	p.restart(p.etcd)
	p.awaitTaskManagers(1)
	p.run("counted", 3*time.Second, 1).finish()
}

func storeAwayAtStart(t *testing.T) {
	p := newPlatform(t, true)
	p.s3.Kill()
	j := p.jobManager(0)
	tm := p.taskManager(0)
	p.says(j, "the blob store is tried again")
	p.says(tm, "no job manager takes this task manager in; it tries again", "the blob store is tried again")
	p.awaitCommand([]string{"cluster", "status"}, "the blob store is tried again: ")
	p.restart(p.s3)
	p.awaitTaskManagers(1)
	p.run("counted", 3*time.Second, 1).finish()
}

func jobManagerAwayAtStart(t *testing.T) {
	p := newPlatform(t, false)
	tm := p.taskManager(0)
	p.says(tm, "no job manager takes this task manager in; it tries again", "connection refused")
	p.jobManager(0)
	p.awaitTaskManagers(1)
	p.run("counted", 3*time.Second, 1).finish()
}

func tooFewSlots(t *testing.T) {
	p := newPlatform(t, false)
	p.jobManager(0)
	j := p.run("first", 6*time.Second, 1)
	missing := "the job needs a slot, none is free"
	p.awaitCommand([]string{"job", "show", j.id}, "waiting for", missing)
	p.awaitCommand([]string{"cluster", "status"}, "WAITING JOB", j.id, missing)
	p.taskManager(0)
	j.awaitCheckpoints(1)
	second := p.run("second", 3*time.Second, 1)
	p.awaitCommand([]string{"job", "show", second.id}, "waiting for", missing)
	p.taskManager(1)
	second.finish()
	j.finish()
}

// standbyWithAnotherTime: leases are by etcd's time, and what a leader restores has no time of another in it. Task managers
// that the cluster had before go on with whoever leads.
func standbyWithAnotherTime(t *testing.T, offset string) {
	p := newPlatform(t, false)
	first := p.jobManager(0)
	p.awaitTaskManagers(0)
	p.taskManager(0)
	standby := p.jobManager(1, clock.OffsetEnv+"="+offset)
	j := p.run("counted", 20*time.Second, 1)
	j.awaitCheckpoints(2)
	first.Kill()
	p.says(standby, "msg=leads", "a task manager of another term has another time")
	j.awaitCheckpoints(2)
	p.restart(first)
	standby.Stop() // time goes the other way
	p.says(first, "msg=leads")
	j.awaitCheckpoints(2)
	j.finish()
}

// etcdAway: the leader's lease runs out, it steps down and says why; task managers cancel what they run behind their
// patience, and come back by themselves.
func etcdAway(t *testing.T, paused bool) {
	p := newPlatform(t, false)
	jm := p.jobManager(0)
	tm := p.taskManager(0)
	j := p.run("counted", longer, 1)
	j.awaitCheckpoints(2)
	if paused {
		p.etcd.Pause()
	} else {
		p.etcd.Kill()
	}
	p.says(jm, "leadership is lost")
	p.awaitCommand([]string{"cluster", "status"}, "nobody else does at the moment; ")
	pass(p.ctx, t, away)
	p.says(tm, "no job manager for 30s", "no job manager takes this task manager in; it tries again")
	if paused {
		p.etcd.Resume()
	} else {
		p.restart(p.etcd)
	}
	j.awaitCheckpoints(2)
	j.finish()
}

func jobManagerAway(t *testing.T) {
	p := newPlatform(t, false)
	jm := p.jobManager(0)
	tm := p.taskManager(0)
	j := p.run("counted", longer, 1)
	j.awaitCheckpoints(2)
	jm.Kill()
	pass(p.ctx, t, away)
	p.says(tm, "lost the job manager", "no job manager for 30s", "no job manager takes this task manager in; it tries again")
	p.restart(jm)
	j.awaitCheckpoints(2)
	j.finish()
}
