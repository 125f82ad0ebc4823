package kafka

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"millrace/types"
)

// TestZombies pauses parts of an attempt before they initialise a transactional
// id, and lets them go on when the next attempt has prepared a transaction.
func TestZombies(t *testing.T) {
	everywhere(t, []scenario{
		{"writer", 1, zombieWriter, false},
		{"committer", 1, zombieCommitter, false},
		{"settled attempts are not settled again", 1, zombieRecord, false},
		{"attempts that never settled", 1, zombieManyAttempts, false},
		{"the record of what is settled is gone", 1, zombieForgotten, false},
	})
}

// pause holds calls up. It is set before they are made.
type pause struct {
	reached chan struct{} // closed when the first call is there
	release chan struct{}
	passed  chan struct{} // closed when the first call has returned

	reach, pass sync.Once
}

func newPause() *pause {
	return &pause{reached: make(chan struct{}), release: make(chan struct{}), passed: make(chan struct{})}
}

// hold is around a call.
func (p *pause) hold(call func()) {
	p.reach.Do(func() { close(p.reached) })
	<-p.release
	call()
	p.pass.Do(func() { close(p.passed) })
}

// paused is a cluster whose transactional ids are initialised when a test wants it.
type paused struct {
	Cluster
	writers, committers *pause
}

// Producer implements Cluster.
func (c paused) Producer(ctx context.Context, s ProducerSpec) (p Producer, err error) {
	if c.writers == nil {
		return c.Cluster.Producer(ctx, s)
	}
	// A process that is paused does not see its context end.
	c.writers.hold(func() { p, err = c.Cluster.Producer(context.WithoutCancel(ctx), s) })
	return p, err
}

// InitProducerID implements Cluster.
func (c paused) InitProducerID(ctx context.Context, id string, timeoutMillis int32) (code int16, err error) {
	if c.committers == nil {
		return c.Cluster.InitProducerID(ctx, id, timeoutMillis)
	}
	c.committers.hold(func() {
		code, err = c.Cluster.InitProducerID(context.WithoutCancel(ctx), id, timeoutMillis)
	})
	return code, err
}

// leave makes a zombie of the attempt: nobody tells it that it is over.
func (j *job) leave() *job {
	zombie := &job{env: j.env, sink: j.sink, wake: j.wake, writers: j.writers, committer: j.committer, carried: j.carried}
	j.writers, j.committer = nil, nil
	j.Cleanup(zombie.crash)
	return zombie
}

func zombieWriter(e *env) {
	p := newPause()
	e.around = func(c Cluster) Cluster { return paused{Cluster: c, writers: p} }
	j := e.job(nil)
	j.start(1)
	<-p.reached
	j.leave()
	e.around = nil

	j.start(1)
	j.write(0, "a")
	j.completed(1, j.prepare(1))
	close(p.release)
	<-p.passed
	j.commit()
	e.want("a")
}

func zombieCommitter(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "of an attempt that ends")
	j.prepare(1)
	j.crash()

	p := newPause()
	e.around = func(c Cluster) Cluster { return paused{Cluster: c, committers: p} }
	zombie := &job{env: e, sink: j.sink, wake: j.wake, attempt: j.attempt, largest: 1}
	recovered := make(chan error, 1)
	go func() { recovered <- zombie.tryStart(1) }()
	<-p.reached
	e.around = nil

	j.attempt++ // that of the zombie
	j.start(1)
	j.write(0, "a")
	j.completed(2, j.prepare(2))
	close(p.release)
	e.Logf("the zombie, overtaken: %v", <-recovered) // whether it notices is its own business
	zombie.crash()
	j.commit()
	e.want("a")
}

// counted is a cluster that counts what is settled.
type counted struct {
	Cluster
	settled *atomic.Int64
}

// InitProducerID implements Cluster.
func (c counted) InitProducerID(ctx context.Context, id string, timeoutMillis int32) (int16, error) {
	c.settled.Add(1)
	return c.Cluster.InitProducerID(ctx, id, timeoutMillis)
}

func zombieRecord(e *env) {
	var settled atomic.Int64
	e.around = func(c Cluster) Cluster { return counted{c, &settled} }
	j := e.job(nil)
	for range 5 {
		settled.Store(0)
		j.start(1)
		if n := settled.Load(); n != poolSize {
			e.Errorf("attempt %d settled %d ids, want the %d of one attempt", j.attempt, n, poolSize)
		}
		j.crash()
	}
}

func zombieManyAttempts(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "of an attempt that ends")
	j.prepare(1)
	j.crash()
	j.attempt += attemptsUnsettled + 1 // they died before they had settled anything
	j.start(1)
	j.write(0, "a")
	j.checkpoint(2)
	e.want("a") // it can't be read behind what is open
}

func zombieForgotten(e *env) {
	j := e.job(nil)
	j.start(1)
	j.write(0, "of an attempt that ends")
	j.prepare(1)
	j.crash()
	note := names{"millrace", j.identity(0, 1).Job, "sink"}.of()
	deleted, err := e.admin.DeleteGroups(e.ctx, note)
	e.check(err)
	e.check(deleted.Error())
	j.attempt += attemptsUnsettled - 1
	j.start(1)
	j.write(0, "a")
	j.checkpoint(2)
	e.want("a")
}

// TestUnsettled says from which attempt on the committer settles.
func TestUnsettled(t *testing.T) {
	for in, want := range map[struct {
		own  types.Attempt
		note int64 // -1: there is none
	}]types.Attempt{
		{1, -1}:                 0,
		{attemptsUnsettled, -1}: 0,
		{100, -1}:               100 - attemptsUnsettled,
		{100, 99}:               99,
		{100, 100}:              100, // the same attempt again
		{100, 7}:                7,
		{1000, 7}:               1000 - generations + 1, // never its own generation
		{5, 100}:                0,                      // of another life of this job's name
	} {
		k := &committer{opts: &sinkOptions{topic: "t"}, cluster: noted{offset: in.note}}
		k.ctx.Attempt = in.own
		got, err := k.unsettled(t.Context())
		if err != nil || got != want {
			t.Errorf("attempt %d with note %d: from %d, want %d, %v", in.own, in.note, got, want, err)
		}
	}
}

// noted is a cluster with a note.
type noted struct {
	Cluster
	offset int64
}

// ReadMarker implements Cluster.
func (n noted) ReadMarker(context.Context, string, string, bool) (Marker, int16, error) {
	return Marker{Offset: n.offset}, codeNone, nil
}
