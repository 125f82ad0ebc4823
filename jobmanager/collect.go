package jobmanager

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"millrace/checkpoint"
	"millrace/failure"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/garbage"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Retention says what is kept of jobs and how soon the rest goes. Zero fields
// have defaults.
type Retention struct {
	// EndedJobs is how many jobs that have ended are remembered; 256 by default.
	// Of the oldest beyond that everything is deleted, savepoints excepted. Worst
	// case: a job that failed, and whose checkpoint somebody still wants, is
	// forgotten behind so many others.
	EndedJobs int
	// Interval is how often garbage is looked for, which lists every job's objects;
	// 10 minutes by default. A job that ends is looked at at once.
	Interval time.Duration
	// Age is how old garbage of a running job must be; an hour by default.
	Age time.Duration
}

func (r *Retention) ensureDefaults() {
	if r.EndedJobs == 0 {
		r.EndedJobs = endedJobsDefault
	}
	if r.Interval == 0 {
		r.Interval = sweepIntervalDefault
	}
	if r.Age == 0 {
		r.Age = sweepAgeDefault
	}
}

// collector deletes what nobody needs: the garbage of every job, and the oldest
// ended jobs. It has one goroutine a term; package garbage says why it doesn't
// matter where that stops, and that another may be at it.
type collector struct {
	Retention
	l *leadership
	// ended brings jobs that end. A job that finds it full is swept in the next
	// round.
	ended chan types.JobID
	// clean has the ended jobs that nobody can have added to since the last sweep.
	clean map[types.JobID]bool
}

func newCollector(l *leadership) *collector {
	c := &collector{Retention: l.jm.Retention, l: l, ended: make(chan types.JobID, endedQueueMax), clean: make(map[types.JobID]bool)}
	c.ensureDefaults()
	return c
}

// run is the collector's goroutine.
func (c *collector) run(ctx context.Context) {
	c.round(ctx)
	next := c.l.jm.Clock.After(c.Interval)
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-c.ended:
			c.sweep(ctx, id)
			c.forgetOldest(ctx)
		case <-next:
			c.round(ctx)
			next = c.l.jm.Clock.After(c.Interval)
		}
	}
}

func (c *collector) round(ctx context.Context) {
	c.forgetOldest(ctx)
	for _, id := range c.l.ids() {
		if !c.clean[id] && ctx.Err() == nil {
			c.sweep(ctx, id)
		}
	}
}

// sweep deletes the garbage of one job. What does not work now is tried again
// in the next round.
func (c *collector) sweep(ctx context.Context, id types.JobID) {
	s, err := newJobStore(c.l.jm.Coord, c.l.jm.Store, c.l.term, id)
	if err != nil {
		return
	}
	now := c.l.jm.Clock.Now()
	rec, _, err := s.record(ctx)
	if err == nil {
		err = c.delete(ctx, s, func() (*garbage.Roots, error) { return s.roots(ctx, rec, now.Add(-c.Age)) })
	}
	if err != nil && ctx.Err() == nil {
		c.l.jm.Log.Warn("garbage is not collected", "job", id, "cause", err)
	}
	late := rec != nil && terminal(rec.Phase) && now.Sub(time.UnixMilli(rec.EndedUnixMillis)) > c.Age
	if late && (err == nil || failure.ClassOf(err).Retry == failure.Never) {
		c.clean[id] = true
	}
}

func (c *collector) delete(ctx context.Context, s *jobStore, roots func() (*garbage.Roots, error)) error {
	for {
		r, err := roots()
		if err != nil {
			return err
		}
		done, err := garbage.Sweep(ctx, s.blob, r, s.leads)
		if done.Deleted > 0 {
			c.l.jm.Log.Info("garbage collected", "job", s.job, "objects", done.Deleted, "bytes", done.Bytes)
		}
		if err != nil || !done.More {
			return err
		}
	}
}

// leads is ErrFenced once another leader has begun.
func (s *jobStore) leads(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.coord.Txn(ctx, s.term, nil, nil)
}

