package sim

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/jobmanager"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
)

// wishes are what a user wants of the jobs of a schedule, beside their end.
type wishes struct {
	savepoints int  // that are asked for while the job runs
	rescales   int  // to any parallelism
	stop       stop // while faults strike
	second     int  // the parallelism of a second job that begins at a savepoint; 0: there is none
	last       bool // the last stop is with a savepoint
}

// stop is how the first job is stopped before its time.
type stop uint8

const (
	stopNot stop = iota
	stopSuspend
	stopDrain
)

// drawWishes decides what the user wants. Where only leaders end no task may notice more than savepoints.
func (w *world) drawWishes() wishes {
	r := w.rng
	var out wishes
	if r.IntN(3) == 0 {
		out.savepoints = 1 + r.IntN(3)
	}
	out.last = r.IntN(3) == 0
	if w.faults.stall {
		out.savepoints = 0 // one that fails leaves a sink with less room than the checkpoints that fail need
	}
	if w.faults.recreate || w.faults.shortTransactions || w.faults.takeover {
		return out
	}
	if r.IntN(8) == 0 {
		out.rescales = 1 + r.IntN(2)
	}
	switch {
	case r.IntN(8) == 0:
		out.stop = stopSuspend + stop(r.IntN(2))
		out.second = 1 + r.IntN(4)
	case out.savepoints > 0 && r.IntN(2) == 0:
		out.second = 1 + r.IntN(4)
	}
	return out
}

// user asks the leader, as a client does: requests reach it, or not, or twice, and so do answers. Who gets none asks again.
type user struct {
	w     *world
	asked []*request
	// from is the savepoint at which the second job begins, "" while nobody knows.
	from string
	// wants says that a second job is yet to begin.
	wants bool
}

// request is one that has reached a leader.
type request struct {
	what    string
	jm      *jobManager
	engine  *jobmanager.Stepped
	answers int
}

const (
	// patience is how long an answer is waited for.
	patience = 10_000
	// secondUntil is when a user who was told of no savepoint wants no second job any more.
	secondUntil = healAt + 15_000
)

// content tells whether no job is to begin any more.
func (u *user) content() bool { return !u.wants }

// begin has the user ask for everything, at some time.
func (u *user) begin() {
	w, f := u.w, u.w.faults
	u.wants = f.second > 0
	for range f.savepoints {
		w.after(w.between(faultsFrom, healAt-1_000), u.savepoint)
	}
	for range f.rescales {
		w.after(w.between(faultsFrom, healAt-1_000), func() { u.rescale(int32(1 + w.rng.IntN(4))) })
	}
	if f.stop != stopNot {
		w.after(w.between(faultsFrom, healAt-4_000), u.stop)
	} else if u.wants {
		w.after(secondUntil, u.despair)
	}
}

// despair gives a second job up: no savepoint was made.
func (u *user) despair() {
	if u.from == "" {
		u.wants = false
		u.w.over = u.w.oracle.allEnded()
	}
}

// ask has a request reach the leader and its answer the user.
func (u *user) ask(what string, send func(*jobmanager.Stepped, func(error)), then func(error)) {
	w := u.w
	if w.over {
		return
	}
	settled := false
	settle := func(next func()) {
		if !settled {
			settled = true
			next()
		}
	}
	times := 1
	if w.chance(w.faults.duplicate) {
		times = 2
	}
	jm := w.leader()
	for range times {
		jm.after(w.latency(), func() {
			if !jm.serves() || w.chance(w.faults.lost) {
				return
			}
			r := &request{what: what, jm: jm, engine: jm.engine}
			u.asked = append(u.asked, r)
			jm.tell("is asked for %s", what)
			send(jm.engine, func(err error) {
				jm.tell("answers %s: %v", what, err)
				if r.answers++; r.answers > 1 {
					w.oracle.violate("one-answer", "%s: the request for %s is answered twice", jm.name, what)
				}
				if !w.chance(w.faults.lost) {
					w.after(w.latency(), func() { settle(func() { then(err) }) })
				}
			})
			jm.poke()
		})
	}
	w.after(patience, func() { settle(func() { u.ask(what, send, then) }) })
}

