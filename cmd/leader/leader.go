// Package leader finds the job manager that leads among those of a cluster.
//
// Commands and task managers know some addresses of job managers. Whoever does
// not lead answers Unavailable and says, where it knows, who does. A Finder goes
// through the addresses one by one and follows such hints. It is what clients of
// the services are made with in place of a connection.
//
// There is no encryption: connections stay on loopback unless the user allowed more.
package leader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
)

const (
	// MessageBytesMax bounds a message in either direction.
	MessageBytesMax = 64 << 20
	// AddressesMax bounds the job managers of a cluster.
	AddressesMax = 16
)

// Keepalive is how connections to job managers find out that the other side is
// gone without a word.
var Keepalive = keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}

// reconnect is how a connection that broke is made anew, unless another job manager
// is asked by then. Whoever waits for one wants it back as soon as the network is: a
// task manager has until its silence counts.
var reconnect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 3 * time.Second,
}

// Finder holds at most one connection, and is one itself. It is safe for
// concurrent use.
type Finder struct {
	addresses []string
	mu        struct {
		sync.Mutex
		next    int    // of addresses, once the current one does not lead
		current string // "" before the first call
		conn    *grpc.ClientConn
		closed  bool
	}
}

// New returns a finder over the addresses of one or more job managers.
func New(addresses []string) (*Finder, error) {
	if len(addresses) == 0 || len(addresses) > AddressesMax || slices.Contains(addresses, "") {
		return nil, failure.Userf("addresses of job managers: %q; 1 to %d are needed", addresses, AddressesMax)
	}
	return &Finder{addresses: slices.Clone(addresses)}, nil
}

var errClosed = errors.New("the connection to the cluster is closed")

// current returns the connection to the job manager that is believed to lead.
func (f *Finder) current() (*grpc.ClientConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return nil, errClosed
	}
	if f.mu.conn != nil {
		return f.mu.conn, nil
	}
	if f.mu.current == "" {
		f.mu.current = f.addresses[f.mu.next%len(f.addresses)]
		f.mu.next++
	}
	conn, err := grpc.NewClient(f.mu.current, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(Keepalive),
		grpc.WithConnectParams(reconnect),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MessageBytesMax), grpc.MaxCallSendMsgSize(MessageBytesMax)))
	if err != nil {
		return nil, failure.User(fmt.Errorf("job manager %s: %w", f.mu.current, err))
	}
	f.mu.conn = conn
	return conn, nil
}

// Invoke implements grpc.ClientConnInterface: it makes a call on the job manager
// that leads, going from one to the next while they say that another does. Where none
// leads, what one of them says of that goes before the silence of others.
func (f *Finder) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	var said error
	for hops := 1; ; hops++ {
		conn, err := f.current()
		if err != nil {
			return err
		}
		err = f.left(ctx, conn, conn.Invoke(ctx, method, args, reply, opts...))
		if notLeading(err) != nil {
			said = err
		}
		if f.note(conn, err) && hops <= len(f.addresses)+1 {
			continue
		}
		if said != nil && status.Code(err) == codes.Unavailable {
			return said
		}
		return err
	}
}

// NewStream implements grpc.ClientConnInterface. That another job manager leads
// shows in the stream's first answer: a stream that is opened anew goes there.
func (f *Finder) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, err := f.current()
	if err != nil {
		return nil, err
	}
	s, err := conn.NewStream(ctx, desc, method, opts...)
	if err != nil {
		err = f.left(ctx, conn, err)
		f.note(conn, err)
		return nil, err
	}
	return &stream{s, f, conn, ctx}, nil
}

// left says of a call that broke off because another one left the connection what it would say had it found out itself: that the job manager
// can't be reached, so that whoever makes it tries again.
func (f *Finder) left(ctx context.Context, conn *grpc.ClientConn, err error) error {
	if status.Code(err) != codes.Canceled || ctx.Err() != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if conn == f.mu.conn || f.mu.closed {
		return err
	}
	return status.Error(codes.Unavailable, "this job manager was left for another")
}

// stream tells the finder what answers say of who leads.
type stream struct {
	grpc.ClientStream
	finder *Finder
	conn   *grpc.ClientConn
	caller context.Context //nolint:containedctx // the stream's own ends with the connection
}

// RecvMsg implements grpc.ClientStream.
func (s *stream) RecvMsg(m any) error {
	err := s.finder.left(s.caller, s.conn, s.ClientStream.RecvMsg(m))
	if err != nil && errors.Is(context.Cause(s.Context()), context.DeadlineExceeded) {
		s.finder.note(s.conn, errSilent)
	} else if err != nil {
		s.finder.note(s.conn, err)
	}
	return err
}

// errSilent is how a stream ended whose user heard nothing for too long, and says so by
// the cause of its context, context.DeadlineExceeded.
var errSilent = status.Error(codes.Unavailable, "this job manager is silent")

// note learns from the error of a call on a connection: where it says that another
// job manager leads, or that this one can't be reached, the next call goes
// elsewhere. It tells whether that is so.
func (f *Finder) note(conn *grpc.ClientConn, err error) bool {
	if status.Code(err) != codes.Unavailable {
		return false
	}
	hint := notLeading(err).GetLeader() // "" for none
	f.mu.Lock()
	defer f.mu.Unlock()
	if conn != f.mu.conn {
		return true // somebody else has noted it
	}
	if f.mu.closed || hint == f.mu.current || (hint == "" && len(f.addresses) == 1 && f.mu.current == f.addresses[0]) {
		return false // there is nowhere else to go
	}
	_ = f.mu.conn.Close()
	if len(f.addresses) > 1 && f.addresses[f.mu.next%len(f.addresses)] == f.mu.current {
		f.mu.next++ // it was reached by a hint, and is not worth another try before the others
	}
	f.mu.conn, f.mu.current = nil, hint
	return true
}

// notLeading returns what a job manager that does not lead says of who does, nil where
// the error is another.
func notLeading(err error) *apiv1.NotLeading {
	for _, d := range status.Convert(err).Details() {
		if n, ok := d.(*apiv1.NotLeading); ok {
			return n
		}
	}
	return nil
}

// Close ends the connection.
func (f *Finder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.closed = true
	if f.mu.conn == nil {
		return nil
	}
	return f.mu.conn.Close()
}
