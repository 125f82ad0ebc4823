package sim

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	blobmemory "millrace/blobstore/memory"
	"millrace/internal/clock"
	"millrace/jobmanager/coord/memory"
)

// world is one schedule: everything that there is, and the one loop that moves it.
type world struct {
	seed   uint64
	rng    *rand.Rand
	clock  *clock.Manual
	now    int64 // milliseconds since the beginning
	queue  events
	order  uint64
	events int
	trace  strings.Builder

	faults     faults
	cuts       map[[2]string]int64 // one way: until when nothing gets through
	healed     bool
	slowStores int64          // until when
	stalled    int64          // until when no disk of a task manager writes
	points     map[string]int // crash points passed
	crashed    map[string]int // and struck

	ctx       context.Context //nolint:containedctx // never ends: the world has no other
	etcd      *memory.Cluster
	leases    map[string]int64 // by candidate: when it was renewed
	blob      *blobmemory.Store
	kafka     *broker
	jobs      []*job // that are there, or are to be
	user      *user
	uniques   int
	jms       []*jobManager
	tms       []*taskManager
	wires     *wires
	oracle    *oracle
	over      bool
	adoptions int // by a new leader, of some or all regions
	// saw is told what a core takes and decides; nil is not.
	saw    func(*jobManager, *watched, fmt.Stringer)
	unread int // records that were there before a job that begins at the latest

	current *routine // that runs; nil for none
	remotes bool     // a call of a routine arrives
}

// event is something that happens at a time; those of one time happen in the order in which they were made.
type event struct {
	at    int64
	order uint64
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, k int) bool {
	return q[i].at < q[k].at || q[i].at == q[k].at && q[i].order < q[k].order
}
func (q events) Swap(i, k int) { q[i], q[k] = q[k], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}

// begin is the time at which every schedule begins.
var begin = time.UnixMilli(1_700_000_000_000)

func newWorld(seed uint64) *world {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x6d696c6c)), clock: clock.NewManual(begin), cuts: make(map[[2]string]int64),
		points: make(map[string]int), crashed: make(map[string]int), ctx: context.Background(), etcd: memory.NewCluster(),
		leases: make(map[string]int64),
	}
	w.blob = blobmemory.New(w.clock)
	w.kafka = newBroker(w)
	w.wires = newWires(w)
	w.user = &user{w: w}
	w.oracle = newOracle(w)
	return w
}

// after has something happen later.
func (w *world) after(millis int64, do func()) {
	w.order++
	heap.Push(&w.queue, event{w.now + max(millis, 0), w.order, do})
}

// run moves the world until it is over, a property is violated, or nothing is left to happen before the time until.
func (w *world) run(until int64) {
	for !w.over && !w.oracle.violated() && w.queue.Len() > 0 && w.queue[0].at <= until {
		e := heap.Pop(&w.queue).(event)
		w.clock.Advance(time.Duration(e.at-w.now) * time.Millisecond)
		w.now = e.at
		if w.events++; w.events > eventsMax {
			w.oracle.violate("progress", "more than %d events: something goes round in circles", eventsMax)
			return
		}
		w.happen(e.do)
	}
}

// struck is what a crash point panics with: the process dies in the middle of what it does.
type struck struct{ p *process }

func (w *world) happen(do func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case struck:
			w.kill(r.p)
		default:
			panic(r)
		}
	}()
	do()
}

// tell writes one line of the trace.
func (w *world) tell(who, format string, args ...any) {
	fmt.Fprintf(&w.trace, "%8d %-4s ", w.now, who)
	fmt.Fprintf(&w.trace, format, args...)
	w.trace.WriteByte('\n')
}

// chance is true once in n times, while there are faults.
func (w *world) chance(perMille int) bool {
	return !w.healed && perMille > 0 && w.rng.IntN(1000) < perMille
}

// unique makes a part of a key that no other key has.
func (w *world) unique() string {
	w.uniques++
	return fmt.Sprintf("%012d", w.uniques)
}

