package nexmark_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"millrace/internal/testutil/matrix"
)

// onTheClock is the query whose windows are of processing time. Which rows fall into one is open, and those that are not over when the input
// ends have no result. So it reads without an end, and is cancelled when its windows hold every bid.
const onTheClock = "q12"

// unbounded are the options of the table of events that end it, and what stands in their place.
var unbounded = map[string]string{
	"'scan.bounded.mode' = 'specific-offsets',":      "",
	"'scan.bounded.specific-offsets' = '${ENDS}',\n": "",
}

// TestNexmarkOnTheClock sums over all windows by bidder.
func TestNexmarkOnTheClock(t *testing.T) {
	var all []configuration
	for _, parallelism := range []int{1, 2, 4} {
		for _, crash := range []bool{false, true} {
			all = append(all, configuration{parallelism: parallelism, crash: crash})
		}
	}
	for _, c := range matrix.Sample(t, 1, all) {
		t.Run(c.String(), func(t *testing.T) {
			r := newRun(t, onTheClock, c, unbounded)
			want := expected(t, r)
			r.start(t)
			r.going.Until(t, "every bid is in a window that is over", func() bool {
				return bidCount(t, r.rows.records(t)) >= bidCount(t, want)
			})
			r.going.Drop()
			got := r.rows.records(t)
			windowsOfTenSeconds(t, got)
			if diff := compare(t, want, summed(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func count(t *testing.T, r record) int64 {
	t.Helper()
	n, err := r["bid_count"].(json.Number).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func bidCount(t *testing.T, rows []record) (n int64) {
	t.Helper()
	for _, r := range rows {
		n += count(t, r)
	}
	return n
}

// summed adds up the windows of each bidder.
func summed(t *testing.T, rows []record) (out []record) {
	t.Helper()
	sums := make(map[string]int64)
	for _, r := range rows {
		sums[fmt.Sprint(r["bidder"])] += count(t, r)
	}
	for bidder, n := range sums {
		out = append(out, record{"bidder": json.Number(bidder), "bid_count": number(n)})
	}
	return out
}

// windowsOfTenSeconds checks when windows begin and end.
func windowsOfTenSeconds(t *testing.T, rows []record) {
	t.Helper()
	for _, r := range rows {
		var seconds [2]int64
		for i, name := range []string{"starttime", "endtime"} {
			text, _ := r[name].(string)
			if !strings.Contains(text, ".") {
				text += ".000"
			}
			seconds[i] = timeOf(t, text).Unix()
		}
		if seconds[0]%10 != 0 || seconds[1]-seconds[0] != 10 {
			t.Errorf("a window from %v to %v", r["starttime"], r["endtime"])
		}
	}
}
