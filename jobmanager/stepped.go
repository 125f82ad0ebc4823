package jobmanager

import (
	"context"
	"fmt"

	"millrace/internal/delivery"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// Stepped is one term of a job manager without a goroutine and without gRPC: its owner moves it by calls, one at a time. The
// simulator is its owner, so that what that proves is this code: the drivers of jobs with all that they store, the
// registry of task managers, takeovers and the collection of garbage.
type Stepped struct {
	l       *leadership
	drivers []*driver // that have not ended
	asked   []*asked
}

// asked is a client's request that a driver has.
type asked struct {
	d      *driver
	reply  chan error
	answer func(error)
	done   bool
}

// SteppedOptions say for whom a Stepped works.
type SteppedOptions struct {
	Options
	// Beside has f done, which may block as stores and the clock do. What comes of it is there for the next Turn.
	Beside func(f func())
	// Saw is told every event that a core takes and every effect, before it is carried out, and Restores.
	Saw func(types.JobID, fmt.Stringer)
	// Unique returns a part of a key that no other key has, of at least 12 letters or digits.
	Unique func() string
}

// Restores says from which checkpoint an attempt is about to be restored; 0 is none. Before is that of the
// lifecycle.DeployCoordinators that asked for it.
type Restores struct {
	Attempt      types.Attempt
	From, Before types.CheckpointID
}

// String prints it on one line.
func (r Restores) String() string {
	return fmt.Sprintf("restores attempt=%d from=%d before=%d", r.Attempt, r.From, r.Before)
}

// NewStepped returns a leadership of that term. It ends with ctx: then nobody moves it any more, and what it has set off ends
// by itself.
func NewStepped(ctx context.Context, o SteppedOptions, term types.Term) *Stepped {
	s := &Stepped{l: New(o.Options).newLeadership(ctx, term)}
	s.l.beside, s.l.saw, s.l.reads, s.l.unique = o.Beside, o.Saw, 1, o.Unique
	s.l.carry = func(d *driver) {
		s.drivers = append(s.drivers, d)
		d.later(func() any { return d.readGraph() })
	}
	return s
}

// Recover reads which jobs there are, and begins with those that have not ended. It blocks as stores do.
func (s *Stepped) Recover() error { return s.l.recover() }

// Turn has drivers handle what has come to them, and answers clients.
func (s *Stepped) Turn() {
	var on []*driver
	for _, d := range s.drivers {
		d.turn(s.l.ctx)
		if !d.over() {
			on = append(on, d)
			continue
		}
		d.end()
		s.l.carried(d)
	}
	s.drivers = on
	s.answers()
}

// answers hands answers on. A second one to the same request, which none may have, is handed on as well.
func (s *Stepped) answers() {
	for _, a := range s.asked {
		select {
		case err := <-a.reply:
			a.answer(err)
			a.done = true
		default:
			if !a.done && a.d.over() {
				a.answer(errEnded)
				a.done = true
			}
		}
	}
}

// Tick tells cores the time, and finds task managers that are silent.
func (s *Stepped) Tick() {
	s.l.registry.expire(s.l.jm.elapsed())
	for _, d := range s.drivers {
		d.tick()
	}
}

// ask is JobManager.ask for an owner who can't wait.
func (s *Stepped) ask(job types.JobID, event func(chan error) any, answer func(error)) {
	d := s.l.driver(job)
	switch {
	case d == nil && s.l.view(job) == nil:
		answer(errUnknownJob(string(job)))
	case d == nil:
		answer(errEnded)
	default:
		a := &asked{d: d, reply: make(chan error, 2), answer: answer}
		s.asked = append(s.asked, a)
		d.post(event(a.reply))
	}
}

// Stop is JobManager.StopJob; answer is called by a later Turn, as for all requests below, or by none where the
// leadership ends before.
func (s *Stepped) Stop(job types.JobID, how lifecycle.StopRequested, answer func(error)) {
	s.ask(job, func(reply chan error) any { return stopAsked{how, reply} }, answer)
}

// Rescale is JobManager.RescaleJob.
func (s *Stepped) Rescale(job types.JobID, all int32, answer func(error)) {
	s.ask(job, func(reply chan error) any { return rescaleAsked{parallelism{all: all}, reply} }, answer)
}

// Savepoint is JobManager.TriggerSavepoint.
func (s *Stepped) Savepoint(job types.JobID, answer func(*apiv1.SavepointDescription, error)) {
	var made *apiv1.SavepointDescription
	s.ask(job, func(reply chan error) any { return savepointAsked{&made, reply} }, func(err error) { answer(made, err) })
}

// Submit is JobManager.SubmitJob. It is carried out by Beside, and answers there.
func (s *Stepped) Submit(r *apiv1.SubmitJobRequest, answer func(*apiv1.SubmitJobResponse, error)) {
	s.l.beside(func() { answer(s.l.submitJob(s.l.ctx, r)) })
}

// CollectGarbage looks for the garbage of every job once. It blocks as stores do.
func (s *Stepped) CollectGarbage() { s.l.garbage.round(s.l.ctx) }

// Peer is a connection of a task manager.
type Peer struct {
	l *leadership
	c *connection
}

// Join takes a task manager in, or gives one that is in another connection; its last one has broken before.
func (s *Stepped) Join(r *controlv1.Register) (*Peer, error) {
	c, err := s.l.registry.join(r, s.l.jm.elapsed())
	if err != nil {
		return nil, err
	}
	return &Peer{s.l, c}, nil
}

// Resumed tells whether the session of the connection before goes on.
func (p *Peer) Resumed() bool { return p.c.resumed }

// Session has what the task manager is told, and counts what it says.
func (p *Peer) Session() *delivery.Session[*controlv1.JobManagerMessage] { return p.c.member.session }

// Take carries one message out.
func (p *Peer) Take(m *controlv1.TaskManagerMessage) { p.l.take(p.c.member, m) }

// Broke says that the connection broke. The member is called back, and then either Refused or joins again.
func (p *Peer) Broke(why string) {
	p.l.registry.broke(p.c, why)
	close(p.c.ended)
}

// Refused says that nobody listens any more where the task manager was.
func (p *Peer) Refused() {
	p.l.registry.leaveIf(p.c.member, "its address refuses another connection", func() bool { return p.c.member.mu.broken == p.c })
}

// Over tells whether the task manager is given up: nothing that is said over the connection counts any more.
func (p *Peer) Over() bool {
	select {
	case <-p.c.member.gone:
		return true
	default:
		return false
	}
}
