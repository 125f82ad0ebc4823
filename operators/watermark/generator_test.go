package watermark

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var schema = types.NewSchema(types.Field{Name: "ts", Type: types.TimestampOf(3)})

// TestScripts feeds splits and shows what a source task would send:
//
//	new delay=5ms idle=1s       a generator
//	add [watermark=7]           a split
//	rows split=0                times, a batch a line; prints rows and watermarks in order
//	take | finish split= | no-more
//	tick now=                   prints, at last, when something will be idle
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var g *Generator
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return step(t, &g, d)
		})
	})
}

func step(t *testing.T, g **Generator, d *datadriven.TestData) string {
	var out strings.Builder
	number := func(key string, missing int64) int64 {
		var text string
		if d.MaybeScanArgs(t, key, &text); text == "" {
			return missing
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			d.Fatalf(t, "%s: %v", key, err)
		}
		return n
	}
	switch d.Cmd {
	case "new":
		var delay, idle string
		d.ScanArgs(t, "delay", &delay)
		d.MaybeScanArgs(t, "idle", &idle)
		spec := &jobgraph.WatermarkSpec{}
		spec.Delay, _ = time.ParseDuration(delay)
		spec.IdleTimeout, _ = time.ParseDuration(idle)
		var err error
		if *g, err = New(spec, schema); err != nil {
			return err.Error()
		}
		return ""
	case "add":
		fmt.Fprintf(&out, "split %d\n", (*g).AddSplit(stream.Watermark(number("watermark", int64(stream.NoWatermark)))))
	case "rows":
		for line := range strings.SplitSeq(d.Input, "\n") {
			feed(t, *g, int32(number("split", 0)), strings.ReplaceAll(line, " ", "\n"), &out)
		}
	case "take":
	case "tick":
		(*g).Tick(number("now", 0))
	case "finish":
		(*g).FinishSplit(int32(number("split", 0)))
	case "no-more":
		(*g).NoMoreSplits()
	default:
		d.Fatalf(t, "unknown command")
	}
	if d.Cmd != "rows" && d.Cmd != "add" {
		take(*g, &out)
	}
	if (*g).Idle() {
		out.WriteString("idle\n")
	}
	if at, ok := (*g).IdleAt(); ok && d.Cmd == "tick" {
		fmt.Fprintf(&out, "idle at %d\n", at)
	}
	return out.String()
}

// feed does what a source task does with a batch.
func feed(t *testing.T, g *Generator, split int32, rows string, out *strings.Builder) {
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, schema, rows)
	defer b.Release()
	for from := 0; from < b.Rows(); {
		upTo, err := g.Cut(split, &b.Columns[0], b.Sel(), from)
		if err != nil {
			fmt.Fprintf(out, "error: %v\n", err)
			return
		}
		if upTo > from {
			fmt.Fprintf(out, "rows %v\n", stream.Values[int64](&b.Columns[0])[from:upTo])
		}
		if upTo < b.Rows() {
			take(g, out)
		}
		from = upTo
	}
}

func take(g *Generator, out *strings.Builder) {
	if w, ok := g.Take(); ok {
		if w == stream.MaxWatermark {
			out.WriteString("watermark max\n")
		} else {
			fmt.Fprintf(out, "watermark %d\n", w)
		}
	}
}

// TestWatermarkBeforeRowsBehindIt: under any batches, encodings and times of
// sending, each row of a split finds the same answer to "am I behind the last
// watermark sent, or will the rows before me put me there".
func TestWatermarkBeforeRowsBehindIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, 60), 1, 40).Draw(t, "times")
		delay := rapid.Int64Range(0, 20).Draw(t, "delay")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		g, err := New(&jobgraph.WatermarkSpec{Delay: time.Duration(delay) * time.Millisecond}, schema)
		if err != nil {
			t.Fatal(err)
		}
		g.AddSplit(stream.NoWatermark)
		var pool stream.Pool
		sent, high, row := stream.NoWatermark, int64(math.MinInt64), 0
		for row < len(times) {
			n := 1 + r.IntN(len(times)-row)
			b := batchOf(r, &pool, times[row:row+n])
			for from := 0; from < n; {
				upTo, err := g.Cut(0, &b.Columns[0], b.Sel(), from)
				if err != nil {
					t.Fatal(err)
				}
				for ; from < upTo; from++ {
					checkRow(t, times[row], high, delay, sent)
					high = max(high, times[row])
					row++
				}
				if w, ok := g.Take(); ok && (upTo < n || r.IntN(2) == 0) {
					sent = w
				} else if ok {
					g.taken = sent // not sent after all: the interval is not over
				}
			}
			b.Release()
		}
		if want := stream.Watermark(high - delay - 1); g.SplitWatermark(0) != want {
			t.Fatalf("split is at %d, want %d", g.SplitWatermark(0), want)
		}
	})
}

// checkRow: a row at or behind the watermark of the rows before it has met it.
func checkRow(t *rapid.T, at, high, delay int64, sent stream.Watermark) {
	if high == math.MinInt64 {
		return
	}
	if own := stream.Watermark(high - delay - 1); stream.Watermark(at) <= own && sent != own {
		t.Fatalf("row at %d is behind %d and met %d", at, own, sent)
	}
}

func batchOf(r *rand.Rand, pool *stream.Pool, times []int64) *stream.Batch {
	b := pool.NewBatch(schema, len(times))
	bu := stream.NewBuilder(pool, schema.Fields[0].Type, len(times))
	for _, x := range times {
		bu.AppendInt64(x)
	}
	b.Columns[0] = bu.Finish()
	if r == nil || r.IntN(2) == 0 {
		return b
	}
	defer b.Release()
	return streamtest.Reencode(r, b)
}

func TestNullTimeNamesTheColumn(t *testing.T) {
	g, _ := New(&jobgraph.WatermarkSpec{}, schema)
	g.AddSplit(stream.NoWatermark)
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, schema, "5\nNULL")
	defer b.Release()
	_, err := g.Cut(0, &b.Columns[0], nil, 0)
	if err == nil || !strings.Contains(err.Error(), "column ts") || failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	micros := types.NewSchema(types.Field{Name: "ts", Type: types.TimestampOf(6)})
	number := types.NewSchema(types.Field{Name: "ts", Type: types.Of(types.BigInt)})
	for _, c := range []struct {
		spec jobgraph.WatermarkSpec
		s    *types.Schema
	}{{jobgraph.WatermarkSpec{}, micros}, {jobgraph.WatermarkSpec{}, number}, {jobgraph.WatermarkSpec{Column: 1}, schema}, {jobgraph.WatermarkSpec{Delay: -1}, schema}} {
		if _, err := New(&c.spec, c.s); failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%+v over %s: %v", c.spec, c.s, err)
		}
	}
}

func BenchmarkCutInOrder(b *testing.B) {
	g, _ := New(&jobgraph.WatermarkSpec{Delay: 4 * time.Second}, schema)
	g.AddSplit(stream.NoWatermark)
	times := make([]int64, stream.RowsMax)
	for i := range times {
		times[i] = int64(i)
	}
	var pool stream.Pool
	batch := batchOf(nil, &pool, times)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Cut(0, &batch.Columns[0], nil, 0); err != nil {
			b.Fatal(err)
		}
		g.Take()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}
