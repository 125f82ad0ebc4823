package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/checkpoint"
	"millrace/internal/crash"
	"millrace/internal/metrics"
	"millrace/jobmanager"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	"millrace/scheduler"
	"millrace/types"
)

// jobManager is one life of a job manager: it campaigns, and while it leads it has a term of package jobmanager, which it
// moves.
type jobManager struct {
	*process
	store   etcd
	blob    blobs
	metrics *metrics.Registry
	lead    coord.Leadership
	term    types.Term
	renewed int64
	engine  *jobmanager.Stepped // nil until it serves
	cancel  context.CancelFunc
	links   map[types.TaskManagerID]*link
	poked   bool
}

func (w *world) startJobManager(i int) *jobManager {
	jm := &jobManager{
		process: &process{w: w, name: "jm" + strconv.Itoa(i), ahead: w.between(0, 100_000)}, links: make(map[types.TaskManagerID]*link),
	}
	jm.store, jm.blob = etcd{w.etcd.Open(), jm.process}, blobs{w.blob, jm.process}
	var err error
	if jm.metrics, err = metrics.New(jm.process); err != nil {
		panic(err)
	}
	jm.moved = jm.poke
	jm.onKill = func() {
		jm.lead, jm.engine = nil, nil
		for _, id := range jm.linkIDs() {
			l := jm.links[id]
			w.after(w.between(1, 50), func() {
				if l.connected {
					l.breaks()
				}
			})
		}
		w.after(w.between(100, 12_000), func() { w.jms[i] = w.startJobManager(i) })
	}
	jm.tell("starts")
	jm.campaign()
	jm.keepAlive()
	jm.tick()
	return jm
}

// serves tells whether it leads, as far as it knows, and takes task managers in.
func (jm *jobManager) serves() bool { return !jm.dead && jm.lead != nil && jm.engine != nil }

func (jm *jobManager) linkIDs() []types.TaskManagerID { return slices.Sorted(maps.Keys(jm.links)) }

// campaign enters for the leadership when nobody leads.
func (jm *jobManager) campaign() {
	jm.after(jm.w.between(campaignEvery/2, campaignEvery), func() {
		defer jm.campaign()
		if jm.lead != nil || !jm.w.answers(jm.name, "etcd") {
			return
		}
		if _, err := jm.store.Leader(jm.w.ctx); err == nil { // perhaps a life before of its own
			return
		}
		lead, err := jm.store.Campaign(jm.w.ctx, jm.name)
		if err != nil {
			return
		}
		jm.lead, jm.term, jm.renewed = lead, lead.Term(), jm.w.now
		jm.w.leases[jm.name] = jm.w.now
		jm.tell("leads in term %d", jm.term)
		jm.begin()
	})
}

// begin makes the term, reads which jobs there are, and serves then.
func (jm *jobManager) begin() {
	ctx, cancel := context.WithCancel(crash.Instead(jm.w.ctx, jm.here))
	jm.cancel = cancel
	term := jm.term
	engine := jobmanager.NewStepped(ctx, jobmanager.SteppedOptions{
		Options: jobmanager.Options{
			Cluster: "sim", Address: jm.name, Coord: jm.store, Store: jm.blob, Metrics: jm.metrics, Clock: jm.process,
			Log: slog.New(journal{process: jm.process}), Policy: scheduler.Policy{AllowLower: jm.w.faults.adaptive},
			Retention: jobmanager.Retention{Age: collectAge * time.Millisecond}, Known: newKnown(jm.process), Tables: jm.tables,
		},
		Beside: jm.beside, Saw: jm.saw, Unique: jm.w.unique,
	}, term)
	jm.beside(func() {
		err := engine.Recover()
		switch {
		case jm.lead == nil || jm.term != term:
		case err != nil:
			jm.stepDown("it can't read the jobs: " + err.Error())
		default:
			jm.engine = engine
			jm.collect(engine)
		}
	})
}

// collect looks for garbage now and then.
func (jm *jobManager) collect(engine *jobmanager.Stepped) {
	jm.after(collectEvery, func() {
		if jm.engine == engine {
			jm.beside(engine.CollectGarbage)
			jm.collect(engine)
		}
	})
}

