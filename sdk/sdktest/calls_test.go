package sdktest_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// verdict is a test that can be looked at: what it was told, and its end.
type verdict struct {
	texts []string
	ends  []func()
}

func (*verdict) Helper() {}
func (v *verdict) Errorf(format string, args ...any) {
	v.texts = append(v.texts, fmt.Sprintf(format, args...))
}
func (v *verdict) Cleanup(f func()) { v.ends = append(v.ends, f) }
func (v *verdict) Fatalf(format string, args ...any) {
	v.Errorf(format, args...)
	runtime.Goexit()
}

// judged runs a test to its end and returns what it was told.
func judged(test func(t sdktest.T)) string {
	v := &verdict{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, end := range v.ends {
				end()
			}
		}()
		test(v)
	}()
	<-done
	return strings.Join(v.texts, "\n")
}

// The words of a test that fails say what is wrong and what helps.
func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		test func(sdktest.T)
		want []string
	}{
		"nothing": {func(t sdktest.T) { sdktest.Start(t, doubled, sdktest.Options{}) }, nil},
		"no such source": {func(t sdktest.T) {
			sdktest.Push(sdktest.Start(t, doubled, sdktest.Options{}), "inn", int64(1))
		}, []string{`no source "inn"`, "[in]"}},
		"another type": {func(t sdktest.T) {
			sdktest.Push(sdktest.Start(t, doubled, sdktest.Options{}), "in", "one")
		}, []string{`the source "in" reads`, "BIGINT", "STRING", "string"}},
		"no such sink": {func(t sdktest.T) {
			sdktest.Rows[int64](sdktest.Start(t, doubled, sdktest.Options{}), "in")
		}, []string{`no sink "in"`, "[out]"}},
		"no such split": {func(t sdktest.T) {
			sdktest.PushSplit(sdktest.Start(t, doubled, sdktest.Options{}), "in", 1, int64(1))
		}, []string{"1 splits", "Options.Splits"}},
		"no event time": {func(t sdktest.T) {
			sdktest.Start(t, doubled, sdktest.Options{}).Watermark("in", at(1))
		}, []string{"no event time", "rowtime"}},
		"after the end": {func(t sdktest.T) {
			p := sdktest.Start(t, doubled, sdktest.Options{})
			p.End()
			sdktest.Push(p, "in", int64(1))
		}, []string{`source "in" has ended`}},
		"a job that fails": {func(t sdktest.T) {
			sdktest.Push(sdktest.Start(t, picky, sdktest.Options{}), "in", int64(1), int64(-1))
		}, []string{"the job fails", "map picky (calls_test.go:", "no negative numbers", "row -1", "source in, split 0, row 0"}},
		"a function that panics": {func(t sdktest.T) {
			sdktest.Push(sdktest.Start(t, func(e *sdk.Env) {
				sdk.Map(sdk.From[int64](e, "in", anywhere), func(n *int64) (int64, error) { return 1 / *n, nil }).To("out", anywhere)
			}, sdktest.Options{}), "in", int64(0))
		}, []string{"the job fails", "divide by zero", "calls_test.go:"}},
		"a job that does not fail": {func(t sdktest.T) {
			p := sdktest.Start(t, picky, sdktest.Options{})
			_ = p.Failure(func() { sdktest.Push(p, "in", int64(1)) })
		}, []string{"has not failed"}},
		"a job that has failed": {func(t sdktest.T) {
			p := sdktest.Start(t, picky, sdktest.Options{})
			_ = p.Failure(func() { sdktest.Push(p, "in", int64(-1)) })
			sdktest.Push(p, "in", int64(1))
		}, []string{"has failed, and Crash was not called", "no negative numbers"}},
		"everything that is wrong": {func(t sdktest.T) {
			sdktest.Start(t, func(e *sdk.Env) {
				sdk.From[chan int](e, "channels", anywhere)
				sdk.From[int64](e, "in", anywhere)
				e.Require("TOPIC")
			}, sdktest.Options{})
		}, []string{"the job can't run", "chan int", "goes nowhere", "no TOPIC", "calls_test.go:"}},
		"nothing is wrong": {func(t sdktest.T) { _ = sdktest.Refused(t, doubled, sdktest.Options{}) }, []string{"nothing is wrong"}},
		"updates as rows": {func(t sdktest.T) {
			p := sdktest.Start(t, doubled, sdktest.Options{})
			sdktest.PushChanges(p, "in", sdktest.Change[int64]{Kind: sdk.Delete, Row: 4})
			sdktest.Rows[int64](p, "out")
		}, []string{"-D8", "sdktest.Changes"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := judged(c.test)
			if len(c.want) == 0 && got != "" {
				t.Errorf("the test fails: %s", got)
			}
			if strings.Contains(got, "given back") {
				t.Errorf("a test that fails leaks: %s", got)
			}
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s\nhas no %q", got, want)
				}
			}
		})
	}
}

func picky(e *sdk.Env) {
	sdk.Map(sdk.From[int64](e, "in", anywhere), func(n *int64) (int64, error) {
		if *n < 0 {
			return 0, errNegative
		}
		return *n, nil
	}, sdk.UID("picky")).To("out", anywhere)
}

var errNegative = errors.New("no negative numbers")

func TestFailure(t *testing.T) {
	p := sdktest.Start(t, picky, sdktest.Options{})
	sdktest.Push(p, "in", int64(1))
	p.Checkpoint()
	err := p.Failure(func() {
		sdktest.Push(p, "in", int64(2))
		sdktest.Push(p, "in", int64(-1))
		sdktest.Push(p, "in", int64(3))
	})
	if !errors.Is(err, errNegative) {
		t.Errorf("the job fails with %v", err)
	}
	// The row is still there when the job runs again.
	if err := p.Failure(p.Crash); !errors.Is(err, errNegative) {
		t.Errorf("the job fails with %v", err)
	}
	same(t, "rows", sdktest.Committed[int64](p, "out"), []int64{1})
}

func TestRefused(t *testing.T) {
	err := sdktest.Refused(t, func(e *sdk.Env) {
		sdk.KeyedProcess(sdk.KeyByFields[string](sdk.From[click](e, "clicks", anywhere), "usr"), "p", func(*sdk.Setup) sdk.Processor[string, click, int64] {
			return sdk.Processor[string, click, int64]{}
		}).To("out", anywhere)
		sdk.From[click](e, "clicks", anywhere).To("copy", anywhere)
	}, sdktest.Options{})
	for _, want := range []string{`no column "usr"`, `uid "clicks"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nhas no %q", err, want)
		}
	}
}

// tester stands for the *testing.T that an example has not.
type tester struct{}

func (tester) Helper()                           {}
func (tester) Cleanup(func())                    {}
func (tester) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (tester) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
