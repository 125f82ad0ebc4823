package netns

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/internal/testutil/child"
)

const (
	testLimit = time.Minute
	// silence is how long a test listens for what must not come. What does come, comes at once; a test that listened too
	// briefly would pass, never fail.
	silence = 300 * time.Millisecond
)

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// TestHostsReachOneAnother: hosts among one another, the machine and the hosts, all in both directions, and nobody by accident.
func TestHostsReachOneAnother(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ctx := limited(t)
	n := Start(t, "connections between hosts")
	a, b := n.Host("a"), n.Host("b")
	for _, h := range []*Host{a, b} {
		address := echo(ctx, t, h)
		for _, from := range []*Host{a, b} {
			expectEcho(ctx, t, address, from.Dial)
		}
		expectEcho(ctx, t, address, (&net.Dialer{}).DialContext)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(n.Address(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	expectEcho(ctx, t, l.Addr().String(), a.Dial)

	// What listens on the machine's loopback is not on that of a host.
	l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	if c, err := a.Dial(ctx, "tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("a host shares the machine's loopback")
	}
}

// TestCommandsRunOnAHost: the command sees the host's network and has the id that the parent knows.
func TestCommandsRunOnAHost(t *testing.T) {
	n := Start(t, "commands on hosts")
	h := n.Host("a")
	command := h.Command("/bin/sh", "-c", "echo $$; ip -4 -brief address show "+hostLink)
	var out strings.Builder
	command.Stdout = &out
	command.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"}
	p, err := child.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Ended
	id, addresses, _ := strings.Cut(out.String(), "\n")
	if p.Err != nil || id != fmt.Sprint(p.ID) || !strings.Contains(addresses, h.IP()+"/") {
		t.Errorf("process %d says %q, %v", p.ID, out.String(), p.Err)
	}
	var nobody *Host
	if got := nobody.Command("/bin/true"); !slices.Equal(got.Args, []string{"/bin/true"}) || nobody.IP() != "127.0.0.1" {
		t.Errorf("without a host: %q", got.Args)
	}
}

// TestCuts are all that a cut can be, seen by datagrams, which go one way.
func TestCuts(t *testing.T) {
	ctx := limited(t)
	n := Start(t, "cuts")
	a, b, c := n.Host("a"), n.Host("b"), n.Host("c")
	hosts := []*Host{a, b, c}
	for _, cut := range []struct {
		name string
		do   func()
		want string // who hears whom
	}{
		{"none", func() {}, "a>b a>c b>a b>c c>a c>b"},
		{"isolated", func() { a.Isolate() }, "b>c c>b"},
		{"isolated from one", func() { a.Isolate(b) }, "a>c b>c c>a c>b"},
		{"deaf", func() { a.Deafen() }, "a>b a>c b>c c>b"},
		{"deaf to one", func() { a.Deafen(c) }, "a>b a>c b>a b>c c>b"},
		{"mute", func() { a.Mute() }, "b>a b>c c>a c>b"},
		{"mute to one", func() { a.Mute(b) }, "a>c b>a b>c c>a c>b"},
		{"one deaf, one mute", func() { a.Deafen(b); c.Mute(b) }, "a>b a>c b>c c>a"},
		{"all packets lost", func() { b.Lose(100) }, "a>c c>a"},
	} {
		cut.do()
		if got := heard(ctx, t, hosts); got != cut.want {
			t.Errorf("%s: %s, want %s", cut.name, got, cut.want)
		}
		for _, h := range hosts {
			h.Heal()
		}
	}
	if got := heard(ctx, t, hosts); got != "a>b a>c b>a b>c c>a c>b" {
		t.Errorf("healed: %s", got)
	}
}

// heard sends a datagram from each host to each other, heals, and sends a second: what of the first did not come before the
// second was thrown away.
func heard(ctx context.Context, t *testing.T, hosts []*Host) string {
	t.Helper()
	var out []string
	before := hosts[0].network.faults
	for _, from := range hosts {
		for _, to := range hosts {
			if from == to {
				continue
			}
			listener, sender := datagrams(ctx, t, from, to)
			send(t, sender, "first")
			hosts[0].network.faults = faults{}
			hosts[0].network.must("suspend faults", hosts[0].network.applyRules())
			send(t, sender, "second")
			if receive(t, listener) == "first" {
				out = append(out, from.name+">"+to.name)
			}
			hosts[0].network.faults = before
			hosts[0].network.must("put faults back", hosts[0].network.applyRules())
			listener.Close()
			sender.Close()
		}
	}
	return strings.Join(out, " ")
}

func datagrams(ctx context.Context, t *testing.T, from, to *Host) (net.PacketConn, net.Conn) {
	t.Helper()
	listener, err := to.ListenPacket(ctx, "udp", net.JoinHostPort(to.IP(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	sender, err := from.Dial(ctx, "udp", listener.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return listener, sender
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	var b [64]byte
	if err := c.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	n, _, err := c.ReadFrom(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestCutConnection: a connection through a cut is silent rather than broken, and goes on when it is healed.
func TestCutConnection(t *testing.T) {
	ctx := limited(t)
	n := Start(t, "cut connections")
	a, b := n.Host("a"), n.Host("b")
	c, err := a.Dial(ctx, "tcp", echo(ctx, t, b))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, cut := range []func(){func() { a.Isolate() }, func() { a.Deafen(b) }, func() { a.Mute() }} {
		exchange(t, c, "before")
		cut()
		send(t, c, "within")
		if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
			t.Fatal(err)
		}
		var got [16]byte
		if n, err := c.Read(got[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("within the cut: %q, %v", got[:n], err)
		}
		a.Heal()
		expectText(t, c, "within")
	}
}

// TestLoss loses some datagrams and not others.
func TestLoss(t *testing.T) {
	ctx := limited(t)
	n := Start(t, "lost packets")
	a, b := n.Host("a"), n.Host("b")
	const all = 100 // a receiver's buffer holds them
	arrived := func() (count int) {
		listener, sender := datagrams(ctx, t, a, b)
		defer listener.Close()
		defer sender.Close()
		for range all {
			send(t, sender, "x")
		}
		a.Heal()
		send(t, sender, "end")
		for receive(t, listener) != "end" {
			count++
		}
		return count
	}
	if got := arrived(); got != all {
		t.Errorf("without loss %d of %d arrive", got, all)
	}
	a.Lose(50)
	// That all or none come by chance has a probability with thirty zeros.
	if got := arrived(); got == 0 || got == all {
		t.Errorf("with a loss of half %d of %d arrive", got, all)
	}
	// TCP makes up for it.
	a.Lose(5)
	expectBytes(t, ctx, a, b)
}

// TestLimit: the kernel has the limit at both ends and made packets wait, bytes come in their order, and the limit goes.
func TestLimit(t *testing.T) {
	ctx := limited(t)
	n := Start(t, "narrow links")
	a, b := n.Host("a"), n.Host("b")
	const bytesPerSecond = 4 << 20
	a.Limit(bytesPerSecond)
	a.Limit(bytesPerSecond) // changing a limit is no error
	expectBytes(t, ctx, a, b)
	expectBytes(t, ctx, b, a)
	for _, e := range a.ends() {
		q := bucketOf(t, e)
		if q.Kind != "tbf" || q.Options.Rate != bytesPerSecond || q.Overlimits == 0 {
			t.Errorf("%v: %+v", e, q)
		}
	}
	a.Heal()
	for _, e := range a.ends() {
		if q := bucketOf(t, e); q.Kind == "tbf" {
			t.Errorf("%v has a limit after it was healed: %+v", e, q)
		}
	}
	expectBytes(t, ctx, a, b)
}

// bucket is what tc says of a queue.
type bucket struct {
	Kind       string
	Overlimits int
	Options    struct{ Rate int }
}

func bucketOf(t *testing.T, e end) bucket {
	t.Helper()
	out, err := run("tc", "-n", e.namespace, "-s", "-j", "qdisc", "show", "dev", e.link)
	if err != nil {
		t.Fatal(err)
	}
	var all []bucket
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		t.Fatalf("%s: %v", out, err)
	}
	return all[0]
}

// TestInterposed: connections of an interposed host go through the proxy in both directions, delayed or not, and whole.
func TestInterposed(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ctx := limited(t)
	n := Start(t, "delayed connections")
	a, b := n.Host("a"), n.Host("b")
	a.Interpose()
	for _, d := range []time.Duration{0, 20 * time.Millisecond} {
		a.Delay(d)
		expectBytes(t, ctx, a, b)
		expectBytes(t, ctx, b, a)
	}
	// A delay that outlives the test holds the bytes; the end of the network lets go of them.
	c, err := b.Dial(ctx, "tcp", echo(ctx, t, a))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exchange(t, c, "before")
	a.Delay(time.Hour)
	send(t, c, "held")
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		t.Fatal(err)
	}
	var got [16]byte
	if n, err := c.Read(got[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a delay of an hour: %q, %v", got[:n], err)
	}
	// Nobody listens: a refusal stays one, though the proxy accepts first.
	refused, err := b.Dial(ctx, "tcp", net.JoinHostPort(a.IP(), "1"))
	if err == nil {
		defer refused.Close()
		if _, err = refused.Read(got[:]); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a connection to nobody ends with %v", err)
		}
	}
}

// TestEverythingIsRemoved ends tests in other processes, one that fails and one that is killed. The first leaves nothing;
// what the second leaves the next network removes.
func TestEverythingIsRemoved(t *testing.T) {
	if os.Getenv(endVariable) != "" {
		endBadly(t)
		return
	}
	n := Start(t, "removal")
	failed := endElsewhere(t, "fail")
	if left := remains(t, failed); len(left) > 0 {
		t.Errorf("a failed test leaves %v", left)
	}
	killed := endElsewhere(t, "kill")
	if killed == n.number {
		t.Fatalf("two processes have network %d", n.number)
	}
	if left := remains(t, killed); len(left) == 0 {
		t.Fatal("a killed process leaves nothing to remove")
	}
	if left := remains(t, n.number); len(left) == 0 {
		t.Error("another process removed what is in use")
	}
	t.Run("next", func(t *testing.T) { Start(t, "removal") })
	if left := remains(t, killed); len(left) > 0 {
		t.Errorf("after the next start a killed process still leaves %v", left)
	}
	if left := remains(t, n.number); len(left) == 0 {
		t.Error("the next start removed what is in use")
	}
}

const endVariable = "MILLRACE_NETNS_END"

// endBadly is what the other process does.
func endBadly(t *testing.T) {
	n := Start(t, "removal")
	h := n.Host("a")
	h.Isolate()
	h.Limit(1 << 20)
	h.Interpose()
	fmt.Fprintf(os.Stderr, "network %d\n", n.number)
	if os.Getenv(endVariable) == "kill" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	t.Fatal("as it was told")
}

// endElsewhere returns the number of the network that the other process had.
func endElsewhere(t *testing.T, how string) (number int) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), endVariable+"="+how)
	var out bytes.Buffer
	command.Stdout, command.Stderr = io.Discard, &out
	p, err := child.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Ended
	if _, err := fmt.Sscanf(out.String(), "network %d\n", &number); err != nil || p.Err == nil {
		t.Fatalf("the other process: %v: %s", p.Err, out.String())
	}
	return number
}

// remains returns what there is of a network.
func remains(t *testing.T, number int) []string {
	t.Helper()
	n := &Network{number: number}
	found, err := filepath.Glob(filepath.Join(namespacesDir, n.namespace("*")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", n.link())); err == nil {
		found = append(found, n.link())
	}
	if routes, err := run("ip", "-4", "route", "show", "root", n.subnet()); err != nil || routes != "" {
		found = append(found, "routes: "+routes)
	}
	return found
}

// echo serves on a host and gives everybody back what they send.
func echo(ctx context.Context, t *testing.T, h *Host) string {
	t.Helper()
	addresses, err := h.FreeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.Listen(ctx, "tcp", addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	return addresses[0]
}

func serveEcho(t *testing.T, l net.Listener) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
}

func expectEcho(ctx context.Context, t *testing.T, address string, dial func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	c, err := dial(ctx, "tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	exchange(t, c, "hello")
}

func exchange(t *testing.T, c net.Conn, text string) {
	t.Helper()
	send(t, c, text)
	expectText(t, c, text)
}

func expectText(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("got %q, %v, want %q", got, err, text)
	}
}

// expectBytes sends a megabyte of numbers there and back and ends each direction.
func expectBytes(t *testing.T, ctx context.Context, from, to *Host) {
	t.Helper()
	c, err := from.Dial(ctx, "tcp", echo(ctx, t, to))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const lines = 1 << 17
	go func() {
		w := bufio.NewWriter(c)
		for i := range lines {
			fmt.Fprintf(w, "%07d\n", i)
		}
		_ = w.Flush() // an error shows at the reader
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	if err := c.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewScanner(c)
	count := 0
	for ; r.Scan(); count++ {
		if want := fmt.Sprintf("%07d", count); r.Text() != want {
			t.Fatalf("from %s to %s and back: line %q, want %q", from.name, to.name, r.Text(), want)
		}
	}
	if r.Err() != nil || count != lines {
		t.Errorf("from %s to %s and back: %d lines of %d, %v", from.name, to.name, count, lines, r.Err())
	}
}
