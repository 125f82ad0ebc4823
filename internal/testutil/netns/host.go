package netns

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"

	"millrace/internal/testutil/child"
)

// hostLink is what a host calls its link to the switch.
const hostLink = "eth0"

// Host is a host of a Network. A nil Host is the machine of the test itself, on loopback: servers that can run on a host
// run there without one.
type Host struct {
	network  *Network
	name     string
	number   int
	nextPort int
	proxy    *proxy
}

// Name is the host's name in its network.
func (h *Host) Name() string { return h.name }

// IP is the host's address.
func (h *Host) IP() string {
	if h == nil {
		return "127.0.0.1"
	}
	return h.network.address(h.number)
}

func (h *Host) namespace() string { return h.network.namespace(h.name) }

// port is what the switch calls its end of the host's link.
func (h *Host) port() string { return portPrefix + strconv.Itoa(h.number) }

// Command is exec.Command on the host. The program that switches to the namespace becomes the command: the process id is
// its own, and so is the signal that it gets when its parent dies.
func (h *Host) Command(path string, arguments ...string) *exec.Cmd {
	if h == nil {
		return exec.Command(path, arguments...)
	}
	return exec.Command(tool("ip"), append([]string{"netns", "exec", h.namespace(), path}, arguments...)...)
}

// FreeAddresses returns n addresses of the host on which nobody listens and that it gives to nobody else. On loopback
// another process may still be faster to one of them.
func (h *Host) FreeAddresses(n int) ([]string, error) {
	if h == nil {
		return child.FreeAddresses(n)
	}
	var out []string
	for range n {
		out = append(out, net.JoinHostPort(h.IP(), strconv.Itoa(h.nextPort)))
		h.nextPort++
	}
	return out, nil
}

// Listen is net.Listen on the host. It is safe for concurrent use.
func (h *Host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var l net.Listener
	err := within(h.namespace(), func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(ctx, network, address)
		return err
	})
	return l, h.explain("listen on", address, err)
}

// ListenPacket is net.ListenPacket on the host. It is safe for concurrent use.
func (h *Host) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.PacketConn
	err := within(h.namespace(), func() (err error) {
		c, err = (&net.ListenConfig{}).ListenPacket(ctx, network, address)
		return err
	})
	return c, h.explain("listen on", address, err)
}

// Dial is a dial from the host to an IP address and port. It is safe for concurrent use.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return h.dial(ctx, &net.Dialer{}, network, address)
}

func (h *Host) dial(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
	var c net.Conn
	err := within(h.namespace(), func() (err error) {
		c, err = d.DialContext(ctx, network, address)
		return err
	})
	return c, h.explain("dial", address, err)
}

func (h *Host) explain(what, address string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("host %s: %s %s: %w", h.name, what, address, err)
}
