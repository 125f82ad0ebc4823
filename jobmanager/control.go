package jobmanager

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/internal/delivery"
	"millrace/internal/events"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// controlStream is the job manager's end of a task manager's stream.
type controlStream = grpc.BidiStreamingServer[controlv1.TaskManagerMessage, controlv1.JobManagerMessage]

// Connect implements controlv1.ControlServiceServer.
func (j *JobManager) Connect(s controlStream) error {
	l := j.leading()
	if l == nil {
		return j.notLeading()
	}
	first, err := s.Recv()
	if err != nil {
		return err
	}
	reg := first.GetRegister()
	if reason := j.refuse(reg); reason != "" {
		return l.refuse(s, reason)
	}
	c, err := l.registry.join(reg, j.elapsed())
	switch {
	case errors.Is(err, errUndecided):
		return status.Error(codes.Unavailable, err.Error())
	case err != nil:
		return l.refuse(s, err.Error())
	case c.resumed:
		j.Log.Info("task manager is connected again; its tasks go on", "id", c.member.id, "term", l.term)
	default:
		j.Log.Info("task manager joined", "id", c.member.id, "slots", c.member.slots, "term", l.term)
	}
	return l.serve(s, c)
}

// serve carries a session over a stream until that breaks, another takes its place,
// or the member is gone. Both directions end with the stream, which ends when this
// returns.
func (l *leadership) serve(s controlStream, c *connection) error {
	broken := make(chan error, 2)
	var directions sync.WaitGroup
	directions.Go(func() { broken <- l.send(s, c) })
	directions.Go(func() { broken <- l.receive(s, c) })
	go func() {
		directions.Wait()
		close(c.ended)
	}()
	select {
	case err := <-broken:
		why := "its connection broke"
		if err != nil && !errors.Is(err, io.EOF) {
			why += ": " + status.Convert(err).Message()
		}
		if l.registry.broke(c, why) {
			l.jm.Log.Warn("waits for a task manager to connect again", "id", c.member.id, "cause", why)
			l.registry.callBack(l.ctx, c, why)
		}
		return nil
	case <-c.replaced:
		return status.Error(codes.Aborted, "another connection of this task manager took the place of this one")
	case <-c.member.gone:
		return status.Error(codes.Aborted, "this task manager was given up: "+c.member.trouble())
	case <-l.ctx.Done():
		// A leader that was deposed lets its task managers go to the next.
		l.registry.leave(c.member, "this job manager leads no longer")
		return l.jm.notLeading()
	}
}

// refuse says what speaks against a task manager, "" if nothing does.
func (j *JobManager) refuse(r *controlv1.Register) string {
	switch {
	case r == nil:
		return "the first message must be Register"
	case r.Cluster != j.Cluster:
		return fmt.Sprintf("this is cluster %q, not %q", j.Cluster, r.Cluster)
	case r.TaskManagerId == "" || r.Incarnation == "":
		return "a task manager needs an id and an incarnation"
	case r.Slots < 1 || r.Slots > slotsMax:
		return fmt.Sprintf("%d slots: a task manager has 1 to %d", r.Slots, slotsMax)
	case len(r.Builds) > buildsMax:
		return fmt.Sprintf("%d builds: a task manager carries at most %d", len(r.Builds), buildsMax)
	case r.Version != j.Version:
		return fmt.Sprintf("its version is %s, this job manager's is %s; run one version in a cluster, and start every process anew when it changes",
			r.Version, j.Version)
	default:
		return j.refuseClock(r)
	}
}

// refuseClock says which clock says what where two are too far apart to work
// together. A task manager that a job manager of the cluster has taken in already
// is not refused: who takes over with a wrong clock would end every other process.
func (j *JobManager) refuseClock(r *controlv1.Register) string {
	theirs, ours := time.UnixMilli(r.ClockUnixMillis), time.UnixMilli(j.Clock.NowMillis())
	apart := ours.Sub(theirs).Abs()
	if apart <= clockErrorMax {
		return ""
	}
	says := fmt.Sprintf("its clock says %s, the clock of job manager %s says %s, and %s is the most that they may differ; "+
		"set the one that is wrong, and start its process again",
		theirs.UTC().Format(time.RFC3339), j.Address, ours.UTC().Format(time.RFC3339), clockErrorMax)
	if r.Term == 0 {
		return says
	}
	j.Log.Error("a task manager of another term has another time", "id", r.TaskManagerId, "cause", says)
	return ""
}

const (
	slotsMax  = 1024
	buildsMax = 100
)

func (l *leadership) refuse(s controlStream, reason string) error {
	return s.Send(&controlv1.JobManagerMessage{
		Term: uint64(l.term), Message: &controlv1.JobManagerMessage_Refused{Refused: &controlv1.Refused{Reason: reason}},
	})
}

