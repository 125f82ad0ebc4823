package sim

import (
	"google.golang.org/protobuf/proto"

	"millrace/internal/delivery"
	"millrace/jobmanager"
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

	tmSide     *delivery.Session[[]byte]
	peer       *jobmanager.Peer
	stream     int // a stream that breaks has another behind it
	connected  bool
	over       bool  // the task manager's side can't go on
	toTM, toJM int64 // when what was sent last arrives
}

// connect opens a stream to a job manager, and goes on with the session where both sides still have it.
func (tm *taskManager) connect(jm *jobManager) error {
	if !jm.serves() {
		return errNotServing
	}
	reg := tm.registration()
	peer, err := jm.engine.Join(reg)
	if err != nil {
		tm.tell("%s puts it off: %v", jm.name, err)
		return err
	}
	tm.heard = tm.w.now
	defer jm.poke()
	if l := tm.link; peer.Resumed() {
		l.peer = peer
		l.resume()
		return nil
	}
	tm.begin(jm, &link{w: tm.w, tm: tm, jm: jm, term: jm.term, peer: peer, connected: true, tmSide: delivery.New[[]byte](sessionMax)})
	return nil
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

// pumpDown carries what the job manager says.
func (l *link) pumpDown() {
	if !l.connected {
		return
	}
	if l.peer.Over() {
		l.breaks() // the job manager has given the task manager up
		return
	}
	frames, err := l.peer.Session().Take()
	if err != nil {
		l.breaks()
		return
	}
	for _, f := range frames {
		bytes := delivery.Frame[[]byte]{Sequence: f.Sequence, Acknowledged: f.Acknowledged}
		bytes.Message = marshal(&controlv1.JobManagerMessage{Term: uint64(l.term), Message: f.Message.GetMessage()})
		l.fly(&l.toTM, l.jm.process, l.tm.process, func() { l.atTaskManager(bytes) })
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

// fly carries a frame over the stream, in order; a frame that is lost takes the stream with it. Frames of different streams
// overtake each other.
func (l *link) fly(last *int64, from, to *process, arrive func()) {
	*last = max(*last, l.w.now+l.w.latency())
	stream := l.stream
	times := 1
	if l.w.chance(l.w.faults.duplicate) {
		times = 2
	}
	for range times {
		to.after(*last-l.w.now, func() {
			if l.stream != stream {
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
	l.peer.Broke("its connection broke")
	l.jm.poke()
}

// resume begins another stream: both sides say what they received last.
func (l *link) resume() {
	l.stream++
	if l.tmSide.Resume(l.peer.Session().Received()) != nil {
		l.over = true
	}
	l.connected = true
	l.toTM, l.toJM = l.w.now, l.w.now
	l.w.tell(l.tm.name, "stream with %s resumes", l.jm.name)
	l.pumpUp()
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
	if l.peer.Over() || !l.jm.serves() || l.jm.term != l.term {
		return
	}
	fresh, err := l.peer.Session().Receive(f.Sequence, f.Acknowledged)
	if err != nil {
		l.w.oracle.violate("session", "%s: %v", l.jm.name, err)
		return
	}
	if fresh {
		m := &controlv1.TaskManagerMessage{}
		if err := proto.Unmarshal(f.Message, m); err != nil {
			panic(err)
		}
		l.peer.Take(m)
	}
	l.jm.poke()
}

// died says that the task manager's process is no more: the stream breaks, and its address refuses another.
func (l *link) died() {
	if l.connected {
		l.breaks()
	}
	l.jm.after(l.w.between(5, 500), func() {
		l.peer.Refused()
		l.jm.poke()
	})
}
