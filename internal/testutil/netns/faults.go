package netns

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// everybody is the port of whoever it is.
const everybody = ""

// way is a direction between two ports of the switch.
type way struct{ from, to string }

// faults are what the switch does to frames.
type faults struct {
	cut  map[way]bool
	loss map[string]int // percent, by port
}

// Isolate cuts the host off from peers, or from everybody if none is named, in both directions.
func (h *Host) Isolate(peers ...*Host) {
	h.network.t.Helper()
	h.cut(peers, true, true)
}

// Deafen keeps from the host what peers, or everybody if none is named, send to it. They hear it.
func (h *Host) Deafen(peers ...*Host) {
	h.network.t.Helper()
	h.cut(peers, true, false)
}

// Mute keeps from peers, or from everybody if none is named, what the host sends to them. It hears them.
func (h *Host) Mute(peers ...*Host) {
	h.network.t.Helper()
	h.cut(peers, false, true)
}

func (h *Host) cut(peers []*Host, in, out bool) {
	h.network.t.Helper()
	ports := []string{everybody}
	if len(peers) > 0 {
		ports = nil
	}
	for _, p := range peers {
		ports = append(ports, p.port())
	}
	f := &h.network.faults
	if f.cut == nil {
		f.cut = make(map[way]bool)
	}
	for _, p := range ports {
		if in {
			f.cut[way{p, h.port()}] = true
		}
		if out {
			f.cut[way{h.port(), p}] = true
		}
	}
	h.network.must("cut host "+h.name+" off", h.network.applyRules())
}

// Lose throws away so many packets of a hundred, drawn at random, of those that come to the host and of those that it sends.
func (h *Host) Lose(percent int) {
	h.network.t.Helper()
	if percent < 0 || percent > 100 {
		h.network.t.Fatalf("host %s: %d%% of packets", h.name, percent)
	}
	f := &h.network.faults
	if f.loss == nil {
		f.loss = make(map[string]int)
	}
	f.loss[h.port()] = percent
	h.network.must("lose packets of host "+h.name, h.network.applyRules())
}

// Limit makes the host's link as narrow as that in each direction.
func (h *Host) Limit(bytesPerSecond int) {
	h.network.t.Helper()
	bucket := []string{
		"root", "tbf", "rate", fmt.Sprintf("%dbit", 8*bytesPerSecond), "burst", fmt.Sprint(burstBytes),
		"latency", fmt.Sprintf("%dms", queueMillis),
	}
	for _, end := range h.ends() {
		_, err := run("tc", append([]string{"-n", end.namespace, "qdisc", "replace", "dev", end.link}, bucket...)...)
		h.network.must("limit host "+h.name, err)
	}
}

// Delay makes every byte of the connections of an interposed host take that much longer, in each direction.
func (h *Host) Delay(d time.Duration) {
	h.network.t.Helper()
	if h.proxy == nil {
		h.network.t.Fatalf("delay host %s: it is not interposed", h.name)
	}
	h.proxy.delay.Store(int64(d))
}

// Heal ends everything that was done to the host, also cuts that were asked of its peers.
func (h *Host) Heal() {
	h.network.t.Helper()
	f := &h.network.faults
	maps.DeleteFunc(f.cut, func(w way, _ bool) bool { return w.from == h.port() || w.to == h.port() })
	delete(f.loss, h.port())
	h.network.must("heal host "+h.name, h.network.applyRules())
	for _, end := range h.ends() {
		// An error means that there is no limit to remove.
		_, _ = run("tc", "-n", end.namespace, "qdisc", "delete", "dev", end.link, "root")
	}
	if h.proxy != nil {
		h.proxy.delay.Store(0)
	}
}

// end is one end of a link.
type end struct{ namespace, link string }

func (h *Host) ends() []end {
	return []end{{h.network.namespace(switchName), h.port()}, {h.namespace(), hostLink}}
}

// applyRules puts all rules in place of the old ones, at once.
func (n *Network) applyRules() error {
	return runInput(n.faults.rules(), "ip", "netns", "exec", n.namespace(switchName), tool("nft"), "-f", "-")
}

// rules are the switch's, in the language of nft. The declaration before the deletion makes it hold the first time, too.
func (f *faults) rules() string {
	var b strings.Builder
	b.WriteString("table bridge millrace {}\ndelete table bridge millrace\ntable bridge millrace {\nchain forward {\n")
	b.WriteString("type filter hook forward priority 0; policy accept;\nmeta protocol != ip accept\n")
	for _, w := range slices.SortedFunc(maps.Keys(f.cut), func(a, b way) int { return strings.Compare(a.from+" "+a.to, b.from+" "+b.to) }) {
		b.WriteString(match("iifname", w.from) + match("oifname", w.to) + "drop\n")
	}
	for _, port := range slices.Sorted(maps.Keys(f.loss)) {
		for _, side := range []string{"iifname", "oifname"} {
			b.WriteString(match(side, port) + drawn(f.loss[port]) + "drop\n")
		}
	}
	b.WriteString("}\n}\n")
	return b.String()
}

// drawn matches so many packets of a hundred. nft takes no bound that holds for all of them.
func drawn(percent int) string {
	if percent == 100 {
		return ""
	}
	return fmt.Sprintf("numgen random mod 100 < %d ", percent)
}

func match(side, port string) string {
	if port == everybody {
		return ""
	}
	return fmt.Sprintf("%s %q ", side, port)
}
