package exactlyonce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/internal/testutil/realkafka"
)

// The main job's window and delay.
const (
	windowMillis = 10_000
	delayMillis  = 4_000
)

// timeLayout is the JSON format's.
const timeLayout = "2006-01-02 15:04:05.999999999"

// bid is what counts of an input record.
type bid struct {
	auction, price, millis int64
}

func (b bid) window() int64 { return b.millis - b.millis%windowMillis }

// key names a result: an auction in the window that begins at that millisecond.
type key struct{ auction, window int64 }

// figures are a result.
type figures struct{ bids, total, highest int64 }

// model is what the output must be, computed as plainly as can be.
type model map[key]figures

func (m model) add(b bid) {
	k := key{b.auction, b.window()}
	f := m[k]
	m[k] = figures{f.bids + 1, f.total + b.price, max(f.highest, b.price)}
}

func (m model) bids() (n int64) {
	for _, f := range m {
		n += f.bids
	}
	return n
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

func (r result) parse() (key, figures, error) {
	start, err := time.Parse(timeLayout, r.WindowStart)
	if err != nil {
		return key{}, figures{}, err
	}
	end, err := time.Parse(timeLayout, r.WindowEnd)
	if err == nil && end.Sub(start).Milliseconds() != windowMillis {
		err = fmt.Errorf("window from %s to %s", r.WindowStart, r.WindowEnd)
	}
	return key{r.Auction, start.UnixMilli()}, figures{r.Bids, r.Total, r.Highest}, err
}

// comparison says how the output differs from the model.
type comparison struct {
	records                               int
	missing, twice, different, unexpected int
	examples                              []string
}

func (c *comparison) wrong(n *int, format string, args ...any) {
	*n++
	if len(c.examples) < 10 {
		c.examples = append(c.examples, fmt.Sprintf(format, args...))
	}
}

func (c *comparison) String() string {
	return fmt.Sprintf("%d records: %d missing, %d twice, %d different, %d unexpected\n  %s",
		c.records, c.missing, c.twice, c.different, c.unexpected, strings.Join(c.examples, "\n  "))
}

func (c *comparison) exact() bool { return c.missing+c.twice+c.different+c.unexpected == 0 }

// compare holds results against the model, each by itself.
func (m model) compare(results []result) (*comparison, error) {
	c := &comparison{records: len(results)}
	seen := make(map[key]bool, len(m))
	for _, r := range results {
		k, got, err := r.parse()
		if err != nil {
			return nil, fmt.Errorf("output %+v: %w", r, err)
		}
		want, ok := m[k]
		switch {
		case !ok:
			c.wrong(&c.unexpected, "not in the model: %+v", r)
		case seen[k]:
			c.wrong(&c.twice, "once more: %+v", r)
		case got != want:
			c.wrong(&c.different, "%+v, want %+v", r, want)
		}
		seen[k] = true
	}
	for k, want := range m {
		if !seen[k] {
			c.wrong(&c.missing, "missing: %+v %+v", k, want)
		}
	}
	return c, nil
}

// readAll reads the committed records of a topic with Kafka's own console consumer. How many there are is asked of the
// broker first, which spares the wait for more.
func readAll[T any](ctx context.Context, t *testing.T, b *realkafka.Broker, topic string) []T {
	t.Helper()
	n := committed(ctx, t, b, topic)
	if n == 0 {
		return nil
	}
	all, err := readRecords[T](ctx, b, topic, n)
	for tries := 0; errors.Is(err, realkafka.ErrNotStarted) && tries < consoleTries; tries++ {
		all, err = readRecords[T](ctx, b, topic, n)
	}
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(all)) != n {
		t.Errorf("the console consumer found %d records in %s, the broker has %d", len(all), topic, n)
	}
	return all
}

func readRecords[T any](ctx context.Context, b *realkafka.Broker, topic string, n int64) (all []T, err error) {
	options := realkafka.ConsoleOptions{Topic: topic, Isolation: realkafka.ReadCommitted, RecordsMax: int(n), IdleTime: consoleIdleTime}
	for value, err := range b.ConsoleConsumer(ctx, options) {
		if err != nil {
			return nil, err
		}
		var r T
		if err := json.Unmarshal(value, &r); err != nil {
			return nil, fmt.Errorf("record of %s: %q: %w", topic, value, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// consoleTries is how often the reader is started again where its Java machine does not come up.
const consoleTries = 5

// consoleIdleTime is generous: only a reader that finds less than there is waits for so long.
const consoleIdleTime = 20 * time.Second

// committed returns how many records of a topic are committed.
func committed(ctx context.Context, t *testing.T, b *realkafka.Broker, topic string) int64 {
	t.Helper()
	tail, err := b.Tail(topic)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	n, err := tail.Count(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// verify compares a topic with the model.
func verify(ctx context.Context, t *testing.T, b *realkafka.Broker, topic string, want model) *comparison {
	t.Helper()
	c, err := want.compare(readAll[result](ctx, t, b, topic))
	if err != nil {
		t.Fatal(err)
	}
	if !c.exact() {
		t.Errorf("%s is not what %d bids demand: %v", topic, want.bids(), c)
	}
	return c
}

// TestComparisonFindsEveryKind is the test of the oracle.
func TestComparisonFindsEveryKind(t *testing.T) {
	m := model{}
	for i := range int64(4) {
		m.add(bid{auction: i, price: 10 * i, millis: 5})
	}
	right := func(auction int64) result {
		return result{auction, "1970-01-01 00:00:00", "1970-01-01 00:00:10", 1, 10 * auction, 10 * auction}
	}
	off := right(2)
	off.Highest++
	for _, test := range []struct {
		name    string
		results []result
		want    comparison
	}{
		{"exact", []result{right(3), right(1), right(0), right(2)}, comparison{records: 4}},
		{"missing", []result{right(0), right(1), right(2)}, comparison{records: 3, missing: 1}},
		{"twice", []result{right(0), right(1), right(2), right(3), right(1)}, comparison{records: 5, twice: 1}},
		{"different", []result{right(0), right(1), off, right(3)}, comparison{records: 4, different: 1}},
		{"unexpected", []result{right(0), right(1), right(2), right(3), right(9)}, comparison{records: 5, unexpected: 1}},
	} {
		got, err := m.compare(test.results)
		if err != nil {
			t.Fatal(err)
		}
		got.examples = nil
		if got.String() != test.want.String() {
			t.Errorf("%s: %v, want %v", test.name, got, &test.want)
		}
	}
	long := right(1)
	long.WindowEnd = "1970-01-01 00:00:20"
	if _, err := m.compare([]result{long}); err == nil {
		t.Error("a window of another size is taken")
	}
}

// lateness tells, row by row of one partition, which rows are late: those whose window has ended at or before the
// watermark that the rows before them make.
type lateness struct {
	highest int64
	any     bool
}

func (l *lateness) late(b bid) bool {
	late := l.any && b.window()+windowMillis-1 <= l.highest-delayMillis-1
	l.highest, l.any = max(l.highest, b.millis), true
	return late
}
