package remote

import (
	"context"
	"net"
	"sync"
)

// Dialer connects to an address that a Resolver knew.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// sockets are the connections that grpc dialled for a session: usually one.
// Closing a ClientConn does not wait for a connection that is breaking already;
// this does.
type sockets struct {
	mu struct {
		sync.Mutex
		open   []net.Conn
		closed bool
	}
}

func (s *sockets) dialer(dial Dialer) Dialer {
	return func(ctx context.Context, address string) (net.Conn, error) {
		c, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mu.closed {
			_ = c.Close() // nobody has used it
			return nil, net.ErrClosed
		}
		s.mu.open = append(s.mu.open, c)
		return c, nil
	}
}

func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	for _, c := range s.mu.open {
		_ = c.Close() // mostly closed already
	}
}