// roots reads what the job may still need, in the order that package garbage
// asks for.
func (s *jobStore) roots(ctx context.Context, rec *checkpointv1.JobRecord, oldBefore time.Time) (*garbage.Roots, error) {
	r := &garbage.Roots{
		Job: s.job, Ended: terminal(rec.Phase), OldBefore: oldBefore, Needed: map[string]bool{rec.GraphObject: true},
	}
	if r.Ended {
		r.OldBefore = distantFuture
	}
	n, _, err := s.number(ctx, s.keys.AttemptFloor())
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	r.Attempt = types.Attempt(n)
	l, _, err := s.latest(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range kept(rec.Phase, retainedOf(l)) {
		m, err := s.manifest(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("nothing is deleted, since a checkpoint is not readable: %w", err)
		}
		r.Needed[p.ManifestKey] = true
		for file := range checkpoint.Objects(m) {
			r.Needed[file.GetObject()] = true
		}
	}
	return r, nil
}

// distantFuture makes every object old: nothing of a job that has ended is on
// its way into a manifest.
var distantFuture = time.Unix(1<<40, 0)

// kept returns the retained checkpoints that are kept in a phase: of a job that
// has finished or was cancelled none, and of one that was stopped the last. One
// that failed keeps all, since it may have failed because its last can't be
// restored.
func kept(p checkpointv1.JobPhase, retained []checkpoint.Pointer) []checkpoint.Pointer {
	switch p {
	case checkpointv1.JobPhase_JOB_PHASE_FINISHED, checkpointv1.JobPhase_JOB_PHASE_CANCELED:
		return nil
	case checkpointv1.JobPhase_JOB_PHASE_STOPPED:
		return retained[max(len(retained)-1, 0):]
	default:
		return retained
	}
}

// forgetOldest forgets the ended jobs beyond the newest EndedJobs.
func (c *collector) forgetOldest(ctx context.Context) {
	for _, id := range c.l.endedBeyond(c.EndedJobs) {
		if err := c.forget(ctx, id); err != nil {
			if ctx.Err() == nil {
				c.l.jm.Log.Warn("an old job is not forgotten yet", "job", id, "cause", err)
			}
			continue
		}
		delete(c.clean, id)
		c.l.jm.Log.Info("job forgotten", "job", id)
	}
}

// forget deletes a job's objects and then its keys, the record last: as long as
// that is there, a crash leaves an ended job that is forgotten again, and a
// submit of the same id finds that it exists.
func (c *collector) forget(ctx context.Context, id types.JobID) error {
	s, err := newJobStore(c.l.jm.Coord, c.l.jm.Store, c.l.term, id)
	if err != nil {
		return err
	}
	rec, e, err := s.record(ctx)
	switch {
	case isNotFound(err):
		c.l.drop(id)
		return nil
	case err != nil:
		return err
	case !terminal(rec.Phase):
		return failure.Internalf("job %s is to be forgotten and has not ended", id)
	}
	nothing := &garbage.Roots{Job: id, Ended: true, Forgotten: true, OldBefore: distantFuture}
	if err := c.delete(ctx, s, func() (*garbage.Roots, error) { return nothing, nil }); err != nil {
		return err
	}
	if err := s.deleteKeys(ctx, e); err != nil {
		return err
	}
	c.l.drop(id)
	return nil
}

// deleteKeys deletes all keys of the job, its record last.
func (s *jobStore) deleteKeys(ctx context.Context, record coord.Entry) error {
	entries, err := s.coord.List(ctx, s.keys.Prefix())
	if err != nil {
		return err
	}
	var ops []coord.Op
	for _, e := range entries {
		if e.Key != record.Key {
			ops = append(ops, coord.Delete(e.Key))
		}
	}
	for some := range slices.Chunk(ops, coord.OpsMax) {
		if err := s.txn(ctx, nil, some); err != nil {
			return err
		}
	}
	return s.txn(ctx, []coord.Compare{coord.VersionIs(record.Key, record.Version)}, []coord.Op{coord.Delete(record.Key)})
}

func (s *jobStore) txn(ctx context.Context, when []coord.Compare, ops []coord.Op) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.coord.Txn(ctx, s.term, when, ops)
}

// ids returns every job, in order.
func (l *leadership) ids() []types.JobID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []types.JobID
	for id := range l.mu.drivers {
		out = append(out, id)
	}
	for id := range l.mu.ended {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// endedBeyond returns the jobs that ended before the newest n, the oldest first.
func (l *leadership) endedBeyond(n int) []types.JobID {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.ended) <= n {
		return nil
	}
	type job struct {
		id types.JobID
		at time.Time
	}
	var jobs []job
	for id, v := range l.mu.ended {
		jobs = append(jobs, job{id, v.summary().Ended.AsTime()})
	}
	slices.SortFunc(jobs, func(a, b job) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	var out []types.JobID
	for _, j := range jobs[:len(jobs)-n] {
		out = append(out, j.id)
	}
	return out
}

// drop makes an ended job invisible.
func (l *leadership) drop(id types.JobID) {
	l.mu.Lock()
	delete(l.mu.ended, id)
	l.mu.Unlock()
}
