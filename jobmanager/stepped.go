package jobmanager

import (
	"context"
	"fmt"

	"millrace/internal/delivery"
	"millrace/jobmanager/lifecycle"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// Stepped is one term of a job manager without a goroutine and without gRPC: its owner moves it by calls, one at a time. The
// simulator is its owner, so that what that proves is this code: the drivers of jobs with all that they store, the
// registry of task managers, takeovers and the collection of garbage.
type Stepped struct {
	l       *leadership
	drivers []*driver // that have not ended
}

// SteppedOptions say for whom a Stepped works.
type SteppedOptions struct {
	Options
	// Beside has f done, which may block as stores and the clock do. What comes of it is there for the next Turn.
	Beside func(f func())
	// Saw is told every event that a core takes and every effect, before it is carried out, and Restores.
	Saw func(fmt.Stringer)
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
	s.l.beside, s.l.saw, s.l.reads = o.Beside, o.Saw, 1
	s.l.carry = func(d *driver) {
		s.drivers = append(s.drivers, d)
		d.later(func() any { return d.readGraph() })
	}
	return s
}

// Recover reads which jobs there are, and begins with those that have not ended. It blocks as stores do.
func (s *Stepped) Recover() error { return s.l.recover() }

// Turn has drivers handle what has come to them.
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
}

// Tick tells cores the time, and finds task managers that are silent.
func (s *Stepped) Tick() {
	s.l.registry.expire(s.l.jm.elapsed())
	for _, d := range s.drivers {
		d.tick()
	}
}

// Stop asks for a job's end behind a checkpoint, as a user does.
func (s *Stepped) Stop(job types.JobID, drain bool) {
	s.l.toDriver(job, stopAsked{lifecycle.StopRequested{Drain: drain}, make(chan error, 1)})
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
