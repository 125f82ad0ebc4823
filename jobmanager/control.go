package jobmanager

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// Connect implements controlv1.ControlServiceServer.
func (j *JobManager) Connect(s grpc.BidiStreamingServer[controlv1.TaskManagerMessage, controlv1.JobManagerMessage]) error {
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
	m, err := l.registry.join(reg, j.Clock.Now())
	if err != nil {
		return l.refuse(s, err.Error())
	}
	j.Log.Info("task manager joined", "id", m.id, "slots", m.slots, "term", l.term)
	go l.send(s, m) // ends with the stream: leave closes m.gone
	received := make(chan error, 1)
	go func() { received <- l.receive(s, m) }() // ends with the stream, which ends when this returns
	select {
	case err := <-received:
		why := "its connection broke"
		if err != nil {
			why += ": " + status.Convert(err).Message()
		}
		l.registry.leave(m, why)
		return nil
	case <-l.ctx.Done():
		// A leader that was deposed lets its task managers go to the next.
		l.registry.leave(m, "this job manager leads no longer")
		return j.notLeading()
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
	case r.Version != j.Version:
		return fmt.Sprintf("its version is %s, this job manager's is %s", r.Version, j.Version)
	default:
		return ""
	}
}

const slotsMax = 1024

func (l *leadership) refuse(s grpc.BidiStreamingServer[controlv1.TaskManagerMessage, controlv1.JobManagerMessage], reason string) error {
	return s.Send(&controlv1.JobManagerMessage{
		Term: uint64(l.term), Message: &controlv1.JobManagerMessage_Refused{Refused: &controlv1.Refused{Reason: reason}},
	})
}

// send carries a member's queue to it, until it is gone.
func (l *leadership) send(s grpc.BidiStreamingServer[controlv1.TaskManagerMessage, controlv1.JobManagerMessage], m *member) {
	welcome := &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Registered{Registered: &controlv1.Registered{
		HeartbeatIntervalMillis: HeartbeatInterval.Milliseconds(), HeartbeatTimeoutMillis: HeartbeatTimeout.Milliseconds(),
	}}}
	for msg := welcome; ; {
		msg.Term = uint64(l.term)
		if err := s.Send(msg); err != nil {
			l.registry.leave(m, "its connection broke: "+status.Convert(err).Message())
			return
		}
		select {
		case <-m.gone:
			return
		case msg = <-m.queue:
		}
	}
}

// receive hands a member's messages to the drivers, until the stream or the
// leadership ends.
func (l *leadership) receive(s grpc.BidiStreamingServer[controlv1.TaskManagerMessage, controlv1.JobManagerMessage], m *member) error {
	for {
		msg, err := s.Recv()
		if err != nil {
			return err
		}
		select {
		case <-m.gone:
			return nil
		default:
		}
		if hb := msg.GetHeartbeat(); hb != nil {
			m.beat(l.jm.Clock.Now())
			for _, p := range hb.Tasks {
				l.toDriver(types.JobID(p.JobId), progressReported{m.id, p})
			}
			continue
		}
		if msg.GetLeaving() != nil {
			l.jm.Log.Info("task manager is about to leave", "id", m.id)
			l.registry.depart(m)
			continue
		}
		if job := jobOf(msg); job != "" {
			l.toDriver(job, fromTaskManager{m.id, msg})
		}
	}
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
