package demo

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The input: two bids on auction 7 in one window, one in the next, one on auction 8.
var input = []string{
	`{"auction":7,"bidder":1,"price":100,"dateTime":"2015-07-15 00:00:01","extra":""}`,
	`{"auction":7,"bidder":2,"price":300,"dateTime":"2015-07-15 00:00:09.999","extra":""}`,
	`{"auction":7,"bidder":2,"price":200,"dateTime":"2015-07-15 00:00:10","extra":""}`,
	`{"auction":8,"bidder":2,"price":50,"dateTime":"2015-07-15 00:00:03.5","extra":""}`,
}

var output = []string{
	`{"auction":8,"window_start":"2015-07-15 00:00:00","window_end":"2015-07-15 00:00:10","bids":1,"total":50,"highest":50}`,
	`{"auction":7,"window_start":"2015-07-15 00:00:00","window_end":"2015-07-15 00:00:10","bids":2,"total":400,"highest":300}`,
	`{"auction":7,"window_start":"2015-07-15 00:00:10","window_end":"2015-07-15 00:00:20","bids":1,"total":200,"highest":200}`,
}

func check(t *testing.T, output ...string) *verification {
	t.Helper()
	v := newVerification()
	for _, record := range input {
		if err := v.input([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	for _, record := range output {
		if err := v.output([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	v.finish()
	return v
}

func TestVerificationAcceptsWhatTheInputDemands(t *testing.T) {
	if v := check(t, output...); !v.ok() || v.bids != 4 || v.results != 3 {
		t.Errorf("%d bids, %d results: %s", v.bids, v.results, v.complaint())
	}
}

// The oracle is worth what it finds: each kind of wrong output is planted.
func TestVerificationFindsPlantedFaults(t *testing.T) {
	cases := map[string]struct {
		output []string
		want   string
	}{
		"missing":      {output[:2], "1 missing, 0 twice, 0 different, 0 unexpected\n  auction 7, window 2015-07-15 00:00:10: missing: {Bids:1 Total:200 Highest:200}"},
		"nothing":      {nil, "3 missing, 0 twice, 0 different, 0 unexpected"},
		"twice":        {append(output[:3:3], output[1]), "0 missing, 1 twice, 0 different, 0 unexpected"},
		"a bid twice":  {[]string{output[0], strings.Replace(output[1], `400`, `700`, 1), output[2]}, "0 missing, 0 twice, 1 different, 0 unexpected"},
		"wrong end":    {[]string{output[0], output[1], strings.Replace(output[2], "00:00:20", "00:00:30", 1)}, "0 missing, 0 twice, 1 different, 0 unexpected"},
		"wrong window": {[]string{output[0], output[1], strings.Replace(output[2], "00:00:10", "00:00:20", 1)}, "1 missing, 0 twice, 0 different, 1 unexpected"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := check(t, c.output...)
			if v.ok() || !strings.Contains(v.complaint(), c.want) {
				t.Errorf("ok %v: %s", v.ok(), v.complaint())
			}
		})
	}
}

func TestVerificationOfNothingIsNoSuccess(t *testing.T) {
	v := newVerification()
	if v.finish(); v.ok() {
		t.Error("an empty input proves nothing")
	}
}

func TestVerificationRefusesWhatItCannotRead(t *testing.T) {
	v := newVerification()
	for _, record := range []string{"", "{", `{"auction":"x"}`, `{"auction":7,"price":1,"dateTime":"yesterday"}`} {
		if v.input([]byte(record)) == nil {
			t.Errorf("input %q is accepted", record)
		}
	}
	if v.output([]byte(`{"auction":7,"window_start":""}`)) == nil {
		t.Error("output without a window is accepted")
	}
}

// The demo runs the main job itself and not a likeness of it.
func TestTheGraphIsTheMainJob(t *testing.T) {
	want, err := os.ReadFile("../../jobgraph/testdata/bids-per-auction.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mainJob, want) {
		t.Error("bids-per-auction.json differs from that of jobgraph/testdata: copy it")
	}
	g, err := countGraph(topics{"a", "b"}, "localhost:1")
	if err != nil {
		t.Fatal(err)
	}
	if o := g.Vertices[0].Source.Options; o["topic"] != "a" || o["scan.bounded.mode"] != "latest-offset" {
		t.Errorf("source options %v", o)
	}
	if o := g.Vertices[1].Sink.Options; o["topic"] != "b" || o["sink.delivery-guarantee"] != "exactly-once" {
		t.Errorf("sink options %v", o)
	}
}
