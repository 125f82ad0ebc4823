package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// within runs something in a namespace. Sockets belong for good to the namespace of the thread that makes them, so the
// thread is all that has to move, and it ends with its goroutine, which never unlocks it.
func within(namespace string, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- enter(namespace, do)
	}()
	return <-result
}

func enter(namespace string, do func() error) error {
	f, err := os.Open(filepath.Join(namespacesDir, namespace))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", namespace, err)
	}
	return do()
}

// markSocket is for net.Dialer.Control.
func markSocket(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, proxyMark) }); e != nil {
		return e
	}
	return err
}

// meantFor returns where a connection was going before it was redirected. The kernel answers with a socket address, which
// the call for a structure of about that size is good enough to fetch: family, port and address follow one another.
func meantFor(c *net.TCPConn) (string, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return "", err
	}
	var answer *unix.IPv6Mreq
	if e := raw.Control(func(fd uintptr) {
		answer, err = unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, unix.SO_ORIGINAL_DST)
	}); e != nil {
		return "", e
	}
	if err != nil {
		return "", fmt.Errorf("where a connection was going: %w", err)
	}
	a := answer.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[2:4])).String(), nil
}

var errLocked = errors.New("another process has it locked")

// tryLock locks a file, or says that another process has it locked. The kernel takes the lock back from one that dies.
func tryLock(path string) (unlock func(), err error) { return flock(path, unix.LOCK_EX|unix.LOCK_NB) }

// lock waits for its turn.
func lock(path string) (unlock func(), err error) { return flock(path, unix.LOCK_EX) }

func flock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errLocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
