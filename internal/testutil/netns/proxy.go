package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxyMark tells the connections of proxies from those of the host. It means something in the host's namespace only.
const proxyMark = 0x6d72

// Interpose leads every TCP connection that the host opens or accepts from now on through a proxy on it, which passes the
// bytes on as they come, or later, as Delay says. Connections that are there already stay as they are.
func (h *Host) Interpose() {
	n := h.network
	n.t.Helper()
	listener, err := h.Listen(context.Background(), "tcp4", "0.0.0.0:0")
	n.must("interpose host "+h.name, err)
	h.proxy = newProxy(listener, h)
	rules := fmt.Sprintf(`table ip millrace {
chain in {
type nat hook prerouting priority -100; policy accept;
iifname %[1]q meta l4proto tcp redirect to :%[2]d
}
chain out {
type nat hook output priority -100; policy accept;
oifname %[1]q meta mark != %[3]d meta l4proto tcp redirect to :%[2]d
}
}
`, hostLink, listener.Addr().(*net.TCPAddr).Port, proxyMark)
	n.must("interpose host "+h.name, runInput(rules, "ip", "netns", "exec", h.namespace(), tool("nft"), "-f", "-"))
}

// proxy passes on the connections of one host. It owns a goroutine that accepts and, for each connection, one that dials
// and two for each direction; close ends them all.
type proxy struct {
	listener net.Listener
	host     *Host
	delay    atomic.Int64 // of a time.Duration
	ctx      context.Context
	cancel   context.CancelFunc
	group    sync.WaitGroup
}

func newProxy(l net.Listener, h *Host) *proxy {
	p := &proxy{listener: l, host: h}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.group.Go(p.accept)
	return p
}

func (p *proxy) close() {
	p.cancel()
	p.listener.Close()
	p.group.Wait()
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // it is closed
		}
		p.group.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

// serve connects the caller with whom it meant, and resets it where that one does not answer.
func (p *proxy) serve(caller *net.TCPConn) {
	defer caller.Close()
	callee, err := p.dial(caller)
	if err != nil {
		_ = caller.SetLinger(0) // it makes Close a reset
		return
	}
	defer callee.Close()
	stop := context.AfterFunc(p.ctx, func() {
		caller.Close()
		callee.Close()
	})
	defer stop()
	var group sync.WaitGroup
	for _, direction := range [][2]*net.TCPConn{{caller, callee}, {callee, caller}} {
		from, to := direction[0], direction[1]
		group.Go(func() {
			if err := p.carry(p.ctx, to, from); err != nil {
				// What broke on one side breaks on the other.
				_, _ = from.SetLinger(0), to.SetLinger(0)
				from.Close()
				to.Close()
				return
			}
			_ = to.CloseWrite()
		})
	}
	group.Wait()
}

func (p *proxy) dial(caller *net.TCPConn) (*net.TCPConn, error) {
	meant, err := meantFor(caller)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(p.ctx, dialLimit)
	defer cancel()
	c, err := p.host.dial(ctx, &net.Dialer{Control: markSocket}, "tcp4", meant)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// chunk is what was read at once, and when it goes on.
type chunk struct {
	data []byte
	due  time.Time
}

// carry passes bytes on in their order, each not before it is as old as the delay was when it came. It returns nil at the
// end of from.
func (p *proxy) carry(ctx context.Context, to io.Writer, from io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chunk, chunksMax)
	var group sync.WaitGroup
	var writing error
	group.Go(func() {
		defer cancel() // the reader does not wait for one who is gone
		for c := range chunks {
			if writing = writeDue(ctx, to, c); writing != nil {
				return
			}
		}
	})
	reading := p.read(ctx, from, chunks)
	close(chunks)
	group.Wait()
	cancel()
	return errors.Join(reading, writing)
}

func (p *proxy) read(ctx context.Context, from io.Reader, chunks chan<- chunk) error {
	for {
		data := make([]byte, chunkBytes)
		n, err := from.Read(data)
		if n > 0 {
			select {
			case chunks <- chunk{data[:n], time.Now().Add(time.Duration(p.delay.Load()))}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func writeDue(ctx context.Context, to io.Writer, c chunk) error {
	if wait := time.Until(c.due); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err := to.Write(c.data)
	return err
}
