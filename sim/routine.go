package sim

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
)

// routine is code of a process that blocks: it runs in the loop of its world all the same, one piece between two waits at a
// time, and whatever else happens may come between. It is a coroutine, so that which one runs is never the choice of Go's
// scheduler.
type routine struct {
	p     *process
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	// doubt ends the context of the call to Kafka that is under way; nil while there is none.
	doubt func()
	gone  bool // with its process
}

// unwound is what a routine panics with whose process has died.
type unwound struct{}

// beside has f run as a routine of the process. It ends with the process.
func (p *process) beside(f func()) {
	r := &routine{p: p}
	r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		r.yield = yield
		defer func() {
			e := recover()
			switch _, bug := e.(runtime.Error); {
			case e == nil, r.gone: // ended, or unwound
			case bug:
				panic(fmt.Sprintf("%v, in a routine:\n%s", e, debug.Stack())) // a coroutine's own stack is lost outside
			default:
				panic(e)
			}
		}()
		f()
	})
	p.routines = append(p.routines, r)
	p.after(0, r.run)
}

// run lets it go on until it waits, or ends.
func (r *routine) run() {
	w, more := r.p.w, false
	before := w.current
	w.current = r
	defer func() {
		w.current = before
		if !more {
			r.p.forget(r)
		}
		if r.p.moved != nil {
			r.p.moved()
		}
	}()
	_, more = r.next()
}

func (p *process) forget(r *routine) {
	for i, other := range p.routines {
		if other == r {
			p.routines = append(p.routines[:i], p.routines[i+1:]...)
			return
		}
	}
}

// endRoutines unwinds all routines of a process that is dead, or of a world that is over.
func (p *process) endRoutines() {
	for _, r := range p.routines {
		r.gone = true
		r.stop()
	}
	p.routines = nil
}

// park waits until somebody lets it run.
func (r *routine) park() {
	if !r.yield(struct{}{}) {
		panic(unwound{})
	}
}

// sleep waits for some time of the simulation, where a routine runs.
func (w *world) sleep(millis int64) {
	if r := w.current; r != nil {
		r.p.after(millis, r.run)
		r.park()
	}
}

// storeLatency is how long a store thinks: not at all, as a rule.
func (w *world) storeLatency() int64 {
	if w.slowStores > w.now && !w.healed {
		return w.between(100, 2_500)
	}
	return 0
}

// during returns the context of a call that is on its way: one that has ended ends no call of a routine, it comes too late.
// Those with deadlines go by the real clock, which has no part in a schedule.
func (p *process) during(ctx context.Context) context.Context {
	if p.w.remotes {
		return p.w.ctx
	}
	return ctx
}

// remote does something at another place. Where a routine asks for it the way takes a while, there and back: calls of one
// process overtake each other, and one that is on its way arrives also when its process is paused or dead meanwhile.
func (p *process) remote(do func()) {
	w := p.w
	r := w.current
	if r == nil {
		do()
		return
	}
	w.after(w.latency()+w.storeLatency(), func() {
		w.remotes = true
		do()
		w.remotes = false
		p.after(w.latency(), r.run)
	})
	r.park()
}
