package sdktest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

type asked struct {
	ID int64
}

// Calls of async functions are waited for; behind a crash they are made again, and each answer comes once.
func TestAsync(t *testing.T) {
	var calls atomic.Int64
	job := func(e *sdk.Env) {
		in := sdk.From[asked](e, "in", sdk.Connect{Name: "blackhole"})
		sdk.Async(in, "ask", func(_ context.Context, a asked) (string, error) {
			if calls.Add(1); a.ID < 0 {
				return "", errors.New("nobody knows")
			}
			return fmt.Sprint("answer ", a.ID), nil
		}, sdk.Calls[asked, string]{Capacity: 3}).To("out", sdk.Connect{Name: "blackhole"})
	}
	p := sdktest.Start(t, job, sdktest.Options{})
	for i := range int64(10) {
		sdktest.Push(p, "in", asked{i})
	}
	p.Checkpoint()
	sdktest.Push(p, "in", asked{10}, asked{11})
	p.Crash()
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint("answer ", i))
	}
	got := sdktest.Rows[string](p, "out")
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := calls.Load(); n < 14 {
		t.Errorf("%d calls, of which two must have been made again", n)
	}
	err := p.Failure(func() { sdktest.Push(p, "in", asked{-1}) })
	if err == nil || !strings.Contains(err.Error(), "nobody knows") {
		t.Errorf("%v", err)
	}
}