func (w *world) between(least, most int64) int64 { return least + w.rng.Int64N(most-least+1) }

// wallMillis is the right time, as everybody's wall clock would show it.
func (w *world) wallMillis() int64 { return begin.UnixMilli() + w.now }

// reaches tells whether something sent now from one place arrives at another.
func (w *world) reaches(from, to string) bool { return w.cuts[[2]string{from, to}] <= w.now }

// answers tells whether a call from one place to another has an answer.
func (w *world) answers(from, to string) bool { return w.reaches(from, to) && w.reaches(to, from) }

// latency is how long a message is on its way: short as a rule, and sometimes not.
func (w *world) latency() int64 {
	if w.chance(w.faults.delay) {
		return w.between(50, 1_500)
	}
	return w.between(0, 4)
}

// process is one life of a process. What it has set off ends with it.
type process struct {
	w        *world
	name     string
	dead     bool
	paused   int64         // until when
	skew     time.Duration // of its wall clock
	ahead    int64         // of its processing time, in milliseconds: clocks of two processes never agree
	deferred []func()      // meanwhile
	onKill   func()
	moved    func() // a routine has run; nil where nobody asks
	routines []*routine
}

// after has something happen later, if the process still lives, and when it runs.
func (p *process) after(millis int64, do func()) {
	p.w.after(millis, func() { p.whenRunning(do) })
}

// whenRunning keeps the order of what happens to a process while it is paused.
func (p *process) whenRunning(do func()) {
	switch {
	case p.dead:
	case p.paused > p.w.now || len(p.deferred) > 0:
		if p.deferred = append(p.deferred, do); len(p.deferred) == 1 {
			p.w.after(p.paused-p.w.now, p.resume)
		}
	default:
		do()
	}
}

// resume makes up for what was deferred.
func (p *process) resume() {
	if p.dead || len(p.deferred) == 0 {
		return
	}
	if p.paused > p.w.now {
		p.w.after(p.paused-p.w.now, p.resume)
		return
	}
	deferred := p.deferred
	p.deferred = nil
	for _, do := range deferred {
		if !p.dead {
			do()
		}
	}
}

func (p *process) tell(format string, args ...any) { p.w.tell(p.name, format, args...) }

// here is a crash point.
func (p *process) here(point string) {
	w := p.w
	w.points[point]++
	if w.healed && !atEnd(point) || w.now < faultsFrom {
		return
	}
	if w.faults.crashAt[point] > 0 && w.points[point]%w.faults.crashAt[point] == 0 {
		w.faults.crashAt[point] = 0
		w.crashed[point]++
		p.tell("crash at %s", point)
		panic(struck{p})
	}
	if w.faults.pauseAt[point] > 0 && w.points[point]%w.faults.pauseAt[point] == 0 {
		w.faults.pauseAt[point] = 0
		p.paused = w.now + w.between(500, 20_000)
		p.tell("paused at %s until %d", point, p.paused)
		w.sleep(0)
	}
}

func (w *world) kill(p *process) {
	if p.dead {
		return
	}
	p.dead = true
	p.tell("dies")
	p.endRoutines()
	p.onKill()
}

// Now implements clock.Clock.
func (p *process) Now() time.Time { return p.w.clock.Now().Add(p.skew) }

// NowMillis implements clock.Clock.
func (p *process) NowMillis() int64 { return p.w.clock.NowMillis() + p.ahead }

// NewTimer implements clock.Clock; nothing in the simulator waits for one.
func (p *process) NewTimer(d time.Duration) clock.Timer { return p.w.clock.NewTimer(d) }

// After implements clock.Clock. A routine waits in it: the time has come when it returns.
func (p *process) After(d time.Duration) <-chan time.Time {
	if p.w.current == nil {
		return p.w.clock.After(d)
	}
	p.w.sleep(d.Milliseconds())
	now := make(chan time.Time, 1)
	now <- p.Now()
	return now
}
