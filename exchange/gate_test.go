package exchange_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"millrace/exchange"
	"millrace/exchange/local"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var schema = types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)})

func rowsOf(pool *stream.Pool, values ...int64) *stream.Batch {
	b := pool.NewBatch(schema, len(values))
	b.Columns[0] = stream.NewFixed(pool, schema.Fields[0].Type, len(values))
	copy(stream.Values[int64](&b.Columns[0]), values)
	return b
}

// TestGateScripts runs the scripts in testdata/gate. The commands:
//
//	gate inputs=(0,0,1)      a gate of three channels, the third of input 1
//	restore at=10
//	send on=0                elements, one a line: rows 7, watermark 10, idle, active, barrier 1, end
//	close on=0               the producer goes away
//	watch                    the gate looks for barriers behind rows
//	coming                   the barrier that is on its way
//	overtake id=1            it overtakes the rows that are queued
//	recorded id=1            what it has overtaken, so far as all of it is known
//	replay inputs=(0,0)      what a checkpoint stored of so many channels, a line each: where it
//	                         stood, then elements; formers=(0,1) tells of which former tasks
//	poll                     everything that there is to do
//	watermarks               of each input
//	credit on=0              whether the producer may send
func TestGateScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/gate", func(t *testing.T, path string) {
		s := &gateScript{}
		datadriven.RunTest(t, path, s.run)
		s.close()
		if n := s.pool.Live(); n != 0 {
			t.Errorf("%d buffers are out", n)
		}
	})
}

type gateScript struct {
	pool    stream.Pool
	gate    exchange.Gate
	inputs  int
	senders []exchange.Sender
	woken   bool
}

func (s *gateScript) close() {
	if s.gate != nil {
		s.gate.Close()
	}
	for _, snd := range s.senders {
		snd.Close()
	}
}

func (s *gateScript) run(t *testing.T, d *datadriven.TestData) string {
	var on, at, id int
	for name, p := range map[string]*int{"on": &on, "at": &at, "id": &id} {
		if d.HasArg(name) {
			d.ScanArgs(t, name, p)
		}
	}
	switch d.Cmd {
	case "gate": // in-order=(1): those channels are kept in order
		s.open(t, d)
	case "restore":
		s.gate.Restore(stream.Watermark(at))
	case "send":
		s.woken = false
		for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
			s.senders[on].Send(s.parse(t, line))
		}
		return fmt.Sprintf("woken=%v\n", s.woken)
	case "close":
		s.woken = false
		s.senders[on].Close()
		return fmt.Sprintf("woken=%v\n", s.woken)
	case "poll":
		return s.poll()
	case "watch":
		s.gate.Watch()
	case "coming":
		if b, ok := s.gate.Coming(); ok {
			return fmt.Sprintln(stream.BarrierOf(b))
		}
		return "nothing\n"
	case "overtake":
		return fmt.Sprintf("%v\n", s.gate.Overtake(types.CheckpointID(id)))
	case "recorded":
		return s.recorded(types.CheckpointID(id))
	case "replay":
		s.replay(t, d)
	case "watermarks":
		var sb strings.Builder
		for i := range s.inputs {
			fmt.Fprintf(&sb, "input %d: %d\n", i, s.gate.Watermark(i))
		}
		return sb.String()
	case "credit":
		return fmt.Sprintf("%v\n", s.senders[on].Credit() > 0)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return "ok\n"
}

func (s *gateScript) open(t *testing.T, d *datadriven.TestData) {
	s.close()
	s.senders, s.inputs = nil, 0
	n := local.NewNetwork()
	var channels []exchange.GateChannel
	arg, _ := d.Arg("inputs")
	for i, v := range arg.Vals {
		input, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		id := exchange.ChannelID{Region: types.RegionID{Job: "j"}, Edge: int32(input), From: int32(i)}
		kept, _ := d.Arg("in-order")
		channels = append(channels, exchange.GateChannel{
			Input: input, ID: id, CreditBytes: 1, InOrder: slices.Contains(kept.Vals, strconv.Itoa(i)),
		})
		s.inputs = max(s.inputs, input+1)
		snd, err := n.Sender(id, "", 1, exchange.WakerFunc(func() {}))
		if err != nil {
			t.Fatal(err)
		}
		s.senders = append(s.senders, snd)
	}
	var err error
	if s.gate, err = exchange.OpenGate(n, channels, exchange.WakerFunc(func() { s.woken = true })); err != nil {
		t.Fatal(err)
	}
}

