package remote_test

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"millrace/exchange"
	"millrace/exchange/exchangetest"
	"millrace/exchange/remote"
	"millrace/stream"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// addresses is a Resolver that a test fills.
type addresses struct {
	mu sync.Mutex
	of map[types.TaskManagerID]string
}

func (a *addresses) Resolve(id types.TaskManagerID) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	address, ok := a.of[id]
	return address, ok
}

func (a *addresses) set(id types.TaskManagerID, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = make(map[types.TaskManagerID]string)
	}
	a.of[id] = address
}

// place is a task manager's process, as far as the exchange goes.
type place struct {
	*remote.Network
	id     types.TaskManagerID
	pool   stream.Pool
	server *grpc.Server
	served sync.WaitGroup

	broken      chan remote.BrokenInfo
	unreachable chan remote.UnreachableInfo
}

// transport is how places reach each other.
type transport interface {
	listen(t testing.TB) net.Listener
	dial() remote.Dialer
}

type loopback struct{}

func (loopback) listen(t testing.TB) net.Listener {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (loopback) dial() remote.Dialer { return nil }

// memory joins two places through memory: all that listens is the consumer.
type memory struct{ l *bufconn.Listener }

func (m *memory) listen(testing.TB) net.Listener {
	m.l = bufconn.Listen(1 << 20)
	return m.l
}

func (m *memory) dial() remote.Dialer {
	return func(ctx context.Context, _ string) (net.Conn, error) { return m.l.DialContext(ctx) }
}

func newPlace(t testing.TB, id types.TaskManagerID, at *addresses, by transport, change ...func(*remote.Options)) *place {
	t.Helper()
	p := &place{id: id, broken: make(chan remote.BrokenInfo, 1000), unreachable: make(chan remote.UnreachableInfo, 1000)}
	o := remote.Options{
		Cluster: "test", ID: id, Resolver: at, Pool: &p.pool,
		Dial:        by.dial(),
		DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		Listener: remote.Listener{
			Broken:      func(i remote.BrokenInfo) { p.broken <- i },
			Unreachable: func(i remote.UnreachableInfo) { p.unreachable <- i },
		},
	}
	for _, f := range change {
		f(&o)
	}
	n, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Network = n
	t.Cleanup(func() { p.close(t) })
	return p
}

// serve lets peers reach the place.
func (p *place) serve(t testing.TB, at *addresses, l net.Listener) {
	p.server = grpc.NewServer(remote.ServerOptions()...)
	p.Register(p.server)
	p.served.Go(func() { _ = p.server.Serve(l) })
	name := l.Addr().String()
	if _, inMemory := l.(*bufconn.Listener); inMemory {
		name = "passthrough:memory"
	}
	at.set(p.id, name)
}

func (p *place) close(t testing.TB) {
	p.Close()
	if p.server != nil {
		p.server.Stop()
		p.served.Wait()
	}
	eventually(t, "every buffer of "+string(p.id)+" is back", func() bool { return p.pool.Live() == 0 })
}

// eventually waits for a condition that nobody announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// pair returns a producer's place and a consumer's.
func pair(t testing.TB, by transport) (producer, consumer *place) {
	t.Helper()
	at := &addresses{}
	l := by.listen(t)
	producer, consumer = newPlace(t, "tm-p", at, by), newPlace(t, "tm-c", at, by)
	consumer.serve(t, at, l)
	return producer, consumer
}

func TestConformance(t *testing.T) {
	for name, by := range map[string]func() transport{
		"loopback": func() transport { return loopback{} },
		"memory":   func() transport { return &memory{} },
	} {
		t.Run(name, func(t *testing.T) {
			exchangetest.Run(t, func(t *testing.T) exchangetest.Fixture {
				p, c := pair(t, by())
				return exchangetest.Fixture{
					Producer: p, Consumer: c, ProducerAt: p.id, ConsumerAt: c.id, ConsumerPool: &c.pool,
				}
			})
		})
	}
}

// Within one process channels go through its rings.
func TestConformanceWithinAProcess(t *testing.T) {
	exchangetest.Run(t, func(t *testing.T) exchangetest.Fixture {
		p := newPlace(t, "tm", &addresses{}, loopback{})
		return exchangetest.Fixture{Producer: p, Consumer: p, ProducerAt: p.id, ConsumerAt: p.id}
	})
}

var _ exchange.Network = (*remote.Network)(nil)
