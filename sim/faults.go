package sim

import (
	"slices"
	"time"

	"millrace/internal/crash"
)

// faults is what a seed has in store. Rates are per mille of the calls concerned.
type faults struct {
	delay     int // a message takes long
	breaks    int // a control stream breaks, with what is on its way
	duplicate int // a control message comes twice
	etcd      int // a call fails, or its answer is lost
	blob      int // the same, and torn objects
	slow      int // a write takes seconds
	kafka     int // a call fails, or its answer is lost
	lost      int // a user's request does not arrive, or its answer
	produce   int // a produce fails for good
	crashAt   map[string]int
	pauseAt   map[string]int // a pause until the lease is over

	shortTransactions bool // that time out
	recreate          bool // the input topic is deleted and created again
	fromLatest        bool // the job begins at the latest offsets
	deaf              bool // a leader does not find out by itself that its lease is over
	regions           int  // of the job
	parallelism       int
	adaptive          bool // fewer slots will do
	takeover          bool // nothing goes wrong but that leaders end: no task may notice
	stall             bool // and that no disk writes for a while behind a takeover: what is complete is committed all the same
	unaligned         bool // barriers overtake
	alignedMillis     int  // how long they wait before
	slowSink          int  // of how many per mille of the writes a sink takes long before it takes more

	tiering tiering
	wishes
}

// points are all that there are.
var points = crash.All()

// atEnd tells whether a job passes a point when it ends only, behind all other faults.
func atEnd(point string) bool { return point == crash.InFinalCheckpoint || point == crash.BeforeRecord }

// mostPasses is at which of its passes a point strikes at the latest: some of them a job comes to once or twice, if at all.
func mostPasses(point string) int {
	switch {
	case atEnd(point):
		return 1
	case slices.Contains(crash.SavepointPoints[1:], point):
		return 2
	default:
		return 6
	}
}

// drawFaults decides what will go wrong, and what the job is. A third of the rates are zero in each schedule, so that what the
// others do without them is seen too.
func (w *world) drawFaults() {
	r := w.rng
	rate := func(most int) int {
		if r.IntN(3) == 0 {
			return 0
		}
		return r.IntN(most + 1)
	}
	w.faults = faults{
		delay: rate(60), breaks: rate(15), duplicate: rate(60), etcd: rate(120), blob: rate(120), slow: rate(120), kafka: rate(120), lost: rate(200),
		produce: rate(4), crashAt: make(map[string]int), pauseAt: make(map[string]int),
		shortTransactions: r.IntN(25) == 0, recreate: r.IntN(25) == 0, fromLatest: r.IntN(3) == 0, deaf: r.IntN(3) == 0,
		regions: 1 + r.IntN(2), parallelism: 1 + r.IntN(4), adaptive: r.IntN(2) == 0,
	}
	if r.IntN(8) == 0 {
		f := w.faults
		w.faults = faults{
			takeover: true, fromLatest: f.fromLatest, regions: f.regions, parallelism: f.parallelism,
			crashAt: make(map[string]int), pauseAt: make(map[string]int),
		}
		switch r.IntN(4) {
		case 0:
			w.faults.stall = true
			w.faults.crashAt[crash.AfterComplete] = 3 + r.IntN(6)
		case 1, 2:
			ends := []string{crash.BeforeManifest, crash.BeforeComplete, crash.AfterComplete}
			w.faults.crashAt[ends[r.IntN(len(ends))]] = 3 + r.IntN(6)
		}
		return
	}
	if r.IntN(4) == 0 {
		w.faults.tiering = evicted + tiering(r.IntN(3))
	}
	if w.faults.unaligned = r.IntN(2) == 0; w.faults.unaligned {
		w.faults.alignedMillis = []int{0, 20, 200}[r.IntN(3)]
		w.faults.slowSink = rate(900)
	}
	for _, point := range points {
		if r.IntN(3) == 0 {
			w.faults.crashAt[point] = 1 + r.IntN(mostPasses(point))
		}
	}
	for _, point := range []string{crash.BeforeManifest, crash.BeforeComplete, crash.BeforeCommit} {
		if r.IntN(6) == 0 {
			w.faults.pauseAt[point] = 1 + r.IntN(6)
		}
	}
}

// strikes are the disasters that no call sets off.
var strikes = []func(*world){
	(*world).strikeKillTaskManager, (*world).strikeKillTaskManager, (*world).strikeKillAllTaskManagers, (*world).strikeKillLeader,
	(*world).strikePause, (*world).strikePauseLeader, (*world).strikePartition, (*world).strikePartition, (*world).strikeLease,
	(*world).strikeClock, (*world).strikePartitions, (*world).strikeEtcd, (*world).strikeBlob, (*world).strikeKafka,
	(*world).strikeSlowDisk, (*world).strikeSlowStores,
}

// endings are the disasters that only end a leadership.
var endings = []func(*world){(*world).strikeKillLeader, (*world).strikeLongPause, (*world).strikeCutLeader, (*world).strikeLease}

