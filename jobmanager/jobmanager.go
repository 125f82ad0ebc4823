package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/blobstore"
	"millrace/checkpoint"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/jobmanager/coord"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/scheduler"
	"millrace/types"
)

// Options say for which cluster a job manager works, and with what.
type Options struct {
	Cluster string
	// Address is where clients and task managers reach this job manager.
	Address string
	Version string
	Coord   coord.Store
	Store   blobstore.Store
	// Place is how people name Store, before the keys of its objects.
	Place string
	// Probe finds out whether Store may be trusted; nil is blobstore.Probe.
	Probe func(context.Context) error
	// Known has the sources, sinks and functions that graphs may name.
	Known jobgraph.Known
	// CheckJob refuses valid graphs that no cluster should run, such as sinks
	// whose transactions end before their checkpoints may; nil refuses none.
	CheckJob func(*jobgraph.Graph) error
	// Tables tells what becomes of the tables in the files of a vertex' task when a
	// job starts from them with a graph that may lack the vertex. Without files every
	// table is new. nil tells nothing.
	Tables func(ctx context.Context, g *jobgraph.Graph, v types.VertexID, files []*checkpointv1.StateFile) ([]checkpoint.TableFate, error)
	Policy scheduler.Policy
	// Rescale says how readily jobs change their parallelism by themselves.
	Rescale RescaleOptions
	// Retention bounds what is kept of ended jobs.
	Retention Retention
	// Scrub says how often files of checkpoints are examined.
	Scrub Scrub
	// Dial tries whether anybody listens at the data address of a task manager whose
	// connection broke; nil opens a TCP connection and closes it.
	Dial    func(ctx context.Context, address string) error
	Metrics *metrics.Registry
	Clock   clock.Clock
	Log     *slog.Logger
}

// JobManager leads a cluster, or waits to. It serves both gRPC services at any
// time; while it does not lead, their calls are Unavailable.
type JobManager struct {
	controlv1.UnimplementedControlServiceServer
	apiv1.UnimplementedJobServiceServer
	apiv1.UnimplementedClusterServiceServer
	Options
	// fetching has an element for each who reads results now.
	fetching chan struct{}
	mu       struct {
		sync.Mutex
		lead *leadership
		// trouble is what keeps this job manager from leading, "" if nothing is known.
		trouble string
	}
}

// New returns a job manager; Run makes it campaign.
func New(o Options) *JobManager {
	if o.Probe == nil {
		o.Probe = func(ctx context.Context) error { return blobstore.Probe(ctx, o.Store) }
	}
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	// It is published from now on, not only when there is something to count.
	o.Coord = refusals{o.Coord, &o.Metrics.JobManager().RefusedWrites, o.Log}
	return &JobManager{Options: o, fetching: make(chan struct{}, fetchesMax)}
}

// leading returns the leadership, nil while there is none.
func (j *JobManager) leading() *leadership {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.lead
}

// setTrouble says what keeps this job manager from leading; "" if nothing does.
func (j *JobManager) setTrouble(text string) {
	j.mu.Lock()
	j.mu.trouble = text
	j.mu.Unlock()
}

func (j *JobManager) trouble() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.trouble
}

// elapsed is the time by which task managers are judged silent: it never jumps.
func (j *JobManager) elapsed() time.Time { return time.UnixMilli(j.Clock.NowMillis()) }

func (j *JobManager) setLeading(l *leadership) {
	j.mu.Lock()
	j.mu.lead = l
	j.mu.Unlock()
}

