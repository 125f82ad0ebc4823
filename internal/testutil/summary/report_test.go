package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func run(t *testing.T, input string) (output string, success bool) {
	t.Helper()
	var b strings.Builder
	r := newReport(&b)
	if err := r.read(strings.NewReader(input)); err != nil {
		t.Fatal(err)
	}
	success = r.finish()
	return b.String(), success
}

func TestSuccess(t *testing.T) {
	out, ok := run(t, `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: no broker here\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1.25}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q","Elapsed":0}
`)
	want := `ok   p                                                      1.2s

skipped:
  p TestB: b_test.go:3: no broker here

1 packages
1 passed, 0 failed, 1 skipped
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if !ok {
		t.Error("a success is called a failure")
	}
}

func TestFailures(t *testing.T) {
	out, ok := run(t, `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: 1 != 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p","Elapsed":2}
go: a plain line
{"ImportPath":"q [q.test]","Action":"build-output","Output":"q/q.go:1: syntax error\n"}
{"ImportPath":"q [q.test]","Action":"build-fail"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q","Elapsed":0,"FailedBuild":"q [q.test]"}
`)
	if ok {
		t.Error("failures are called a success")
	}
	for _, want := range []string{
		"go: a plain line\n", "q/q.go:1: syntax error\n", "==== p TestA\n    a_test.go:9: 1 != 2\n",
		"failed:\n  p TestA\n", "(build, panic or time-out):\n  q\n", "\n0 passed, 2 failed, 0 skipped\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestNothingRanIsNoSuccess(t *testing.T) {
	if _, ok := run(t, ""); ok {
		t.Error("an empty run is called a success")
	}
}

func TestLongOutputKeepsBothEnds(t *testing.T) {
	var in strings.Builder
	in.WriteString(`{"Action":"output","Package":"p","Test":"T","Output":"first\n"}` + "\n")
	in.WriteString(strings.Repeat(`{"Action":"output","Package":"p","Test":"T","Output":"noise\n"}`+"\n", 2*outputMax))
	in.WriteString(`{"Action":"output","Package":"p","Test":"T","Output":"last\n"}` + "\n")
	in.WriteString(`{"Action":"fail","Package":"p","Test":"T"}` + "\n")
	out, _ := run(t, in.String())
	for _, want := range []string{"first\nnoise\n", "noise\nlast\n(2002 lines in the middle are left out)\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
