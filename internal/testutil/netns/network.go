package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	// namePrefix begins the name of everything that this package makes.
	namePrefix = "millrace-"
	// namespacesDir is where ip keeps the names of namespaces.
	namespacesDir = "/run/netns"
	// locksDir has a file for each number. It lies where every process of the machine that may make namespaces finds it.
	locksDir = "/run/millrace-netns"
	// switchName is the namespace of the switch, after the number; portPrefix and machinePort name its ports.
	switchName, portPrefix, machinePort = "switch", "port", "machine"
)

// Network is a switch and the hosts on it. Its methods, and those of its hosts, are not safe for concurrent use, except
// where they say so. What goes wrong fails the test.
type Network struct {
	t      testing.TB
	number int
	unlock func()
	hosts  []*Host
	faults faults
}

// Start makes a network and removes it when the test ends. The test is skipped where there can be none; what says what
// is then not run.
func Start(t testing.TB, what string) *Network {
	t.Helper()
	skip := func(err error) {
		t.Helper()
		t.Skipf("not run: %s, on hosts of their own: %v", what, err)
	}
	if err := usable(t.Logf); err != nil {
		skip(err)
	}
	n, err := claim()
	if err != nil {
		skip(err)
	}
	n.t = t
	t.Cleanup(func() {
		if err := n.close(); err != nil {
			t.Errorf("remove network %d: %v", n.number, err)
		}
	})
	if err := n.build(); err != nil {
		skip(err)
	}
	return n
}

// claim takes the first number that nobody holds, and removes what was left under that and every other such number.
func claim() (*Network, error) {
	if err := os.MkdirAll(locksDir, 0o755); err != nil {
		return nil, err
	}
	var claimed *Network
	for number := range networksMax {
		unlock, err := tryLock(filepath.Join(locksDir, fmt.Sprint(number)))
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n := &Network{number: number, unlock: unlock}
		if err := n.remove(); err != nil {
			unlock()
			return nil, fmt.Errorf("remove what is left of network %d: %w", number, err)
		}
		if claimed != nil || n.isTaken() {
			unlock()
			continue
		}
		claimed = n
	}
	if claimed == nil {
		return nil, fmt.Errorf("all %d networks are in use", networksMax)
	}
	return claimed, nil
}

// isTaken tells whether somebody else uses addresses of this network.
func (n *Network) isTaken() bool {
	routes, err := run("ip", "-4", "route", "show", "root", n.subnet())
	return err != nil || strings.TrimSpace(routes) != ""
}

// address is the address of a host. All lie in a private range of their own; the machine is the first.
func (n *Network) address(host int) string { return fmt.Sprintf("10.203.%d.%d", n.number, host+1) }
func (n *Network) subnet() string          { return fmt.Sprintf("10.203.%d.0/24", n.number) }
func (n *Network) namespace(name string) string {
	return fmt.Sprintf("%s%d-%s", namePrefix, n.number, name)
}

// link is the machine's end of its link to the switch.
func (n *Network) link() string { return fmt.Sprintf("%s%d", namePrefix, n.number) }

// build makes the switch and the machine's link to it.
func (n *Network) build() error {
	s := n.namespace(switchName)
	err := runAll([][]string{
		{"ip", "netns", "add", s},
		{"ip", "-n", s, "link", "set", "lo", "up"},
		{"ip", "-n", s, "link", "add", "name", "bridge", "type", "bridge", "stp_state", "0", "mcast_snooping", "0"},
		{"ip", "-n", s, "link", "set", "bridge", "up"},
		{"ip", "link", "add", n.link(), "type", "veth", "peer", "name", machinePort, "netns", s},
		{"ip", "-n", s, "link", "set", machinePort, "master", "bridge", "up"},
		{"ip", "address", "add", n.address(0) + "/24", "dev", n.link()},
		{"ip", "link", "set", n.link(), "up"},
	})
	if err != nil {
		return err
	}
	return n.applyRules() // also to see whether the kernel has what they need
}

// Address is where hosts reach the machine of the test.
func (n *Network) Address() string { return n.address(0) }

// Host adds a host. Its name is lower case and the only one of its kind in the network.
func (n *Network) Host(name string) *Host {
	n.t.Helper()
	if len(n.hosts) == hostsMax {
		n.t.Fatalf("host %s: a network has at most %d", name, hostsMax)
	}
	h := &Host{network: n, name: name, number: len(n.hosts) + 1, nextPort: firstPort}
	n.hosts = append(n.hosts, h)
	s, own := n.namespace(switchName), h.namespace()
	n.must("add host "+name, runAll([][]string{
		{"ip", "netns", "add", own},
		{"ip", "-n", own, "link", "set", "lo", "up"},
		{"ip", "-n", s, "link", "add", h.port(), "type", "veth", "peer", "name", hostLink, "netns", own},
		{"ip", "-n", s, "link", "set", h.port(), "master", "bridge", "up"},
		{"ip", "-n", own, "address", "add", n.address(h.number) + "/24", "dev", hostLink},
		{"ip", "-n", own, "link", "set", hostLink, "up"},
	}))
	return h
}

func (n *Network) must(what string, err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s: %v", what, err)
	}
}

// close ends the proxies, removes everything and gives the number back.
func (n *Network) close() error {
	var group sync.WaitGroup
	for _, h := range n.hosts {
		if h.proxy != nil {
			group.Go(h.proxy.close)
		}
	}
	group.Wait()
	err := n.remove()
	n.unlock()
	return err
}

// remove deletes all that bears this number. With a namespace go the links in it, their other ends, and its rules.
func (n *Network) remove() error {
	var errs []error
	names, err := filepath.Glob(filepath.Join(namespacesDir, n.namespace("*")))
	errs = append(errs, err)
	for _, name := range names {
		_, err := run("ip", "netns", "delete", filepath.Base(name))
		errs = append(errs, err)
	}
	// A process in a namespace that lost its name keeps it alive for a moment, and the link with it.
	if _, err := os.Stat(filepath.Join("/sys/class/net", n.link())); err == nil {
		if _, err := run("ip", "link", "delete", n.link()); err != nil && !strings.Contains(err.Error(), "Cannot find device") {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
