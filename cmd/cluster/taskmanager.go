package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"

	"google.golang.org/grpc"

	"millrace/cmd/leader"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/taskmanager"
)

// TaskManager is a task manager with its connection to whichever job manager
// leads. It owns its goroutines until Kill.
type TaskManager struct {
	*taskmanager.TaskManager
	finder *leader.Finder
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // once ended
}

// StartTaskManager starts a task manager among the job managers at some addresses.
// It fills Dial and Incarnation of the options.
func StartTaskManager(jobManagers []string, o taskmanager.Options) (*TaskManager, error) {
	finder, err := leader.New(jobManagers)
	if err != nil {
		return nil, err
	}
	o.Dial, o.Incarnation = dialer(finder), incarnation()
	running, cancel := context.WithCancel(context.Background())
	t := &TaskManager{TaskManager: taskmanager.New(o), finder: finder, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		if t.err = t.Run(running); t.err != nil {
			o.Log.Error("task manager ended", "id", o.ID, "cause", t.err)
		}
	}()
	return t, nil
}

// Ended is closed when it runs no longer: after Kill, or because it was refused,
// which Err says.
func (t *TaskManager) Ended() <-chan struct{} { return t.ended }

// Err says why it ended by itself; nil otherwise. It is called after Ended.
func (t *TaskManager) Err() error { return t.err }

// Kill ends it without a goodbye: its tasks stop where they are and its stream
// breaks. Leave, before it, is the polite way.
func (t *TaskManager) Kill() error {
	t.cancel()
	<-t.ended
	return t.finder.Close()
}

// Drain has it hand its tasks over, then ends it.
func (t *TaskManager) Drain(ctx context.Context) error {
	return errors.Join(t.Leave(ctx), t.Kill())
}

// dialer opens control streams to the job manager that leads.
func dialer(finder *leader.Finder) taskmanager.Dialer {
	return func(ctx context.Context) (controlv1.ControlService_ConnectClient, func(), error) {
		conn, err := finder.Conn()
		if err != nil {
			return nil, nil, err
		}
		s, err := controlv1.NewControlServiceClient(conn).Connect(ctx)
		if err != nil {
			finder.Note(conn, err)
			return nil, nil, err
		}
		return &hinted{s, finder, conn}, func() {}, nil
	}
}

// hinted tells the finder what answers say of who leads.
type hinted struct {
	controlv1.ControlService_ConnectClient
	finder *leader.Finder
	conn   *grpc.ClientConn
}

// Recv implements controlv1.ControlService_ConnectClient.
func (h *hinted) Recv() (*controlv1.JobManagerMessage, error) {
	msg, err := h.ControlService_ConnectClient.Recv()
	if err != nil {
		h.finder.Note(h.conn, err)
	}
	return msg, err
}

// incarnation names a process of a task manager as no other.
func incarnation() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
