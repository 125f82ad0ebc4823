package sim

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"millrace/blobstore"
	"millrace/jobmanager/lifecycle"
)

// Result is what became of a schedule.
type Result struct {
	Seed       uint64
	Violations []Violation
	Trace      string // one line an event
	Events     int
	Simulated  time.Duration
	Bids       int
	Windows    int
	// Passed and Crashed count crash points: how often a process came to each, and how often it died there.
	Passed, Crashed map[string]int
	// Checkpoints is how many were triggered, Attempts how many were allotted.
	Checkpoints int
	// Savepoints is how many became whole, Jobs how many jobs there were.
	Savepoints, Jobs int
	Adoptions        int // by leaders that took the job over as it ran
	// Replayed is how many rows were in flight at a checkpoint and came to a task again, Moved how many of them to one of
	// another parallelism.
	Replayed, Moved int
	Ended           string // the first job's phase
}

// Run plays the schedule of a seed. The same seed of the same build has the same trace.
func Run(seed uint64) Result {
	w := newWorld(seed)
	w.drawFaults()
	w.faults.wishes = w.drawWishes()
	return w.play()
}

// play plays the schedule whose faults are drawn.
func (w *world) play() (r Result) {
	defer func() {
		if p := recover(); p != nil {
			w.oracle.violate("panic", "%v\n%s", p, debug.Stack())
			r = w.result()
		}
	}()
	w.tell("sim", "%+v", w.faults)
	first, err := newJob(w.faults, firstName, outputTopic, w.faults.parallelism)
	must(err)
	w.jobs = append(w.jobs, first)
	defer w.end()
	w.start()
	w.run(healAt + progressWithin)
	w.conclude()
	return w.result()
}

func (w *world) result() Result {
	r := Result{
		Seed: w.seed, Violations: w.oracle.broken, Trace: w.trace.String(), Events: w.events, Simulated: time.Duration(w.now) * time.Millisecond,
		Passed: w.points, Crashed: w.crashed, Windows: len(w.oracle.model), Ended: "running",
		Adoptions: w.adoptions,
		Replayed:  w.oracle.replayed, Moved: w.oracle.moved,
	}
	for i, j := range w.oracle.jobs {
		r.Checkpoints += len(j.trigger)
		r.Savepoints += len(j.savepoints)
		if i == 0 && j.end != nil {
			r.Ended = j.end.Phase.String()
		}
	}
	r.Jobs = len(w.oracle.jobs)
	for _, f := range w.oracle.model {
		r.Bids += int(f.bids) + len(f.late)
	}
	return r
}

func (w *world) start() {
	w.kafka.create(inputTopic, partitionsEach)
	w.oracle.firstInput = w.kafka.topics[inputTopic].id
	for n := range w.faults.regions {
		w.kafka.create(w.jobs[0].topic(n), 2)
		w.kafka.create(fmt.Sprint(secondTopic, n), 2)
	}
	w.submit(w.jobs[0])
	for i := range jobManagers {
		w.jms = append(w.jms, w.startJobManager(i))
	}
	for i := range taskManagers {
		w.tms = append(w.tms, w.startTaskManager(i, 0))
	}
	w.expireLeases()
	w.oracle.watch()
	in := &input{w: w, highest: make(map[int]int64)}
	in.begin()
	w.scheduleStrikes()
	w.user.begin()
	w.stopWhenRead()
}

// end unwinds what still waits.
func (w *world) end() {
	for _, p := range w.processes() {
		p.endRoutines()
	}
}

// input writes bids.
type input struct {
	w       *world
	highest map[int]int64 // event time, by partition
	extra   int64
}

// begin writes, before a job that begins at the latest offsets, bids that it must not read, and bids behind those as soon
// as the job has resolved where it begins.
func (in *input) begin() {
	w := in.w
	if w.faults.fromLatest {
		for p := range partitionsEach {
			for range w.rng.IntN(5) {
				w.kafka.append(inputTopic, p, record{value: bid(1, 1, w.wallMillis())})
				w.unread++
			}
		}
	}
	in.await()
}

func (in *input) await() {
	w := in.w
	w.after(50, func() {
		entries, err := w.etcd.Open().List(w.ctx, w.jobs[0].keys.EnumeratorPrefix())
		if w.faults.fromLatest && (err != nil || len(entries) < w.faults.regions) {
			in.await()
			return
		}
		in.next()
	})
}

func (in *input) next() {
	w := in.w
	if w.now > healAt+1_000 {
		return
	}
	in.write()
	w.after(w.between(20, 120), in.next)
}