// send welcomes a member and carries to it what waits, until the stream breaks or
// has no use any more.
func (l *leadership) send(s controlStream, c *connection) error {
	m := c.member
	err := s.Send(&controlv1.JobManagerMessage{Term: uint64(l.term), Message: &controlv1.JobManagerMessage_Registered{
		Registered: &controlv1.Registered{
			HeartbeatIntervalMillis: HeartbeatInterval.Milliseconds(), HeartbeatTimeoutMillis: HeartbeatTimeout.Milliseconds(),
			Resumed: c.resumed, Received: m.session.Received(),
		},
	}})
	for err == nil {
		var frames []delivery.Frame[*controlv1.JobManagerMessage]
		if frames, err = m.session.Take(); err != nil {
			l.registry.leave(m, err.Error())
			break
		}
		for _, f := range frames {
			err = s.Send(&controlv1.JobManagerMessage{
				Term: uint64(l.term), Sequence: f.Sequence, Acknowledged: f.Acknowledged, Message: f.Message.GetMessage(),
			})
			if err != nil {
				return err
			}
		}
		select {
		case <-m.gone:
			return nil
		case <-c.replaced:
			return nil
		case <-s.Context().Done():
			return s.Context().Err()
		case <-m.session.Ready():
		}
	}
	return err
}

// receive hands a member's messages to the drivers, until the stream ends.
func (l *leadership) receive(s controlStream, c *connection) error {
	for {
		msg, err := s.Recv()
		if err != nil {
			return err
		}
		fresh, err := c.member.session.Receive(msg.Sequence, msg.Acknowledged)
		if err != nil {
			l.registry.leave(c.member, err.Error())
			return err
		}
		if fresh {
			l.take(c.member, msg)
		}
	}
}

// take carries one message of a member out.
func (l *leadership) take(m *member, msg *controlv1.TaskManagerMessage) {
	if hb := msg.GetHeartbeat(); hb != nil {
		l.heartbeat(m, hb)
		return
	}
	if i := msg.GetInventory(); i != nil {
		l.inventory(m, i)
		return
	}
	if msg.GetLeaving() != nil {
		l.jm.Log.Info("task manager is about to leave", "id", m.id)
		l.registry.depart(m)
		return
	}
	if job := jobOf(msg); job != "" {
		l.toDriver(job, fromTaskManager{m.id, msg})
	}
}

// heartbeat passes figures on. Tasks of a job that has ended, or that nobody knows, have missed that.
func (l *leadership) heartbeat(m *member, hb *controlv1.Heartbeat) {
	m.beat(l.jm.elapsed())
	m.session.Acknowledge()
	if m.says(hb.Trouble) {
		events.Log(l.jm.Log).TaskManagerTrouble(events.TaskManagerTroubleInfo{TaskManager: string(m.id), Trouble: hb.Trouble})
	}
	for _, p := range hb.Tasks {
		if d := l.driver(types.JobID(p.JobId)); d != nil {
			d.post(progressReported{m.id, p})
			continue
		}
		l.registry.send(m.id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Cancel{
			Cancel: &controlv1.Cancel{JobId: p.JobId, Attempt: p.Attempt},
		}})
	}
}

// inventory takes in what runs on a task manager whose session begins: drivers are told, also of nothing, and then of the
// slots that are left.
func (l *leadership) inventory(m *member, i *controlv1.Inventory) {
	jobs := make(map[types.JobID][]*controlv1.RegionInventory)
	slots := make(map[types.SlotID]tenant)
	for _, r := range i.Regions {
		job := types.JobID(r.JobId)
		jobs[job] = append(jobs[job], r)
		if l.driver(job) == nil {
			continue
		}
		for _, t := range r.Tasks {
			slots[types.SlotID{TaskManager: m.id, Index: t.Slot}] = tenant{job, r.Exclusive}
		}
	}
	l.registry.inventory(m, slots)
	for _, d := range l.drivers() {
		regions := jobs[d.store.job]
		if regions == nil {
			regions = []*controlv1.RegionInventory{} // it has told
		}
		d.post(inventoried{m.id, regions})
		select {
		case <-d.done: // it may have ended before it was told
			l.registry.release(d.store.job)
		default:
		}
	}
	l.registry.changed()
}

// jobOf returns the job that a message is about.
func jobOf(msg *controlv1.TaskManagerMessage) types.JobID {
	switch r := msg.Message.(type) {
	case *controlv1.TaskManagerMessage_TaskChanged:
		return types.JobID(r.TaskChanged.JobId)
	case *controlv1.TaskManagerMessage_TaskSnapshotted:
		return types.JobID(r.TaskSnapshotted.JobId)
	case *controlv1.TaskManagerMessage_CheckpointDeclined:
		return types.JobID(r.CheckpointDeclined.JobId)
	case *controlv1.TaskManagerMessage_StateCopied:
		return types.JobID(r.StateCopied.JobId)
	case *controlv1.TaskManagerMessage_CoordinatorReady:
		return types.JobID(r.CoordinatorReady.JobId)
	case *controlv1.TaskManagerMessage_EnumeratorAssigned:
		return types.JobID(r.EnumeratorAssigned.JobId)
	case *controlv1.TaskManagerMessage_Committed:
		return types.JobID(r.Committed.JobId)
	case *controlv1.TaskManagerMessage_CoordinatorTrouble:
		return types.JobID(r.CoordinatorTrouble.JobId)
	case *controlv1.TaskManagerMessage_CoordinatorFailed:
		return types.JobID(r.CoordinatorFailed.JobId)
	default:
		return ""
	}
}