// saw writes the trace, and tells the oracle what nobody sees from outside.
func (jm *jobManager) saw(of types.JobID, what fmt.Stringer) {
	j := jm.w.oracle.of(of)
	if jm.w.saw != nil {
		jm.w.saw(jm, j, what)
	}
	switch e := what.(type) {
	case lifecycle.Tick, checkpoint.Tick:
		return
	case checkpoint.Trigger:
		j.triggered(e.ID)
	case lifecycle.AdoptRegions:
		jm.w.adoptions++
		if jm.w.faults.stall && !jm.w.healed {
			jm.w.stalled = jm.w.now + jm.w.between(stallMin, stallMax)
			jm.w.tell("sim", "no task manager's disk writes until %d", jm.w.stalled)
		}
	case checkpoint.PersistFailed:
		j.notPersisted(e.ID, e.Reason)
	case jobmanager.Restores:
		j.restores(e.From, e.Before)
	}
	if of != firstJob {
		jm.tell("%s: %s", of, what)
		return
	}
	jm.tell("%s", what)
}

// keepAlive renews the lease, and finds out when it is over.
func (jm *jobManager) keepAlive() {
	jm.after(keepAliveEvery, func() {
		defer jm.keepAlive()
		if jm.lead == nil {
			return
		}
		deaf := jm.w.faults.deaf && !jm.w.healed
		if jm.w.answers(jm.name, "etcd") {
			if !deaf {
				jm.store.Notice()
			}
			jm.renewed, jm.w.leases[jm.name] = jm.w.now, jm.w.now
		}
		if !deaf && (jm.isFenced() || jm.w.now-jm.renewed > leaseTTL) {
			jm.stepDown("its lease is over")
		}
	})
}

func (jm *jobManager) isFenced() bool {
	select {
	case <-jm.lead.Done():
		return true
	default:
		return false
	}
}

// expireLeases is etcd's side: a lease that nobody renewed ends.
func (w *world) expireLeases() {
	w.after(500, func() {
		for _, jm := range w.jms {
			if at, ok := w.leases[jm.name]; ok && w.now-at > leaseTTL {
				delete(w.leases, jm.name)
				if w.etcd.Expire(jm.name) {
					w.tell("etcd", "the lease of %s runs out", jm.name)
				}
			}
		}
		w.expireLeases()
	})
}

// stepDown ends the leadership: nothing more is done for the job, but what is decided already.
func (jm *jobManager) stepDown(why string) {
	if jm.lead == nil {
		return
	}
	jm.tell("steps down: %s", why)
	if jm.w.answers(jm.name, "etcd") && jm.lead.Resign(jm.w.ctx) == nil {
		delete(jm.w.leases, jm.name) // else it runs out
	}
	jm.cancel()
	jm.store = etcd{jm.w.etcd.Open(), jm.process}
	jm.lead, jm.engine = nil, nil
	for _, id := range jm.linkIDs() {
		if l := jm.links[id]; l.connected {
			l.breaks()
		}
	}
	clear(jm.links)
}

// tick tells the engine the time.
func (jm *jobManager) tick() {
	jm.after(driverTick, func() {
		defer jm.tick()
		if jm.serves() {
			jm.engine.Tick()
			jm.poke()
		}
	})
}

// poke has the engine take a turn soon.
func (jm *jobManager) poke() {
	if jm.poked || jm.dead || jm.lead == nil {
		return
	}
	jm.poked = true
	jm.after(jm.w.between(0, 1), jm.turn)
}

// turn lets the engine handle what has come, and carries to task managers what it says to them.
func (jm *jobManager) turn() {
	jm.poked = false
	switch {
	case jm.lead == nil:
	case jm.isFenced():
		jm.stepDown("fenced")
	case jm.engine != nil:
		jm.engine.Turn()
		for _, id := range jm.linkIDs() {
			jm.links[id].pumpDown()
		}
	}
}

// errNotServing puts a task manager off.
var errNotServing = errors.New("it does not lead")

// journal writes what an engine logs into the trace.
type journal struct {
	slog.Handler
	*process
}

// Enabled implements slog.Handler.
func (journal) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (j journal) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	j.tell("%s", text)
	if strings.HasPrefix(r.Message, "rows are not accounted for") {
		j.w.oracle.unaccounted = text
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (j journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements slog.Handler.
func (j journal) WithGroup(string) slog.Handler { return j }
