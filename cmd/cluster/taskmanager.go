package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"millrace/cmd/leader"
	"millrace/exchange/remote"
	"millrace/failure"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend/badger"
	"millrace/taskmanager"
)

// TaskManager is a task manager with its connection to whichever job manager
// leads. It owns its goroutines until Kill.
type TaskManager struct {
	*taskmanager.TaskManager
	finder *leader.Finder
	data   *data  // nil where all task managers share the process
	hide   func() // ends the publishing of its figures
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // once ended
}

// StartTaskManager starts a task manager among the job managers at some addresses.
// It fills JobManager and Incarnation of the options, adds the program's connectors, and closes the tier among them at
// the end, also when it could not start.
func StartTaskManager(jobManagers []string, o taskmanager.Options) (*TaskManager, error) {
	var err error
	if o.Connectors, err = taskmanager.WithProgram(o.Connectors, o.Program); err != nil {
		return nil, errors.Join(err, closeTier(&o))
	}
	finder, err := leader.New(jobManagers)
	if err != nil {
		return nil, errors.Join(err, closeTier(&o))
	}
	o.JobManager, o.Incarnation = controlv1.NewControlServiceClient(finder), incarnation()
	m := taskmanager.New(o)
	hide, err := publish(m)
	if err != nil {
		return nil, errors.Join(err, finder.Close(), closeTier(&o))
	}
	running, cancel := context.WithCancel(context.Background())
	t := &TaskManager{TaskManager: m, finder: finder, hide: hide, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		if t.err = t.Run(running); t.err != nil {
			o.Log.Error("task manager ended", "id", o.ID, "cause", t.err)
		}
	}()
	return t, nil
}

// publish shows what the parts of a task manager count.
func publish(m *taskmanager.TaskManager) (hide func(), err error) {
	figures := m.Figures()
	if m.Cache != nil {
		figures = append(figures, m.Cache.Figures()...)
	}
	if n, ok := m.Network.(*remote.Network); ok {
		figures = append(figures, n.Figures()...)
	}
	if tier, ok := m.Tier.(*badger.Tier); ok {
		figures = append(figures, tier.Figures()...)
	}
	return m.Metrics.TaskManager(string(m.ID), figures)
}

// StartRemoteTaskManager starts a task manager whose peers are other processes. It
// takes rows on the listen address, which others reach as advertised; "" means as
// it is. It also fills Network, DataAddress and Addresses of the options.
func StartRemoteTaskManager(ctx context.Context, jobManagers []string, listen, advertised string, o taskmanager.Options) (*TaskManager, error) {
	d, err := serveData(ctx, listen, &o)
	if err != nil {
		return nil, errors.Join(err, closeTier(&o))
	}
	if o.DataAddress = advertised; advertised == "" {
		o.DataAddress = d.listener.Addr().String()
	}
	t, err := StartTaskManager(jobManagers, o)
	if err != nil {
		d.close()
		return nil, err
	}
	t.data = d
	d.manager.Store(t.TaskManager)
	return t, nil
}

// data is where other processes' rows come in.
type data struct {
	listener net.Listener
	server   *grpc.Server
	network  *remote.Network
	// manager is told of what breaks, once it is there.
	manager atomic.Pointer[taskmanager.TaskManager]
	wait    sync.WaitGroup
}

func serveData(ctx context.Context, listen string, o *taskmanager.Options) (*data, error) {
	d := &data{}
	var err error
	if d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", listen); err != nil {
		return nil, failure.User(fmt.Errorf("serve rows: %w", err))
	}
	o.Addresses = &taskmanager.Addresses{}
	d.network, err = remote.New(remote.Options{
		Cluster: o.Cluster, ID: o.ID, Resolver: o.Addresses, Pool: o.Pool, Clock: o.Clock,
		DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		Listener: remote.Listener{
			Broken: func(b remote.BrokenInfo) {
				if m := d.manager.Load(); m != nil {
					m.Broken(b.Job, b.Peer, b.Channels, b.Cause)
				}
			},
			Unreachable: func(u remote.UnreachableInfo) { o.Log.Warn("peer can't be reached", "info", u) },
		},
	})
	if err != nil {
		_ = d.listener.Close()
		return nil, err
	}
	o.Network = d.network
	d.server = grpc.NewServer(remote.ServerOptions()...)
	d.network.Register(d.server)
	d.wait.Go(func() { _ = d.server.Serve(d.listener) })
	return d, nil
}

func (d *data) close() {
	d.server.Stop()
	d.network.Close()
	d.wait.Wait()
}

// Remote counts what goes between this task manager and others; nil where all
// share the process.
func (t *TaskManager) Remote() *remote.Counters {
	if t.data == nil {
		return nil
	}
	return t.data.network.Counters()
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
	if t.data != nil {
		t.data.close()
	}
	t.hide()
	return errors.Join(t.finder.Close(), closeTier(&t.Options))
}

// Drain has it hand its tasks over, then ends it.
func (t *TaskManager) Drain(ctx context.Context) error {
	return errors.Join(t.Leave(ctx), t.Kill())
}

// incarnation names a process of a task manager as no other.
func incarnation() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
