package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk/sdktest"
)

func at(seconds int) time.Time { return time.Unix(int64(seconds), 0).UTC() }

// By row and by column the totals are the same, also behind a crash.
func TestBids(t *testing.T) {
	for _, args := range [][]string{nil, {"-columns"}} {
		p := sdktest.Start(t, job, sdktest.Options{Args: args, Parallelism: 2})
		sdktest.Push(p, "bids", Bid{1, 10, at(0)}, Bid{2, 7, at(3)}, Bid{1, 30, at(9)})
		p.Checkpoint()
		sdktest.Push(p, "bids", Bid{1, 20, at(10)}, Bid{2, 8, at(30)})
		p.Crash()
		p.End()
		got := sdktest.Committed[Total](p, "totals")
		slices.SortFunc(got, func(a, b Total) int {
			if c := a.WindowStart.Compare(b.WindowStart); c != 0 {
				return c
			}
			return int(a.Auction - b.Auction)
		})
		want := []Total{
			{1, at(0), at(10), 2, 40, 30}, {2, at(0), at(10), 1, 7, 7}, {1, at(10), at(20), 1, 20, 20}, {2, at(30), at(40), 1, 8, 8},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v (-want +got):\n%s", args, d)
		}
	}
}
