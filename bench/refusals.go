package main

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"millrace/cmd/command/script"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/sql/parser"
)

// refusalTimes is how often each text is read: the median counts.
const refusalTimes = 11

// refusals is the line of a run of texts that are no SQL.
type refusals struct {
	about
	Texts []refusal `json:"texts"`
}

// refusal is what the error for a text cost.
type refusal struct {
	Text           string  `json:"text"`
	Bytes          int     `json:"bytes"`
	Millis         float64 `json:"millis"` // the median
	SlowestMillis  float64 `json:"slowest_millis"`
	AllocatedBytes int64   `json:"allocated_bytes"` // a time
	KeptBytes      int64   `json:"kept_bytes"`      // by all of them together, once they are collected
	Error          string  `json:"error"`           // how it begins
}

func (*refusals) checkpointed() int { return checkpointsWanted + 1 } // there is no job to have any

// badTexts are what nobody should write, and what whoever means harm does.
func badTexts() []struct{ name, text string } {
	const many, long = 10_000, 10 << 20
	nest := func(open, inner, shut string) string {
		return "SELECT " + strings.Repeat(open, many) + inner + strings.Repeat(shut, many)
	}
	within := func(text string) string { return text[:min(len(text), parser.TextBytesMax)] }
	return []struct{ name, text string }{
		{"10 MB of statements", strings.Repeat("SELECT a FROM t;\n", long/17)},
		{"10 MB of one literal", "SELECT '" + strings.Repeat("x", long) + "'"},
		{"the longest text, of statements without sense", within(strings.Repeat("SELECT FROM;", parser.TextBytesMax/12))},
		{"the longest text, of one open literal", within("SELECT '" + strings.Repeat("x", parser.TextBytesMax))},
		{"the longest text, of one open comment", within("/*" + strings.Repeat("*", parser.TextBytesMax))},
		{"the longest text, of one sum", within("SELECT 1" + strings.Repeat("+1", parser.TextBytesMax/2))},
		{"the longest text, of one list", within("SELECT 1" + strings.Repeat(",1", parser.TextBytesMax/2))},
		{"10,000 parentheses", nest("(", "1", ")")},
		{"10,000 parentheses that stay open", nest("(", "1", "")},
		{"10,000 subqueries", nest("(SELECT ", "1", ")")},
		{"10,000 tables in brackets", "SELECT * FROM " + strings.Repeat("(", many) + "t" + strings.Repeat(")", many)},
		{"10,000 CASEs", nest("CASE WHEN a THEN ", "1", " END")},
		{"10,000 NOTs", nest("NOT ", "TRUE", "")},
		{"10,000 calls", nest("ABS(", "1", ")")},
		{"10,000 types", "CREATE TABLE t (a " + strings.Repeat("ARRAY<", many) + "INT" + strings.Repeat(">", many) + ")"},
		{"bytes that are no UTF-8", "SELECT '\xff\xfe' FROM t"},
		{"a name that is no UTF-8", "SELECT \x80\x81 FROM t"},
		{"the longest text, no UTF-8", strings.Repeat("\xc0", parser.TextBytesMax)},
		{"zero bytes", strings.Repeat("\x00", parser.TextBytesMax)},
	}
}

// measureRefusals reads texts that are refused.
func (run) measureRefusals(ctx context.Context) (line, error) {
	out := &refusals{about: about{Scenario: "refusals", Command: command(), Commit: commit(ctx), Machine: machine(), Parallelism: 1}}
	for _, bad := range badTexts() {
		r, err := refuse(bad.name, bad.text)
		if err != nil {
			return nil, err
		}
		out.Texts = append(out.Texts, r)
	}
	out.Time = clock.System().Now().UTC().Format(time.RFC3339)
	return out, nil
}

// refuse reads a text some times.
func refuse(name, text string) (refusal, error) {
	r := refusal{Text: name, Bytes: len(text)}
	var took []time.Duration
	before := memoryNow()
	for range refusalTimes {
		start := clock.System().Now()
		_, err := script.Read(text)
		took = append(took, clock.System().Now().Sub(start))
		if err == nil {
			return r, failure.Internalf("%s: that is no error", name)
		}
		r.Error = firstLine(err.Error())
	}
	after := memoryNow()
	slices.Sort(took)
	millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	r.Millis, r.SlowestMillis = millis(took[len(took)/2]), millis(took[len(took)-1])
	r.AllocatedBytes = int64(after.TotalAlloc-before.TotalAlloc) / refusalTimes
	r.KeptBytes = max(int64(after.HeapAlloc)-int64(before.HeapAlloc), 0)
	return r, nil
}

// memoryNow returns the figures of the memory when what nobody uses is collected.
func memoryNow() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// firstLine is the beginning of a message.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 200)]
}