func (s *gateScript) parse(t *testing.T, line string) stream.Element {
	word, rest, _ := strings.Cut(line, " ")
	n := int64(0)
	if rest == "max" {
		n = int64(stream.MaxWatermark)
	} else if rest != "" {
		var err error
		if n, err = strconv.ParseInt(rest, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	switch word {
	case "rows":
		return stream.RowsOf(rowsOf(&s.pool, n))
	case "watermark":
		return stream.WatermarkOf(stream.Watermark(n))
	case "idle", "active":
		return stream.StatusOf(word == "idle")
	case "barrier":
		return stream.BarrierOf(stream.Barrier{ID: types.CheckpointID(n)})
	case "end":
		return stream.End()
	default:
		t.Fatalf("unknown element %q", line)
		return stream.Element{}
	}
}

func (s *gateScript) poll() string {
	var sb strings.Builder
	for {
		input, e, ok := s.gate.Poll()
		if !ok {
			break
		}
		switch {
		case e.Kind == stream.RowsElement:
			fmt.Fprintf(&sb, "rows %d of input %d\n", stream.Values[int64](&e.Batch.Columns[0])[0], input)
			e.Batch.Release()
		case e.Kind == stream.WatermarkElement && e.Watermark == stream.MaxWatermark:
			sb.WriteString("watermark(max)\n")
		default:
			fmt.Fprintln(&sb, e)
		}
	}
	if id, broken := s.gate.Broken(); broken {
		fmt.Fprintf(&sb, "broken: edge %d from %d\n", id.Edge, id.From)
	}
	if sb.Len() == 0 {
		return "nothing\n"
	}
	return sb.String()
}

func (s *gateScript) recorded(id types.CheckpointID) string {
	f, err := s.gate.Recorded(id)
	switch {
	case err != nil:
		return fmt.Sprintf("%v\n", err)
	case f == nil:
		return "not yet\n"
	}
	defer f.Release()
	var sb strings.Builder
	for i, c := range f.Channels {
		fmt.Fprintf(&sb, "channel %d of edge %d from %d idle=%v:", i, c.Edge, c.From, c.Idle)
		for _, e := range c.Elements {
			if e.Kind == stream.RowsElement {
				fmt.Fprintf(&sb, " rows %d", stream.Values[int64](&e.Batch.Columns[0])[0])
				continue
			}
			fmt.Fprintf(&sb, " %s", e)
		}
		sb.WriteString("\n")
	}
	fmt.Fprintf(&sb, "rows by input: %v\n", f.Rows)
	return sb.String()
}

func (s *gateScript) replay(t *testing.T, d *datadriven.TestData) {
	r := &exchange.Replay{}
	arg, _ := d.Arg("inputs")
	formers, several := d.Arg("formers")
	lines := strings.Split(strings.TrimSpace(d.Input), "\n")
	for i, v := range arg.Vals {
		input, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		at, rest, _ := strings.Cut(lines[i], ":")
		c := exchange.ReplayChannel{Input: input, Watermark: s.parse(t, "watermark "+at).Watermark}
		if several {
			if c.Former, err = strconv.Atoi(formers.Vals[i]); err != nil {
				t.Fatal(err)
			}
		}
		r.Channels = append(r.Channels, c)
		for word := range strings.SplitSeq(rest, ",") {
			if word = strings.TrimSpace(word); word != "" {
				r.Elements = append(r.Elements, exchange.ReplayElement{Channel: i, Element: s.parse(t, word)})
			}
		}
	}
	s.gate.Replay(r)
}

func TestGatesThatCannotBe(t *testing.T) {
	n := local.NewNetwork()
	w := exchange.WakerFunc(func() {})
	if _, err := exchange.OpenGate(n, nil, w); err == nil {
		t.Error("a gate without channels")
	}
	if _, err := exchange.OpenGate(n, []exchange.GateChannel{{Input: 1}}, w); err == nil {
		t.Error("a gate without input 0")
	}
	twice := []exchange.GateChannel{{}, {}}
	if _, err := exchange.OpenGate(n, twice, w); err == nil {
		t.Error("a gate with a channel twice")
	}
	if _, err := n.Sender(exchange.ChannelID{}, "", 1, w); err != nil {
		t.Fatal(err)
	}
}

// party is one task of TestTasksExchangeEverything.
type party struct {
	bell chan struct{}
	t    *testing.T
}

func (p party) Wake() {
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

// sleep waits to be woken; it is false when the test has taken too long.
func (p party) sleep() bool {
	select {
	case <-p.bell:
		return true
	case <-time.After(20 * time.Second):
		p.t.Error("a task sleeps for ever")
		return false
	}
}

// TestTasksExchangeEverything lets producers deal rows out to consumers over
// channels of little credit, with barriers and watermarks in between: every row
// arrives once; at a barrier each consumer has the rows before it and no others;
// rows behind a watermark are later than it.
func TestTasksExchangeEverything(t *testing.T) {
	const producers, consumers, batches, batchRows = 3, 2, 200, 700
	var pool stream.Pool
	n := local.NewNetwork()
	var wg sync.WaitGroup
	seen := make([]int64, consumers)
	for c := range consumers {
		wg.Go(func() { seen[c] = consumeAll(t, n, c, producers, batchRows) })
	}
	for p := range producers {
		wg.Go(func() { produceAll(t, n, &pool, p, consumers, batches, batchRows) })
	}
	wg.Wait()
	if total := seen[0] + seen[1]; total != producers*batches*batchRows {
		t.Errorf("%d rows arrived", total)
	}
	if pool.Live() != 0 || n.Channels() != 0 {
		t.Errorf("%d buffers are out, %d channels open", pool.Live(), n.Channels())
	}
}

// produceAll sends batches of rising numbers, each with a watermark behind it and
// every tenth with a barrier.
func produceAll(t *testing.T, n *local.Network, pool *stream.Pool, from, consumers, batches, batchRows int) {
	p := party{make(chan struct{}, 1), t}
	senders := make([]exchange.Sender, consumers)
	for to := range senders {
		s, err := n.Sender(exchange.ChannelID{Region: types.RegionID{Job: "j"}, From: int32(from), To: int32(to)}, "", 1, p)
		if err != nil {
			t.Error(err)
			return
		}
		senders[to] = s
	}
	o, err := exchange.NewOutlet(jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}, schema, senders, pool, 128, exchange.OutletOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer o.Close()
	values := make([]int64, batchRows)
	for i := range batches {
		for !o.Ready() {
			if !p.sleep() {
				return
			}
		}
		for k := range values {
			values[k] = int64(i*batchRows + k)
		}
		if err := o.Rows(rowsOf(pool, values...)); err != nil {
			t.Error(err)
			return
		}
		if i%3 == 0 {
			o.Control(stream.WatermarkOf(stream.Watermark((i+1)*batchRows - 1)))
		}
		if i%10 == 9 {
			o.Control(stream.BarrierOf(stream.Barrier{ID: types.CheckpointID(i + 1)}))
		}
	}
	o.Control(stream.End())
}

func consumeAll(t *testing.T, n *local.Network, to, producers, batchRows int) (rows int64) {
	p := party{make(chan struct{}, 1), t}
	channels := make([]exchange.GateChannel, producers)
	for from := range channels {
		channels[from] = exchange.GateChannel{ID: exchange.ChannelID{Region: types.RegionID{Job: "j"}, From: int32(from), To: int32(to)}, CreditBytes: 10_000}
	}
	g, err := exchange.OpenGate(n, channels, p)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer g.Close()
	watermark, cut, highest := stream.NoWatermark, int64(0), int64(-1)
	for {
		_, e, ok := g.Poll()
		if id, broken := g.Broken(); broken {
			t.Errorf("%v is broken", id)
			return rows
		}
		if !ok {
			if !p.sleep() {
				return rows
			}
			continue
		}
		switch e.Kind {
		case stream.RowsElement:
			for i := range e.Batch.Rows() {
				v := stream.Values[int64](&e.Batch.Columns[0])[e.Batch.Row(i)]
				if v <= int64(watermark) || v < cut {
					t.Errorf("row %d behind watermark %d and the barrier at %d", v, watermark, cut)
				}
				highest = max(highest, v)
			}
			rows += int64(e.Batch.Rows())
			e.Batch.Release()
		case stream.WatermarkElement:
			watermark = e.Watermark
		case stream.BarrierElement:
			cut = int64(e.Barrier.ID) * int64(batchRows)
			if highest >= cut {
				t.Errorf("row %d got in before the barrier at %d", highest, cut)
			}
		case stream.EndElement:
			return rows
		}
	}
}
