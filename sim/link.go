package sim

import (
	"google.golang.org/protobuf/proto"

	"millrace/internal/delivery"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// link is the session of one life of a task manager with one term of a job manager: the production sessions of
// internal/delivery over streams that break, lose what is on its way, and bring a message twice.
type link struct {
	w    *world
	tm   *taskManager
	jm   *jobManager
	term types.Term

	tmSide, jmSide *delivery.Session[[]byte]
	stream         int // a stream that breaks has another behind it
	connected      bool
	toTM, toJM     int64 // when what was sent last arrives
	heard          int64 // when the job manager last heard
	over           bool  // the job manager has given the task manager up, or there is another session
}

func newLink(tm *taskManager, jm *jobManager) *link {
	return &link{
		w: tm.w, tm: tm, jm: jm, term: jm.term, connected: true, heard: tm.w.now,
		tmSide: delivery.New[[]byte](sessionMax), jmSide: delivery.New[[]byte](sessionMax),
	}
}

// toTaskManager says something to the task manager.
func (l *link) toTaskManager(m *controlv1.JobManagerMessage) {
	m.Term = uint64(l.term)
	l.jmSide.Put(marshal(m))
	l.pumpDown()
}

// toJobManager says something to the job manager.
func (l *link) toJobManager(m *controlv1.TaskManagerMessage) {
	l.tmSide.Put(marshal(m))
	l.pumpUp()
}

// marshal makes bytes of a message: nothing that one process still changes is seen by another.
func marshal(m proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // every message is made here
	}
	return data
}

func (l *link) pumpDown() {
	if !l.connected || l.over {
		return
	}
	frames, err := l.jmSide.Take()
	if err != nil {
		l.over = true
		return
	}
	for _, f := range frames {
		l.fly(&l.toTM, l.jm.process, l.tm.process, func() { l.atTaskManager(f) })
	}
}

func (l *link) pumpUp() {
	if !l.connected || l.over {
		return
	}
	frames, err := l.tmSide.Take()
	if err != nil {
		l.over = true
		return
	}
	for _, f := range frames {
		l.fly(&l.toJM, l.tm.process, l.jm.process, func() { l.atJobManager(f) })
	}
}

// fly carries a frame over the stream, in order; a frame that is lost takes the stream with it.
func (l *link) fly(last *int64, from, to *process, arrive func()) {
	*last = max(*last, l.w.now+l.w.latency())
	stream := l.stream
	times := 1
	if l.w.chance(l.w.faults.duplicate) {
		times = 2
	}
	for range times {
		to.after(*last-l.w.now, func() {
			if l.stream != stream || l.over {
				return
			}
			if !l.w.reaches(from.name, to.name) || l.w.chance(l.w.faults.breaks) {
				l.breaks()
				return
			}
			arrive()
		})
	}
}

// breaks ends the stream: whatever is on its way is lost.
func (l *link) breaks() {
	l.stream++
	l.connected = false
	l.w.tell(l.tm.name, "stream with %s breaks", l.jm.name)
}

// resume begins another stream: both sides say what they received last.
func (l *link) resume() bool {
	l.stream++
	if l.jmSide.Resume(l.tmSide.Received()) != nil || l.tmSide.Resume(l.jmSide.Received()) != nil {
		l.over = true
		return false
	}
	l.connected, l.heard = true, l.w.now
	l.toTM, l.toJM = l.w.now, l.w.now
	l.w.tell(l.tm.name, "stream with %s resumes", l.jm.name)
	l.pumpDown()
	l.pumpUp()
	return true
}

func (l *link) atTaskManager(f delivery.Frame[[]byte]) {
	fresh, err := l.tmSide.Receive(f.Sequence, f.Acknowledged)
	if err != nil {
		l.w.oracle.violate("session", "%s: %v", l.tm.name, err)
		return
	}
	l.tm.heard = l.w.now
	if fresh {
		m := &controlv1.JobManagerMessage{}
		if err := proto.Unmarshal(f.Message, m); err != nil {
			panic(err)
		}
		l.tm.receive(m)
	}
	l.pumpUp()
}

func (l *link) atJobManager(f delivery.Frame[[]byte]) {
	fresh, err := l.jmSide.Receive(f.Sequence, f.Acknowledged)
	if err != nil {
		l.w.oracle.violate("session", "%s: %v", l.jm.name, err)
		return
	}
	l.heard = l.w.now
	if fresh {
		m := &controlv1.TaskManagerMessage{}
		if err := proto.Unmarshal(f.Message, m); err != nil {
			panic(err)
		}
		l.jm.receive(m)
	}
	l.pumpDown()
}

// beat is the task manager's heartbeat and its answer.
func (l *link) beat() {
	if !l.connected || l.over {
		return
	}
	stream := l.stream
	l.jm.after(l.w.latency(), func() {
		switch {
		case l.stream != stream || l.over:
		case !l.w.answers(l.tm.name, l.jm.name):
			l.breaks()
		default:
			l.heard = l.w.now
			l.tm.heard = l.w.now
			l.jmSide.Acknowledge()
			l.tmSide.Acknowledge()
			l.pumpDown()
			l.pumpUp()
		}
	})
}