// Run campaigns and leads, again and again, until the context ends. It returns
// early only with what no waiting mends: a blob store that can't be trusted, or
// that belongs to another cluster.
func (j *JobManager) Run(ctx context.Context) error {
	warn := func(err error) {
		if err == nil {
			j.setTrouble("")
			return
		}
		j.setTrouble("the blob store is tried again: " + err.Error())
		j.Log.Warn("the blob store is tried again", "cause", err)
	}
	err := patiently(ctx, j.Clock, warn, func() error { return j.Probe(ctx) })
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	for wait := storeRetryMin; ctx.Err() == nil; wait = min(2*wait, storeRetryMax) {
		won, err := j.Coord.Campaign(ctx, j.Address)
		if err == nil {
			wait = storeRetryMin
			j.setTrouble("")
			err = j.lead(ctx, won)
		}
		if failure.ClassOf(err).Domain == failure.DomainUser {
			return err
		}
		if err != nil && ctx.Err() == nil {
			j.setTrouble("it campaigns again: " + err.Error())
			j.Log.Warn("campaigns again", "in", wait, "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-j.Clock.After(wait):
		}
	}
	return nil
}

// leadership is one term of this job manager.
type leadership struct {
	since    time.Time
	jm       *JobManager
	term     types.Term
	cluster  string // its identity
	registry *registry
	garbage  *collector
	ctx      context.Context
	wait     sync.WaitGroup
	// beside has something done that may block, on a goroutine that wait waits for; carry has a driver run until its job or
	// the leadership ends. Stepped has its own, and saw, which is told what cores take and decide; nil tells nobody.
	beside func(func())
	carry  func(*driver)
	saw    func(types.JobID, fmt.Stringer)
	// unique returns a part of a key that no other key has.
	unique func() string
	// reads is how many files are read at a time where a checkpoint is verified.
	reads int
	mu    struct {
		sync.Mutex
		drivers map[types.JobID]*driver
		// ended has what clients see of jobs that have no driver any more.
		ended map[types.JobID]*view
	}
}

func (j *JobManager) newLeadership(ctx context.Context, term types.Term) *leadership {
	l := &leadership{since: j.Clock.Now(), jm: j, term: term, ctx: ctx, reads: verifyReadsMax, unique: newID}
	l.registry = newRegistry(l.term, j.Clock, j.Dial)
	l.mu.drivers, l.mu.ended = make(map[types.JobID]*driver), make(map[types.JobID]*view)
	l.garbage = newCollector(l)
	l.registry.changed = func() { l.toAll(slotsChanged{}) }
	l.registry.lost = func(id types.TaskManagerID, why string) {
		j.Log.Warn("task manager lost", "id", id, "why", why)
		l.toAll(taskManagerLost{id, why})
	}
	l.beside = func(f func()) { l.wait.Go(f) }
	l.carry = func(d *driver) {
		l.wait.Go(func() {
			d.run(l.ctx)
			d.deletions.Wait()
			l.carried(d)
		})
	}
	return l
}

// lead recovers every job and serves until the leadership or the context ends.
func (j *JobManager) lead(ctx context.Context, won coord.Leadership) error {
	ctx, cancel := context.WithCancel(ctx)
	l := j.newLeadership(ctx, won.Term())
	defer func() {
		j.setLeading(nil)
		cancel()
		l.wait.Wait()
		resign, done := context.WithTimeout(context.Background(), storeTimeout)
		defer done()
		_ = won.Resign(resign)
	}()
	if err := j.identify(ctx, l.term); err != nil {
		return err
	}
	var err error
	if l.cluster, err = j.clusterIdentity(ctx, l.term); err != nil {
		return fmt.Errorf("identity of the cluster: %w", err)
	}
	if err := l.recover(); err != nil {
		return fmt.Errorf("recover jobs: %w", err)
	}
	l.wait.Go(func() { l.garbage.run(ctx) })
	l.wait.Go(func() { newScrubber(l).run(ctx) })
	j.setLeading(l)
	j.Log.Info("leads", "term", l.term, "address", j.Address)
	for {
		select {
		case <-won.Done():
			return errors.New("leadership is lost")
		case <-ctx.Done():
			return nil
		case <-j.Clock.After(HeartbeatInterval):
			l.registry.expire(j.elapsed())
		}
	}
}

// recover starts a driver for every job that has not ended, and remembers the others.
func (l *leadership) recover() error {
	entries, err := l.jm.Coord.List(l.ctx, coord.JobsPrefix())
	if err != nil {
		return err
	}
	for _, e := range entries {
		k, err := coord.ParseJobKey(e.Key)
		if err != nil || k.Field != coord.FieldState {
			continue
		}
		store, err := newJobStore(l.jm.Coord, l.jm.Store, l.term, k.Job)
		if err != nil {
			return err
		}
		rec, _, err := store.record(l.ctx)
		if err != nil {
			return err
		}
		if terminal(rec.Phase) {
			l.remember(rec)
			continue
		}
		if err := l.start(store, rec); err != nil {
			return fmt.Errorf("job %s: %w", k.Job, err)
		}
	}
	return nil
}

// start gives a job its driver, until it has ended.
func (l *leadership) start(store *jobStore, rec *checkpointv1.JobRecord) error {
	d, err := newDriver(l, store, rec)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.mu.drivers[store.job] = d
	l.mu.Unlock()
	l.carry(d)
	return nil
}

// carried takes a driver back whose job or leadership has ended.
func (l *leadership) carried(d *driver) {
	if d.over() {
		l.registry.release(d.store.job) // of what was reserved for it meanwhile
		l.settled(d)
	}
}

func (l *leadership) driver(id types.JobID) *driver {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.drivers[id]
}

// drivers returns the driver of every job that has not ended, in the order of their jobs.
func (l *leadership) drivers() []*driver {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*driver, 0, len(l.mu.drivers))
	for _, id := range slices.Sorted(maps.Keys(l.mu.drivers)) {
		out = append(out, l.mu.drivers[id])
	}
	return out
}

func (l *leadership) toDriver(id types.JobID, e any) {
	if d := l.driver(id); d != nil {
		d.post(e)
	}
}

func (l *leadership) toAll(e any) {
	for _, d := range l.drivers() {
		d.post(e)
	}
}

// patiently calls f until it succeeds or fails in a way that waiting does not
// help. It tells trouble what is the matter in the meantime.
func patiently(ctx context.Context, c clock.Clock, trouble func(error), f func() error) error {
	for wait := storeRetryMin; ; wait = min(2*wait, storeRetryMax) {
		err := f()
		if err == nil || !worthWaiting(err) || ctx.Err() != nil {
			trouble(nil)
			return err
		}
		trouble(err)
		select {
		case <-ctx.Done():
		case <-c.After(wait):
		}
		if ctx.Err() != nil { // also where both were ready: what follows must not be chance
			return ctx.Err()
		}
	}
}
