package platformtest

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
	WindowMillis = 10_000
	DelayMillis  = 4_000
)

// TimeLayout is the JSON format's.
const TimeLayout = "2006-01-02 15:04:05.999999999"

// Bid is what counts of an input record.
type Bid struct {
	Auction, Price, Millis int64
}

// Window is when the bid's window begins.
func (b Bid) Window() int64 { return b.Millis - b.Millis%WindowMillis }

// Key names a result: an auction in the window that begins at that millisecond.
type Key struct{ Auction, Window int64 }

// Figures are a result.
type Figures struct{ Bids, Total, Highest int64 }

// Model is what the output must be, computed as plainly as can be.
type Model map[Key]Figures

// Add folds a bid.
func (m Model) Add(b Bid) {
	k := Key{b.Auction, b.Window()}
	f := m[k]
	m[k] = Figures{f.Bids + 1, f.Total + b.Price, max(f.Highest, b.Price)}
}

// Bids is how many bids were folded.
func (m Model) Bids() (n int64) {
	for _, f := range m {
		n += f.Bids
	}
	return n
}

// Result is a record of the output.
type Result struct {
	Auction     int64  `json:"auction"`
	WindowStart string `json:"window_start"`
	WindowEnd   string `json:"window_end"`
	Bids        int64  `json:"bids"`
	Total       int64  `json:"total"`
	Highest     int64  `json:"highest"`
}

// Parse returns what the record says.
func (r Result) Parse() (Key, Figures, error) {
	start, err := time.Parse(TimeLayout, r.WindowStart)
	if err != nil {
		return Key{}, Figures{}, err
	}
	end, err := time.Parse(TimeLayout, r.WindowEnd)
	if err == nil && end.Sub(start).Milliseconds() != WindowMillis {
		err = fmt.Errorf("window from %s to %s", r.WindowStart, r.WindowEnd)
	}
	return Key{r.Auction, start.UnixMilli()}, Figures{r.Bids, r.Total, r.Highest}, err
}

// Comparison says how the output differs from the model.
type Comparison struct {
	Records                               int
	missing, twice, different, unexpected int
	// Lost and Doubled are records of the input: those that are in no result, and those that are counted once more.
	Lost, Doubled int64
	examples      []string
}

func (c *Comparison) wrong(n *int, format string, args ...any) {
	*n++
	if len(c.examples) < 10 {
		c.examples = append(c.examples, fmt.Sprintf(format, args...))
	}
}

// String says it in a line, and shows some of what is wrong.
func (c *Comparison) String() string {
	return fmt.Sprintf("%d records: %d missing, %d twice, %d different, %d unexpected\n  %s",
		c.Records, c.missing, c.twice, c.different, c.unexpected, strings.Join(c.examples, "\n  "))
}

// Exact tells whether they do not differ.
func (c *Comparison) Exact() bool { return c.missing+c.twice+c.different+c.unexpected == 0 }

// account counts records of the input. One that took the place of another shows in the total.
func (c *Comparison) account(want, got Figures, again bool) {
	if again {
		want = Figures{}
	}
	switch surplus := got.Bids - want.Bids; {
	case surplus > 0:
		c.Doubled += surplus
	case surplus < 0:
		c.Lost -= surplus
	case got != want:
		c.Lost++
		c.Doubled++
	}
}

// compare holds results against the model, each by itself.
func (m Model) compare(results []Result) (*Comparison, error) {
	c := &Comparison{Records: len(results)}
	seen := make(map[Key]bool, len(m))
	for _, r := range results {
		k, got, err := r.Parse()
		if err != nil {
			return nil, fmt.Errorf("output %+v: %w", r, err)
		}
		want, ok := m[k]
		c.account(want, got, seen[k])
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
			c.Lost += want.Bids
			c.wrong(&c.missing, "missing: %+v %+v", k, want)
		}
	}
	return c, nil
}

// ReadAll reads the committed records of a topic with Kafka's own console consumer. How many there are is asked of the
// broker first, which spares the wait for more.
func ReadAll[T any](ctx context.Context, t *testing.T, b *realkafka.Broker, topic string) []T {
	t.Helper()
	n := Committed(ctx, t, b, topic)
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

// Committed returns how many records of a topic are committed.
func Committed(ctx context.Context, t *testing.T, b *realkafka.Broker, topic string) int64 {
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

// Verify compares a topic with the model.
func Verify(ctx context.Context, t *testing.T, b *realkafka.Broker, topic string, want Model) *Comparison {
	t.Helper()
	c, err := want.compare(ReadAll[Result](ctx, t, b, topic))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Exact() {
		t.Errorf("%s is not what %d bids demand: %v", topic, want.Bids(), c)
	}
	return c
}
