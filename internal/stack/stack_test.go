package stack_test

import (
	"slices"
	"strings"
	"testing"

	"millrace/internal/stack"
)

// caught is what Panic says of what f throws.
func caught(f func()) (text string) {
	defer func() { text = stack.Panic(recover()) }()
	f()
	return ""
}

func throws() {
	var m map[string]int
	m["x"] = 1 //nolint:govet,staticcheck // that it throws is the case
}

func sorts() {
	slices.SortFunc([]int{2, 1}, func(int, int) int { panic("compares nothing") })
}

func again() {
	defer func() { panic("while panicking") }()
	throws()
}

func deep(n int) {
	if n == 0 {
		panic(strings.Repeat("é", 3*stack.BytesMax))
	}
	deep(n - 1)
}

func TestPanicShowsTheUsersFrames(t *testing.T) {
	for name, c := range map[string]struct {
		f     func()
		first string // function
		has   string
	}{
		"of the runtime":        {throws, "millrace/internal/stack_test.throws", "panic: assignment to entry in nil map"},
		"below the library":     {sorts, "millrace/internal/stack_test.sorts.func1", "slices."},
		"while panicking":       {again, "millrace/internal/stack_test.throws", "panic: while panicking"},
		"longer than its bound": {func() { deep(200) }, "millrace/internal/stack_test.deep", "é ..."},
	} {
		t.Run(name, func(t *testing.T) {
			text := caught(c.f)
			lines := strings.Split(text, "\n")
			if len(lines) < 3 || lines[1] != c.first || !strings.Contains(text, c.has) {
				t.Errorf("got %s\nwant %s first, and %q", text, c.first, c.has)
			}
			if len(text) > stack.BytesMax || strings.Contains(text, "testing.tRunner") || strings.Contains(text, "runtime.") {
				t.Errorf("%d bytes, or frames that are nobody's:\n%s", len(text), text)
			}
		})
	}
}

// calls is what runs code of the user's.
func calls(f func()) { f() }

// TestRunning: what is in code of the user's is told from where it is to the last function of the user's, what isn't below the function, or is over, isn't.
func TestRunning(t *testing.T) {
	const under = "millrace/internal/stack_test.calls"
	if got := stack.Running(under); len(got) != 0 {
		t.Fatalf("nothing runs, and it is told %q", got)
	}
	within, release := make(chan struct{}), make(chan struct{})
	wait := func() {
		slices.SortFunc([]int{2, 1}, func(int, int) int {
			within <- struct{}{}
			<-release
			return 0
		})
	}
	ended := make(chan struct{}, 2)
	go func() { defer func() { ended <- struct{}{} }(); calls(wait) }()
	go func() { defer func() { ended <- struct{}{} }(); wait() }()
	<-within
	<-within
	got := stack.Running(under)
	close(release)
	<-ended
	<-ended
	if len(got) != 1 {
		t.Fatalf("%d stacks are told, want the one: %q", len(got), got)
	}
	lines := strings.Split(got[0], "\n")
	if lines[0] != "millrace/internal/stack_test.TestRunning.func1.1" || !strings.Contains(lines[1], "stack_test.go:") || strings.Contains(lines[1], "+0x") || !strings.Contains(got[0], "\nslices.") || !strings.Contains(got[0], under) {
		t.Errorf("it is told as\n%s", got[0])
	}
	if got := stack.Running(under); len(got) != 0 {
		t.Errorf("it is over, and told %q", got)
	}
}
