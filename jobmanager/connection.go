package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"

	"millrace/internal/delivery"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// connection is a stream of a member. A member has one at a time: when it breaks,
// the member stays for a moment, in which another may take its place. The session
// goes on there, and nobody but this file notices.
type connection struct {
	member *member
	// resumed tells that it took another's place.
	resumed bool
	// replaced is closed when another took the place of this one.
	replaced chan struct{}
	// ended is closed when nobody sends or receives over it any more.
	ended chan struct{}
}

// errUndecided puts a task manager off for a moment.
var errUndecided = errors.New("there was another process of this id just now; it is not known yet whether that is gone for good")

// join takes a task manager in, or gives one that is in a new connection. One of
// the same id that is another process stands as long as it lives: the newcomer is
// put off until it is known. A connection is no proof, since that of a process that
// was killed stands until its break has come here; a heartbeat since is one, and then
// the newcomer is refused.
func (r *registry) join(reg *controlv1.Register, now time.Time) (*connection, error) {
	for {
		c, before, stale, err := r.enter(reg, now)
		switch {
		case stale != nil:
			r.leave(stale, stale.staleFor(reg))
			continue
		case err != nil:
			return nil, err
		case !c.resumed:
			return c, nil
		}
		if before != nil {
			<-before.ended // soon: it was told that it is replaced
		}
		if err := c.member.session.Resume(reg.Received); err != nil {
			close(c.ended)
			r.leave(c.member, err.Error())
			continue
		}
		return c, nil
	}
}

// enter decides about a registration. It returns the new connection with the one that
// it replaces, if that stood, or a member that must leave before.
func (r *registry) enter(reg *controlv1.Register, now time.Time) (c, before *connection, stale *member, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := types.TaskManagerID(reg.TaskManagerId)
	old := r.mu.members[id]
	switch {
	case old == nil:
		m := newMember(reg, now)
		r.mu.members[id] = m
		c, before = m.connect(false, now)
		return c, before, nil, nil
	case old.incarnation == reg.Incarnation && reg.Resumes && types.Term(reg.Term) == r.term:
		c, before = old.connect(true, now)
		return c, before, nil, nil
	case old.incarnation == reg.Incarnation || !old.connected() && old.dataAddress == reg.DataAddress:
		return nil, nil, old, nil
	case old.connected() && old.livesSince(reg.Incarnation, now):
		return nil, nil, nil, fmt.Errorf("task manager %s is connected already, from another process; give each its own taskmanager.resource-id", id)
	default:
		return nil, nil, nil, errUndecided
	}
}

// staleFor says why a member makes room for a registration.
func (m *member) staleFor(reg *controlv1.Register) string {
	if m.incarnation == reg.Incarnation {
		return "it came back without its tasks"
	}
	return m.trouble() + "; another process has its data address"
}

func newMember(reg *controlv1.Register, now time.Time) *member {
	return &member{
		id: types.TaskManagerID(reg.TaskManagerId), incarnation: reg.Incarnation, slots: int(reg.Slots), labels: reg.Labels,
		builds:      slices.Compact(slices.Sorted(slices.Values(reg.Builds))),
		dataAddress: reg.DataAddress, stateBytes: reg.SlotStateBytes, since: now,
		session: delivery.New[*controlv1.JobManagerMessage](sendQueueMax), gone: make(chan struct{}),
	}
}

// connect gives a member a connection in place of the one before, which is told.
func (m *member) connect(resumed bool, now time.Time) (c, before *connection) {
	c = &connection{member: m, resumed: resumed, replaced: make(chan struct{}), ended: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	if before = m.mu.connection; before == nil {
		before = m.mu.broken
	}
	if before != nil {
		close(before.replaced)
	}
	m.mu.connection, m.mu.broken, m.mu.trouble, m.mu.beat = c, nil, "", now
	return c, before
}

func (m *member) connected() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.connection != nil
}

// livesSince tells whether the member has said that it works since another process of
// its id came first. What it said just before may have been on its way.
func (m *member) livesSince(challenger string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.challenger != challenger {
		m.mu.challenger, m.mu.challenged = challenger, now
	}
	return m.mu.beat.Sub(m.mu.challenged) > HeartbeatInterval/2
}

// trouble says what is the matter with the connection, or was when the member left.
func (m *member) trouble() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.trouble
}

// says keeps what a member says is the matter with itself, and tells whether that
// began or ended.
func (m *member) says(trouble string) (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	news = (m.mu.own == "") != (trouble == "")
	m.mu.own = trouble
	return news
}

// broke notes that a connection broke, and tells whether the member is to be called
// back. One that shares the process with its peers has no address, and one that said
// that it leaves has most likely left: they are lost at once.
func (r *registry) broke(c *connection, why string) bool {
	m := c.member
	m.mu.Lock()
	if m.mu.ended || m.mu.connection != c {
		m.mu.Unlock()
		return false
	}
	m.mu.connection, m.mu.broken, m.mu.trouble = nil, c, why
	waits := m.dataAddress != "" && !m.mu.leaving
	m.mu.Unlock()
	if !waits {
		r.leave(m, why)
	}
	return waits
}

// callBack finds out whether a member whose connection broke has died: then its data
// address refuses, now or, since a process closes its ports one by one, in a moment.
// Whoever listens or doesn't answer may come back until its heartbeats are missing.
func (r *registry) callBack(ctx context.Context, c *connection, why string) {
	m := c.member
	ctx, cancel := context.WithTimeout(ctx, callBackTries*callBackPause)
	defer cancel()
	for range callBackTries {
		if refused(r.dial(ctx, m.dataAddress)) {
			r.leaveIf(m, why+", and "+m.dataAddress+" refuses another", func() bool { return m.mu.broken == c })
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-m.gone:
			return
		case <-c.replaced:
			return
		case <-r.clock.After(callBackPause):
		}
	}
}

// refused tells whether a machine answered that nobody listens.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
}

// dialTCP opens a connection and closes it.
func dialTCP(ctx context.Context, address string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}
