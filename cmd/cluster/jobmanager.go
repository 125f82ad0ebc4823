package cluster

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"millrace/cmd/leader"
	"millrace/failure"
	"millrace/jobmanager"
	apiv1 "millrace/proto/millrace/api/v1"
	controlv1 "millrace/proto/millrace/control/v1"
)

// JobManager is a job manager with the server on which clients and task managers
// reach it. It owns its goroutines until Close.
type JobManager struct {
	manager  *jobmanager.JobManager
	server   *grpc.Server
	listener net.Listener
	health   *health.Server
	cancel   context.CancelFunc
	wait     sync.WaitGroup
	ended    chan struct{}
	err      error // once ended
}

// StartJobManager serves on an address and campaigns for the leadership. Where the
// options name no Address, others are told the one on which it listens.
func StartJobManager(ctx context.Context, listen string, o jobmanager.Options) (*JobManager, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, failure.User(fmt.Errorf("serve clients: %w", err))
	}
	if o.Address == "" {
		o.Address = listener.Addr().String()
	}
	j := &JobManager{manager: jobmanager.New(o), listener: listener, health: health.NewServer(), ended: make(chan struct{})}
	j.server = grpc.NewServer(grpc.MaxRecvMsgSize(leader.MessageBytesMax), grpc.MaxSendMsgSize(leader.MessageBytesMax),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leader.Keepalive.Time / 2, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: leader.Keepalive.Time, Timeout: leader.Keepalive.Timeout}))
	controlv1.RegisterControlServiceServer(j.server, j.manager)
	j.Register(j.server)
	healthv1.RegisterHealthServer(j.server, j.health)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j.cancel = cancel
	j.wait.Go(func() { _ = j.server.Serve(listener) })
	j.wait.Go(func() {
		defer close(j.ended)
		if j.err = j.manager.Run(running); j.err != nil {
			o.Log.Error("job manager ended", "cause", j.err)
			j.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
		}
	})
	return j, nil
}

// Register offers what clients call, on another server as well.
func (j *JobManager) Register(s grpc.ServiceRegistrar) {
	apiv1.RegisterJobServiceServer(s, j.manager)
	apiv1.RegisterClusterServiceServer(s, j.manager)
}

// Address returns where it listens.
func (j *JobManager) Address() string { return j.listener.Addr().String() }

// Ended is closed when it no longer campaigns: after Close, or because something
// speaks against its working at all, which Err says.
func (j *JobManager) Ended() <-chan struct{} { return j.ended }

// Err says why it ended by itself; nil otherwise. It is called after Ended.
func (j *JobManager) Err() error { return j.err }

// Resign gives the leadership up, and campaigns no more.
func (j *JobManager) Resign() {
	j.cancel()
	select {
	case <-j.ended:
	case <-time.After(resignTimeout):
	}
}

// Close resigns and ends it.
func (j *JobManager) Close() error {
	j.Resign()
	j.server.Stop()
	j.wait.Wait()
	return nil
}

// resignTimeout is how long a job manager may take to give its leadership up.
const resignTimeout = 15 * time.Second
