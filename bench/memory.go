package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// resident returns the memory of this process that is in RAM, now and at its
// most since resetPeak. Where the system does not tell (there is no /proc), both
// are the most that there ever was, by getrusage.
func resident() (now, peak int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		now, peak = statusBytes(string(status), "VmRSS:"), statusBytes(string(status), "VmHWM:")
	}
	if now > 0 && peak > 0 {
		return now, peak
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, 0 // never for this one
	}
	return r.Maxrss << 10, r.Maxrss << 10
}

// statusBytes reads a line of the form "VmRSS:   1234 kB"; 0 if there is none.
func statusBytes(status, name string) int64 {
	_, rest, _ := strings.Cut(status, name)
	text, _, _ := strings.Cut(rest, "kB")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// resetPeak makes the peak begin again. Where the system can't, it stays that of
// the process so far.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
