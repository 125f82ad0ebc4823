package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/clock"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// connections is a registry whose clock and dialer a test holds.
type connections struct {
	*registry
	t     *testing.T
	now   *clock.Manual
	dials []error // what the next tries answer; none is success
	gone  []string
}

const thisTerm = 7

func newConnections(t *testing.T) *connections {
	c := &connections{t: t, now: clock.NewManual(time.UnixMilli(1_700_000_000_000))}
	c.registry = newRegistry(thisTerm, c.now, func(context.Context, string) error {
		if len(c.dials) == 0 {
			return nil
		}
		err := c.dials[0]
		c.dials = c.dials[1:]
		return err
	})
	c.changed = func() {}
	c.lost = func(id types.TaskManagerID, why string) { c.gone = append(c.gone, fmt.Sprintf("%s: %s", id, why)) }
	return c
}

// process is a task manager's registration.
func process(incarnation, address string) *controlv1.Register {
	return &controlv1.Register{TaskManagerId: "tm", Incarnation: incarnation, Slots: 2, DataAddress: address}
}

// again is the registration of a process that was taken in and received so much.
func again(incarnation, address string, received uint64) *controlv1.Register {
	r := process(incarnation, address)
	r.Term, r.Resumes, r.Received = thisTerm, true, received
	return r
}

func (c *connections) join(r *controlv1.Register) *connection {
	c.t.Helper()
	k, err := c.registry.join(r, c.now.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

// breaks ends a connection and tells whether the member is called back.
func (c *connections) breaks(k *connection) bool {
	close(k.ended)
	return c.broke(k, "its connection broke")
}

func (c *connections) expectLost(want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.gone); diff != "" {
		c.t.Errorf("-want +lost:\n%s", diff)
	}
}

func trigger(id uint64) *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_TriggerCheckpoint{
		TriggerCheckpoint: &controlv1.TriggerCheckpoint{CheckpointId: id},
	}}
}

// told returns the checkpoints that a connection would carry triggers of now.
func told(t *testing.T, k *connection) (ids []uint64) {
	t.Helper()
	frames, err := k.member.session.Take()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		ids = append(ids, f.Message.GetTriggerCheckpoint().GetCheckpointId())
	}
	return ids
}

var errRefused error = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)

// TestRefusedAgainIsDeath: no time need pass where nobody listens, and little where
// the process is only about to close its ports.
func TestRefusedAgainIsDeath(t *testing.T) {
	for _, tries := range []int{1, 2, callBackTries} {
		c := newConnections(t)
		k := c.join(process("a", "host:1"))
		for range tries - 1 {
			c.dials = append(c.dials, nil)
		}
		c.dials = append(c.dials, errRefused)
		if !c.breaks(k) {
			t.Fatal("the task manager is not called back")
		}
		c.callsBack(k, tries-1)
		c.expectLost("tm: its connection broke, and host:1 refuses another")
		if len(c.members()) != 0 {
			t.Error("a dead task manager is still a member")
		}
	}
}

// callsBack runs a call back through so many pauses to its end.
func (c *connections) callsBack(k *connection, pauses int) {
	c.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.callBack(c.t.Context(), k, "its connection broke")
	}()
	for range pauses {
		if !c.now.AwaitRunning(1, c.t.Context().Done()) {
			c.t.Fatal("no pause")
		}
		c.now.Advance(callBackPause)
	}
	<-done
}

// TestComesBack: whoever listens, or doesn't answer, is waited for, keeps its slots,
// and is told what it had not received.
func TestComesBack(t *testing.T) {
	for name, answer := range map[string]error{"listens": nil, "no answer": context.DeadlineExceeded, "no route": syscall.EHOSTUNREACH} {
		t.Run(name, func(t *testing.T) {
			c := newConnections(t)
			k := c.join(process("a", "host:1"))
			if !c.take(tenant{job: "job"}, []types.SlotID{{TaskManager: "tm"}}) {
				t.Fatal("no slot")
			}
			c.send("tm", trigger(1))
			c.send("tm", trigger(2))
			expectTold(t, []uint64{1, 2}, told(t, k))
			for range callBackTries {
				c.dials = append(c.dials, answer)
			}
			c.breaks(k)
			c.callsBack(k, callBackTries)
			c.send("tm", trigger(3))
			now := c.join(again("a", "host:1", 1))
			if !now.resumed || now.member != k.member {
				t.Error("the session does not go on")
			}
			expectTold(t, []uint64{2, 3}, told(t, now))
			if c.idle("tm") {
				t.Error("the job has lost its slot")
			}
			c.expectLost()
		})
	}
}

func expectTold(t *testing.T, want, got []uint64) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("triggers: -want +got:\n%s", diff)
	}
}

