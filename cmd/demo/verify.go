package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"millrace/failure"
)

// window is the main job's.
const window = 10 * time.Second

// layout is how the json format writes timestamps.
const layout = "2006-01-02 15:04:05.999999999"

// key names one result: an auction in a window, by the window's first millisecond.
type key struct {
	auction int64
	start   int64
}

// figures are what a window holds of an auction.
type figures struct {
	Bids, Total, Highest int64
}

// bid is what counts of a record of the input.
type bid struct {
	Auction  int64  `json:"auction"`
	Price    int64  `json:"price"`
	DateTime string `json:"dateTime"`
}

// result is a record of the output.
type result struct {
	Auction     int64  `json:"auction"`
	WindowStart string `json:"window_start"`
	WindowEnd   string `json:"window_end"`
	Bids        int64  `json:"bids"`
	Total       int64  `json:"total"`
	Highest     int64  `json:"highest"`
}

// verification compares the output with what the input demands. Use newVerification.
type verification struct {
	expected map[key]figures
	seen     map[key]bool

	bids    int64 // in the input
	results int64 // in the output
	// What is wrong, with the first of each kind.
	missing, twice, different, unexpected int64
	examples                              []string
}

// examplesMax bounds how many mismatches are named.
const examplesMax = 10

func newVerification() *verification {
	return &verification{expected: map[key]figures{}, seen: map[key]bool{}}
}

// verify reads both topics.
func verify(ctx context.Context, k *kafka, t topics) (*verification, error) {
	v := newVerification()
	if err := k.read(ctx, t.in, v.input); err != nil {
		return nil, err
	}
	if err := k.read(ctx, t.out, v.output); err != nil {
		return nil, err
	}
	v.finish()
	return v, nil
}

// input takes a record of the input topic.
func (v *verification) input(value []byte) error {
	var b bid
	if err := json.Unmarshal(value, &b); err != nil {
		return failure.Internalf("input %q: %w", value, err)
	}
	at, err := time.Parse(layout, b.DateTime)
	if err != nil {
		return failure.Internalf("input %q: %w", value, err)
	}
	k := key{b.Auction, at.UnixMilli() - at.UnixMilli()%window.Milliseconds()}
	f := v.expected[k]
	v.expected[k] = figures{f.Bids + 1, f.Total + b.Price, max(f.Highest, b.Price)}
	v.bids++
	return nil
}

// output takes a record of the output topic, after the whole input.
func (v *verification) output(value []byte) error {
	var r result
	if err := json.Unmarshal(value, &r); err != nil {
		return failure.Internalf("output %q: %w", value, err)
	}
	start, err := time.Parse(layout, r.WindowStart)
	if err != nil {
		return failure.Internalf("output %q: %w", value, err)
	}
	v.results++
	k, got := key{r.Auction, start.UnixMilli()}, figures{r.Bids, r.Total, r.Highest}
	want, ok := v.expected[k]
	switch {
	case !ok:
		v.wrong(&v.unexpected, k, "not in the input: %+v", got)
	case v.seen[k]:
		v.wrong(&v.twice, k, "once more: %+v", got)
	case got != want || !sameTime(r.WindowEnd, start.Add(window)):
		v.wrong(&v.different, k, "%+v until %s, must be %+v", got, r.WindowEnd, want)
	}
	v.seen[k] = true
	return nil
}

func sameTime(text string, want time.Time) bool {
	got, err := time.Parse(layout, text)
	return err == nil && got.Equal(want)
}

// finish finds what the output lacks.
func (v *verification) finish() {
	for k, want := range v.expected {
		if !v.seen[k] {
			v.wrong(&v.missing, k, "missing: %+v", want)
		}
	}
}

func (v *verification) wrong(count *int64, k key, format string, args ...any) {
	*count++
	if len(v.examples) < examplesMax {
		at := time.UnixMilli(k.start).UTC().Format(time.DateTime)
		v.examples = append(v.examples, fmt.Sprintf("auction %d, window %s: ", k.auction, at)+fmt.Sprintf(format, args...))
	}
}

func (v *verification) ok() bool {
	return v.bids > 0 && v.missing == 0 && v.twice == 0 && v.different == 0 && v.unexpected == 0
}

// complaint names what is wrong, with examples.
func (v *verification) complaint() string {
	return fmt.Sprintf("of %d windows %d missing, %d twice, %d different, %d unexpected\n  %s",
		len(v.expected), v.missing, v.twice, v.different, v.unexpected, strings.Join(v.examples, "\n  "))
}