// again makes another attempt later.
func (u *user) again(what func()) { u.w.after(u.w.between(300, 2_000), what) }

// first is the first job, nil once it has ended.
func (u *user) first() *watched {
	if j := u.w.oracle.jobs[0]; j.end == nil {
		return j
	}
	return nil
}

func (u *user) savepoint() {
	j := u.first()
	if j == nil || u.w.healed && u.w.now > secondUntil {
		return
	}
	var path string
	u.ask("a savepoint", func(engine *jobmanager.Stepped, answer func(error)) {
		engine.Savepoint(j.id, func(made *apiv1.SavepointDescription, err error) {
			if err == nil {
				path = made.Path
				u.w.oracle.answered(path)
			}
			answer(err)
		})
	}, func(err error) {
		switch {
		case err != nil:
			u.again(u.savepoint)
		case u.wants && u.from == "" && u.w.faults.stop == stopNot:
			u.submit(path)
		}
	})
}

func (u *user) rescale(to int32) {
	if j := u.first(); j != nil {
		u.ask("another parallelism", func(engine *jobmanager.Stepped, answer func(error)) { engine.Rescale(j.id, to, answer) }, func(err error) {
			if err != nil {
				u.again(func() { u.rescale(to) })
			}
		})
	}
}

// stop has the first job stop with a savepoint, and a second one go on from there.
func (u *user) stop() {
	j := u.first()
	if j == nil {
		return
	}
	how := lifecycle.StopRequested{Drain: u.w.faults.stop == stopDrain, Savepoint: true}
	u.ask("a stop", func(engine *jobmanager.Stepped, answer func(error)) { engine.Stop(j.id, how, answer) }, func(err error) {
		if err != nil && j.end == nil {
			u.again(u.stop)
			return
		}
		u.awaitStop(j, how)
	})
}

// awaitStop looks at the list of jobs until the first has stopped.
func (u *user) awaitStop(j *watched, how lifecycle.StopRequested) {
	switch {
	case j.end == nil:
		u.again(func() { u.awaitStop(j, how) })
	case !j.stopped():
		u.wants = false
	case len(j.savepoints) == 0 || j.savepoints[len(j.savepoints)-1].drained != how.Drain:
		u.w.oracle.violate("savepoint", "%s has stopped without the savepoint that was asked for", j.id)
	default:
		u.submit(j.savepoints[len(j.savepoints)-1].folder)
	}
}

// submit has a second job begin at a savepoint: where the first one was stopped it goes on with its output, otherwise it has one
// of its own.
func (u *user) submit(from string) {
	w := u.w
	if u.from == "" {
		u.from = from
		output := outputTopic
		if w.faults.stop == stopNot {
			output = secondTopic
		}
		second, err := newJob(w.faults, secondName, output, w.faults.second)
		must(err)
		w.jobs = append(w.jobs, second)
	}
	second := w.jobs[1]
	u.ask("a second job", func(engine *jobmanager.Stepped, answer func(error)) {
		engine.Submit(&apiv1.SubmitJobRequest{Graph: second.proto, IdempotencyKey: secondName, FromSavepoint: from},
			func(_ *apiv1.SubmitJobResponse, err error) { answer(err) })
	}, func(err error) {
		switch {
		case status.Code(err) == codes.InvalidArgument:
			w.oracle.violate("savepoint", "no job can begin at savepoint %s: %v", from, err)
		case err != nil:
			u.again(func() { u.submit(from) })
		default:
			u.wants = false
			w.over = w.oracle.allEnded()
		}
	})
}

// unanswered holds at the end: a request has an answer, unless the leadership that it came to is over.
func (u *user) unanswered() {
	for _, r := range u.asked {
		if r.answers == 0 && r.jm.serves() && r.jm.engine == r.engine {
			u.w.oracle.violate("one-answer", "%s has not answered the request for %s", r.jm.name, r.what)
		}
	}
}
