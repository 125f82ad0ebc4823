package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk/sdktest"
)

func at(seconds int) time.Time { return time.Unix(int64(seconds), 0).UTC() }

// Payments are looked at in the order of their times, by the rules that there are then.
func TestFraud(t *testing.T) {
	p := sdktest.Start(t, job, sdktest.Options{Parallelism: 2})
	sdktest.Push(p, "rules", Rule{"quick", 5, 500, 10}, Rule{"gone", 1000, 0, 10})
	sdktest.Push(p, "rules", Rule{Name: "gone"})
	sdktest.Push(p, "payments", Payment{"a", 600, at(8)}, Payment{"a", 3, at(5)}, Payment{"b", 3, at(5)})
	p.Watermark("payments", at(9))
	p.Checkpoint()
	sdktest.Push(p, "payments", Payment{"a", 700, at(14)}, Payment{"b", 900, at(16)})
	p.Crash()
	sdktest.Push(p, "rules", Rule{"quick", 5, 500, 20})
	p.Watermark("payments", at(20))
	sdktest.Push(p, "payments", Payment{"b", 900, at(24)})
	p.End()
	want := map[Alert]int{
		{"a", "quick", 3, 600, at(8)}: 1, {"a", "quick", 3, 700, at(14)}: 1, {"b", "quick", 3, 900, at(16)}: 1, {"b", "quick", 3, 900, at(24)}: 1,
	}
	got := make(map[Alert]int)
	for _, a := range sdktest.Committed[Alert](p, "alerts") {
		got[a]++
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