// scheduleStrikes spreads some disasters over the time of faults.
func (w *world) scheduleStrikes() {
	w.after(healAt, w.heal)
	if w.faults.stall || w.saw != nil {
		return // the leader dies at its crash point, or where a test says so
	}
	if w.faults.takeover {
		for range 1 + w.rng.IntN(3) {
			strike := endings[w.rng.IntN(len(endings))]
			w.after(w.between(faultsFrom+3_000, healAt-leaseTTL-endingMax), func() {
				// All tasks have run, and one thing goes wrong at a time: a leader that can't learn that it has lost its lease keeps task
				// managers for longer than the next one waits for them.
				if jm := w.leader(); w.oracle.jobs[0].latest != nil && jm.paused <= w.now && w.answers(jm.name, "etcd") && w.holdsLease(jm) {
					strike(w)
				}
			})
		}
		return
	}
	for range w.rng.IntN(7) {
		strike := strikes[w.rng.IntN(len(strikes))]
		w.after(w.between(faultsFrom, healAt-2_000), func() { strike(w) })
	}
	if w.faults.recreate {
		w.after(w.between(faultsFrom, healAt-2_000), func() { w.kafka.recreate(inputTopic) })
	}
}

// heal ends all faults: whatever is dead is started, whatever is cut is whole.
func (w *world) heal() {
	w.tell("sim", "heal")
	w.healed = true
	clear(w.cuts)
	for _, p := range w.processes() {
		p.paused = 0
		w.after(0, p.resume)
	}
}

func (w *world) strikeKillTaskManager() { w.kill(w.tms[w.rng.IntN(len(w.tms))].process) }

func (w *world) strikeKillAllTaskManagers() {
	for _, tm := range w.tms {
		w.kill(tm.process)
	}
}

func (w *world) leader() *jobManager {
	for _, jm := range w.jms {
		if jm.lead != nil && !jm.dead {
			return jm
		}
	}
	return w.jms[0]
}

// holdsLease tells whether a job manager leads not only by its own account.
func (w *world) holdsLease(jm *jobManager) bool {
	l, err := w.etcd.Open().Leader(w.ctx)
	return err == nil && jm.lead != nil && l.Term == jm.term
}

func (w *world) strikeKillLeader() { w.kill(w.leader().process) }

func (w *world) pause(p *process) {
	p.paused = w.now + w.between(200, 20_000)
	p.tell("paused until %d", p.paused)
}

// strikeLongPause lasts until the lease is over: a leader that comes back sooner finds that task managers were silent for it.
func (w *world) strikeLongPause() {
	p := w.leader().process
	p.paused = w.now + leaseTTL + w.between(2_000, endingMax)
	p.tell("paused until %d", p.paused)
}

// strikeCutLeader cuts the leader off from etcd, until its lease is over.
func (w *world) strikeCutLeader() {
	name := w.leader().name
	w.tell("sim", "%s can't reach etcd", name)
	w.cuts[[2]string{name, "etcd"}] = w.now + leaseTTL + w.between(2_000, endingMax)
}

func (w *world) strikePause()       { w.pause(w.tms[w.rng.IntN(len(w.tms))].process) }
func (w *world) strikePauseLeader() { w.pause(w.leader().process) }

// strikePartition cuts one process off from some others and the stores, one way or both.
func (w *world) strikePartition() {
	places := []string{"etcd", "blob", "kafka"}
	for _, jm := range w.jms {
		places = append(places, jm.name)
	}
	for _, tm := range w.tms {
		places = append(places, tm.name)
	}
	one := places[w.rng.IntN(len(places))]
	until, ways := w.now+w.between(300, 12_000), w.rng.IntN(3)
	for _, other := range places {
		if other == one || w.rng.IntN(2) == 0 {
			continue
		}
		if ways != 0 {
			w.cuts[[2]string{one, other}] = until
		}
		if ways != 1 {
			w.cuts[[2]string{other, one}] = until
		}
		w.tell("sim", "cut %s and %s, ways %d, until %d", one, other, ways, until)
	}
}

func (w *world) cutAll(place string, until int64) {
	w.tell("sim", "%s is away until %d", place, until)
	for _, jm := range w.jms {
		w.cuts[[2]string{jm.name, place}] = until
	}
	for _, tm := range w.tms {
		w.cuts[[2]string{tm.name, place}] = until
	}
}

func (w *world) strikeEtcd()  { w.cutAll("etcd", w.now+w.between(300, 6_000)) }
func (w *world) strikeBlob()  { w.cutAll("blob", w.now+w.between(300, 12_000)) }
func (w *world) strikeKafka() { w.cutAll("kafka", w.now+w.between(300, 8_000)) }

// strikeSlowDisk has a task manager's disk write slowly for a while.
func (w *world) strikeSlowDisk() {
	tm := w.tms[w.rng.IntN(len(w.tms))]
	tm.slowDisk = w.now + w.between(2_000, 15_000)
	tm.tell("its disk is slow until %d", tm.slowDisk)
}

// strikeSlowStores has the disks of etcd and of the blob store write slowly for a while: calls take seconds.
func (w *world) strikeSlowStores() {
	w.slowStores = w.now + w.between(1_000, 8_000)
	w.tell("sim", "stores are slow until %d", w.slowStores)
}

// strikeLease ends the leader's lease while it lives.
func (w *world) strikeLease() {
	if jm := w.leader(); jm.lead != nil {
		w.tell("sim", "the lease of %s is revoked", jm.name)
		w.etcd.Expire(jm.name)
	}
}

// strikeClock steps the wall clocks.
func (w *world) strikeClock() {
	for _, p := range w.processes() {
		if w.rng.IntN(2) == 0 {
			p.skew = time.Duration(w.between(-3_600_000, 3_600_000)) * time.Millisecond
			p.tell("clock jumps by %s", p.skew)
		}
	}
}

func (w *world) processes() []*process {
	var out []*process
	for _, jm := range w.jms {
		out = append(out, jm.process)
	}
	for _, tm := range w.tms {
		out = append(out, tm.process)
	}
	return out
}

func (w *world) strikePartitions() { w.kafka.addPartition(inputTopic) }