func TestSilenceCountsFromTheLastHeartbeat(t *testing.T) {
	c := newConnections(t)
	k := c.join(process("a", "host:1"))
	c.now.Advance(HeartbeatTimeout - time.Second)
	c.breaks(k)
	c.callsBack(k, callBackTries)
	c.expire(c.now.Now())
	c.expectLost()
	c.now.Advance(time.Second)
	c.expire(c.now.Now())
	c.expectLost("tm: its connection broke; no heartbeat for 6.5s")
}

// TestAnotherProcessOfTheID: the first stands while it is connected and says that it
// works; while it is not, whoever has its address proves its death, and anybody else waits.
func TestAnotherProcessOfTheID(t *testing.T) {
	c := newConnections(t)
	k := c.join(process("a", "host:1"))
	if _, err := c.registry.join(process("b", "host:2"), c.now.Now()); !errors.Is(err, errUndecided) {
		t.Errorf("a second process beside a first that may be dead: %v", err)
	}
	k.member.beat(c.now.Now()) // it was on its way
	if _, err := c.registry.join(process("b", "host:2"), c.now.Now()); !errors.Is(err, errUndecided) {
		t.Errorf("a second process behind a heartbeat that may be old: %v", err)
	}
	c.now.Advance(HeartbeatInterval)
	k.member.beat(c.now.Now())
	_, err := c.registry.join(process("b", "host:2"), c.now.Now())
	if err == nil || errors.Is(err, errUndecided) || !strings.Contains(err.Error(), "taskmanager.resource-id") {
		t.Errorf("a second process beside the first: %v", err)
	}
	c.breaks(k)
	if _, err := c.registry.join(process("b", "host:2"), c.now.Now()); !errors.Is(err, errUndecided) {
		t.Errorf("a second process while the first is away: %v", err)
	}
	c.expectLost()
	if k := c.join(process("b", "host:1")); k.resumed {
		t.Error("another process goes on with the session")
	}
	c.expectLost("tm: its connection broke; another process has its data address")
}

// TestBackWithoutItsTasks: a process that has given its tasks up, or has been told of
// them by another leader, is no longer the member.
func TestBackWithoutItsTasks(t *testing.T) {
	fresh, other, ahead := process("a", "host:1"), again("a", "host:1", 0), again("a", "host:1", 9)
	other.Term--
	for what, r := range map[string]*controlv1.Register{
		"it came back without its tasks": fresh, "it came back without its tasks ": other, "message 9 is acknowledged, and was never sent": ahead,
	} {
		c := newConnections(t)
		k := c.join(process("a", "host:1"))
		c.breaks(k)
		if now := c.join(r); now.resumed || now.member == k.member {
			t.Errorf("%s: the session goes on", what)
		}
		c.expectLost("tm: " + strings.TrimSpace(what))
	}
}

// TestConnectsAgainBeforeTheBreakIsSeen: the newer connection waits for the end of
// the older, whose break is then nobody's loss.
func TestConnectsAgainBeforeTheBreakIsSeen(t *testing.T) {
	c := newConnections(t)
	first := c.join(process("a", "host:1"))
	joined := make(chan *connection, 1)
	go func() { joined <- c.join(again("a", "host:1", 0)) }()
	<-first.replaced
	select {
	case <-joined:
		t.Error("the newer connection does not wait")
	default:
	}
	if c.breaks(first) {
		t.Error("a connection that was replaced is called back")
	}
	if second := <-joined; !second.resumed || second.member != first.member {
		t.Error("the session does not go on")
	}
	c.expectLost()
}

// TestLostAtOnce: who has no address can't be called back, and who said goodbye is
// not expected.
func TestLostAtOnce(t *testing.T) {
	c := newConnections(t)
	if c.breaks(c.join(process("a", ""))) {
		t.Error("a task manager without an address is called back")
	}
	k := c.join(process("b", "host:1"))
	c.depart(k.member)
	if c.breaks(k) {
		t.Error("a task manager that said it leaves is called back")
	}
	c.expectLost("tm: its connection broke", "tm: its connection broke")
}

// A job manager that slept for longer than task managers may be silent has them all when it wakes; those that stay silent
// from then on are lost.
func TestSleepIsNoSilence(t *testing.T) {
	c := newConnections(t)
	c.join(process("a", "host:1"))
	pass := func(d time.Duration) {
		c.now.Advance(d)
		c.expire(c.now.Now())
	}
	pass(HeartbeatInterval)
	pass(HeartbeatTimeout + 2*time.Second)
	pass(HeartbeatTimeout + 2*time.Second)
	if len(c.gone) > 0 {
		t.Fatalf("lost when the job manager woke: %q", c.gone)
	}
	for range HeartbeatTimeout / HeartbeatInterval {
		pass(HeartbeatInterval)
	}
	if len(c.gone) != 1 || !strings.Contains(c.gone[0], "no heartbeat") {
		t.Errorf("silent while the job manager was awake: %q", c.gone)
	}
}
