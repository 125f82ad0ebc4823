package leader_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/cmd/leader"
	apiv1 "millrace/proto/millrace/api/v1"
)

// manager is a job manager that leads, or knows who does.
type manager struct {
	apiv1.UnimplementedClusterServiceServer
	apiv1.UnimplementedJobServiceServer
	leads bool
	hint  string
	text  string
	// waits, if any, is told of each call that is never answered: of all that have no deadline, and of streams.
	waits chan struct{}
}

// wait keeps a call waiting until its client ends it.
func (m *manager) wait(ctx context.Context) error {
	m.waits <- struct{}{}
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func (m *manager) WatchJob(_ *apiv1.WatchJobRequest, s grpc.ServerStreamingServer[apiv1.WatchJobResponse]) error {
	return m.wait(s.Context())
}

func (m *manager) DescribeCluster(ctx context.Context, _ *apiv1.DescribeClusterRequest) (*apiv1.DescribeClusterResponse, error) {
	if _, ok := ctx.Deadline(); m.waits != nil && !ok {
		return nil, m.wait(ctx)
	}
	if m.leads {
		return &apiv1.DescribeClusterResponse{Leader: m.text}, nil
	}
	st, err := status.New(codes.Unavailable, m.text).WithDetails(&apiv1.NotLeading{Leader: m.hint})
	if err != nil {
		return nil, err
	}
	return nil, st.Err()
}

// serve serves a job manager and returns where.
func serve(t *testing.T, m *manager) string {
	t.Helper()
	listener := listen(t)
	server := grpc.NewServer()
	apiv1.RegisterClusterServiceServer(server, m)
	apiv1.RegisterJobServiceServer(server, m)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	defer listener.Close()
	return listener.Addr().String()
}

func TestFinder(t *testing.T) {
	leads := serve(t, &manager{leads: true, text: "found"})
	for name, c := range map[string]struct {
		addresses []string
		found     bool
		says      string // otherwise
	}{
		"it leads":                      {[]string{leads}, true, ""},
		"the next one leads":            {[]string{nobody(t), leads}, true, ""},
		"an unknown one leads":          {[]string{serve(t, &manager{hint: leads, text: "not me"})}, true, ""},
		"a hint that leads nowhere":     {[]string{serve(t, &manager{hint: nobody(t), text: "not me"}), leads}, true, ""},
		"nobody leads":                  {[]string{serve(t, &manager{text: "etcd is away"})}, false, "etcd is away"},
		"nobody leads, one is dead":     {[]string{serve(t, &manager{text: "etcd is away"}), nobody(t)}, false, "etcd is away"},
		"nobody leads, another is dead": {[]string{nobody(t), serve(t, &manager{text: "etcd is away"})}, false, "etcd is away"},
		"all are dead":                  {[]string{nobody(t), nobody(t)}, false, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := leader.New(c.addresses)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d, err := apiv1.NewClusterServiceClient(f).DescribeCluster(t.Context(), &apiv1.DescribeClusterRequest{})
			if c.found != (err == nil && d.GetLeader() == "found") || !c.found && !strings.Contains(err.Error(), c.says) {
				t.Errorf("found %q, %v", d.GetLeader(), err)
			}
		})
	}
}

// TestCallsUnderWay: a job manager that one call finds not to lead is left by all others, which go to the one that does, or can be told to.
func TestCallsUnderWay(t *testing.T) {
	leads := serve(t, &manager{leads: true, text: "found"})
	old := &manager{hint: leads, text: "not me", waits: make(chan struct{})}
	f, err := leader.New([]string{serve(t, old)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cluster, jobs := apiv1.NewClusterServiceClient(f), apiv1.NewJobServiceClient(f)
	answered, watched := make(chan error, 1), make(chan error, 1)
	go func() {
		d, err := cluster.DescribeCluster(t.Context(), &apiv1.DescribeClusterRequest{})
		if err == nil && d.Leader != "found" {
			err = errors.New("answered by " + d.Leader)
		}
		answered <- err
	}()
	go func() {
		s, err := jobs.WatchJob(t.Context(), &apiv1.WatchJobRequest{})
		if err == nil {
			_, err = s.Recv()
		}
		watched <- err
	}()
	<-old.waits
	<-old.waits
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := cluster.DescribeCluster(ctx, &apiv1.DescribeClusterRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the call under way ended with: %v", err)
	}
	if err := <-watched; status.Code(err) != codes.Unavailable {
		t.Errorf("the stream under way ended with %v, want that it can be opened again", err)
	}
}