// write adds one bid, and notes in the model what must become of it. A bid that is behind the partition's watermark may be
// too late, and so may one of a partition that was added when event time had gone on without it.
func (in *input) write() {
	w := in.w
	p := w.rng.IntN(len(w.kafka.topics[inputTopic].partitions))
	auction, price := 1+w.rng.Int64N(auctions), 1+w.rng.Int64N(1_000)
	at := w.wallMillis() - w.rng.Int64N(delayMillis)
	late := false
	switch {
	case p >= partitionsEach:
		in.extra++
		auction, late = 1_000+in.extra, true
	case w.rng.IntN(20) == 0:
		before := at - delayMillis - w.rng.Int64N(3*windowMillis)
		if f := w.oracle.model[windowKey{auction, before - before%windowMillis}]; f == nil || len(f.late) < 4 {
			at, late = before, true
		}
	}
	w.kafka.append(inputTopic, p, record{value: bid(auction, price, at)})
	w.oracle.model.add(auction, price, at, late)
}

func bid(auction, price, millis int64) []byte {
	return fmt.Appendf(nil, `{"auction":%d,"price":%d,"time":%q}`, auction, price, time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05.000"))
}

// stopWhenRead is the user: when everything is read and a checkpoint has it, they stop a job, with drain.
func (w *world) stopWhenRead() {
	w.after(500, func() {
		for _, j := range w.oracle.jobs {
			// The first one goes on until it is known whether there is a savepoint for a second.
			if w.now < healAt+1_500 || j.end != nil || w.user.wants && w.user.from == "" || !j.hasReadAll() {
				continue
			}
			for _, jm := range w.jms {
				if jm.serves() {
					jm.engine.Stop(j.id, lifecycle.StopRequested{Drain: true, Savepoint: w.faults.last}, func(error) {})
					jm.poke()
				}
			}
		}
		w.stopWhenRead()
	})
}

func (j *watched) hasReadAll() bool {
	w := j.o.w
	for n := range w.faults.regions {
		for i, p := range w.kafka.topics[inputTopic].partitions {
			at, known := j.position[fmt.Sprintf("bids-%d/%s-%d", n, inputTopic, i)]
			if at != int64(len(p.records)) || !known {
				return false
			}
		}
	}
	return true
}

// conclude looks at what is left when the job has ended.
func (w *world) conclude() {
	o := w.oracle
	if o.violated() {
		return
	}
	stopped := true
	for _, j := range o.jobs {
		if j.end == nil {
			o.violate("progress", "job %s has not ended %d ms after everything was healed", j.id, w.now-healAt)
			return
		}
		if stopped = stopped && j.stopped(); !j.stopped() && !o.recreated && !o.timedOut {
			o.violate("job-goes-on", "job %s has ended as %s: %s", j.id, j.end.Phase, j.end.Failure)
			return
		}
		if o.readsOn(j); o.violated() {
			return
		}
	}
	if !w.user.content() {
		o.violate("progress", "no second job has begun")
		return
	}
	w.over, w.healed = false, true
	w.run(w.now + 3_000)
	ids := w.kafka.openTransactions()
	if own := slices.DeleteFunc(slices.Clone(ids), o.isZombie); stopped && len(own) > 0 {
		o.violate("no-open-transaction", "%v", own)
	}
	if len(ids) > 0 {
		w.run(w.now + transactionMax + 1_000)
	}
	if ids = w.kafka.openTransactions(); len(ids) > 0 {
		o.violate("no-open-transaction", "even behind their timeout: %v", ids)
	}
	if w.faults.takeover {
		o.noGap()
	}
	for _, j := range o.jobs {
		j.committedBehind()
	}
	w.user.unanswered()
	o.outputs()
	if o.violated() {
		return // nothing moves any more
	}
	w.collectAtEnd()
	if o.unaccounted != "" && !o.violated() {
		o.violate("rows-accounted", "%s", o.unaccounted)
	}
}

// collectAtEnd has another leader collect the garbage of the job that has ended: nothing else is left, and nothing needed is
// gone. The one before may have looked before some process woke up that wrote what nobody needs any more.
func (w *world) collectAtEnd() {
	clear(w.cuts)
	for _, jm := range w.jms {
		if jm.lead != nil {
			jm.stepDown("the job has ended")
		}
	}
	asked, collected := false, false
	until := w.now + 2*leaseTTL
	for at := w.now; !collected && at < until; at += 50 {
		for _, jm := range w.jms {
			if engine := jm.engine; jm.serves() && !asked {
				asked = true
				jm.beside(func() {
					engine.CollectGarbage()
					collected = true
				})
			}
		}
		w.run(at)
	}
	needed, err := w.oracle.neededAtEnd()
	if err != nil {
		w.oracle.violate("garbage", "%v", err)
		return
	}
	left := 0
	for info, err := range blobstore.Walk(w.ctx, w.blob, "") {
		if err != nil || !needed[info.Key] && !isUsers(info.Key) {
			w.oracle.violate("garbage", "%s is left: %v", info.Key, err)
			return
		}
		if needed[info.Key] {
			left++
		}
	}
	if left != len(needed) {
		w.oracle.violate("garbage", "%d objects are needed, %d are there", len(needed), left)
	}
}
