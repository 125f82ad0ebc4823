package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
)

// lineMax bounds one line of input; go test itself cuts longer lines of output into several events.
const lineMax = 4 << 20

// outputMax bounds the lines of output that are kept for one test; the first and the last are worth most, and a test
// that fails after a million lines says why in the last.
const outputMax = 2000

// event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
	Elapsed    float64
}

// test names a test within a package; the package itself has an empty name.
type test struct{ pkg, name string }

// report gathers events. What passed is forgotten at once.
type report struct {
	w       io.Writer
	output  map[test][]string
	cut     map[test]int
	builds  map[string][]string // output of the compiler
	passed  int
	failed  []test
	skipped []string
	// packages that failed; a package fails also without a failing test: it does not build, panics, or runs out of time.
	badPackages []string
	packages    int
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: map[test][]string{}, cut: map[test]int{}, builds: map[string][]string{}}
}

// read takes events to the end of r. A line that is not an event is printed as it is: go writes some errors plainly.
func (p *report) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineMax)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(p.w, lines.Text())
			continue
		}
		p.take(e)
	}
	return lines.Err()
}

func (p *report) take(e event) {
	at := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		p.keep(at, e.Output)
	case "build-output":
		p.builds[e.ImportPath] = append(p.builds[e.ImportPath], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			p.endPackage(e)
		} else {
			p.endTest(at, e.Action)
		}
	}
}

func (p *report) keep(at test, line string) {
	lines := p.output[at]
	if len(lines) >= outputMax {
		half := outputMax / 2
		lines = append(lines[:half], lines[half+1:]...)
		p.cut[at]++
	}
	p.output[at] = append(lines, line)
}

func (p *report) endTest(at test, action string) {
	switch action {
	case "pass":
		p.passed++
		delete(p.output, at)
	case "skip":
		p.skipped = append(p.skipped, at.pkg+" "+at.name+": "+reason(p.output[at]))
		delete(p.output, at)
	case "fail":
		p.failed = append(p.failed, at)
	}
}

func (p *report) endPackage(e event) {
	if e.Action == "skip" { // no test files
		delete(p.output, test{pkg: e.Package})
		return
	}
	p.packages++
	word := "ok  "
	if e.Action == "fail" {
		word = "FAIL"
		p.badPackages = append(p.badPackages, e.Package)
	} else {
		delete(p.output, test{pkg: e.Package})
	}
	fmt.Fprintf(p.w, "%s %-50s %7.1fs\n", word, e.Package, e.Elapsed)
}

// reason returns what a skipped test said: its output without the frame that go test puts around it.
func reason(lines []string) string {
	var said []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// finish prints the failures, the skipped tests and the count, and reports whether the run was a success.
func (p *report) finish() bool {
	p.printBuilds()
	for _, at := range p.failed {
		p.printOutput(at)
	}
	for _, pkg := range p.badPackages {
		p.printOutput(test{pkg: pkg})
	}
	if len(p.skipped) > 0 {
		fmt.Fprintf(p.w, "\nskipped:\n  %s\n", strings.Join(p.skipped, "\n  "))
	}
	if len(p.failed) > 0 {
		fmt.Fprintln(p.w, "\nfailed:")
		for _, at := range p.failed {
			fmt.Fprintln(p.w, "  "+at.pkg+" "+at.name)
		}
	}
	p.printBadPackages()
	fmt.Fprintf(p.w, "\n%d packages\n%d passed, %d failed, %d skipped\n",
		p.packages, p.passed, len(p.failed)+len(p.withoutFailedTest()), len(p.skipped))
	return len(p.failed) == 0 && len(p.badPackages) == 0 && p.packages > 0
}

func (p *report) printBuilds() {
	var paths []string
	for path := range p.builds {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		fmt.Fprint(p.w, "\n", strings.Join(p.builds[path], ""))
	}
}

func (p *report) printOutput(at test) {
	if len(p.output[at]) == 0 {
		return
	}
	fmt.Fprintf(p.w, "\n==== %s %s\n%s", at.pkg, at.name, strings.Join(p.output[at], ""))
	if n := p.cut[at]; n > 0 {
		fmt.Fprintf(p.w, "(%d lines in the middle are left out)\n", n)
	}
}

func (p *report) printBadPackages() {
	alone := p.withoutFailedTest()
	if len(alone) > 0 {
		fmt.Fprintf(p.w, "\nfailed without a failing test (build, panic or time-out):\n  %s\n", strings.Join(alone, "\n  "))
	}
}

// withoutFailedTest returns the failed packages that no failed test accounts for.
func (p *report) withoutFailedTest() []string {
	has := map[string]bool{}
	for _, at := range p.failed {
		has[at.pkg] = true
	}
	var out []string
	for _, pkg := range p.badPackages {
		if !has[pkg] {
			out = append(out, pkg)
		}
	}
	return out
}
