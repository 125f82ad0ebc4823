package exactlyonce

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
	"millrace/tests/platformtest"
)

const realEvents = "testdata/bids.jsonl.gz"

// realBid is a whole record.
type realBid struct {
	Auction  int64  `json:"auction"`
	Bidder   int64  `json:"bidder"`
	Price    int64  `json:"price"`
	Channel  string `json:"channel"`
	URL      string `json:"url"`
	DateTime string `json:"dateTime"`
	Extra    string `json:"extra"`
}

func (r realBid) at() int64 {
	at, err := time.Parse(platformtest.TimeLayout, r.DateTime)
	if err != nil {
		panic(err) // an oracle that can't read its input is of no use
	}
	return at.UnixMilli()
}

func (r realBid) bid() platformtest.Bid {
	return platformtest.Bid{Auction: r.Auction, Price: r.Price, Millis: r.at()}
}

// normal has the time in one form.
func (r realBid) normal() realBid {
	r.DateTime = time.UnixMilli(r.at()).UTC().Format("2006-01-02 15:04:05.000")
	return r
}

// eventsOf reads the real events and deals them out to partitions, in order or displaced by up to 6 s within each.
func eventsOf(t *testing.T, partitions int, shuffled bool, r *rand.Rand) [][]realBid {
	t.Helper()
	f, err := os.Open(realEvents)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]realBid, partitions)
	lines := bufio.NewScanner(z)
	for i := 0; lines.Scan(); i++ {
		var b realBid
		if err := json.Unmarshal(lines.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		out[i%partitions] = append(out[i%partitions], b)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for p := range out {
		if shuffled {
			out[p] = displaced(out[p], r)
		}
	}
	return out
}

const displacementMillis = 6_000

func displaced(bids []realBid, r *rand.Rand) []realBid {
	type placed struct {
		realBid
		place int64
	}
	all := make([]placed, len(bids))
	for i, b := range bids {
		all[i] = placed{b, b.at() + r.Int64N(displacementMillis)}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	for i, p := range all {
		bids[i] = p.realBid
	}
	return bids
}

// realCase is a way to count the real events.
type realCase struct {
	shuffled   bool
	partitions int
	raw        bool // no pre-aggregation; late rows go to a topic of their own
	widths     []int
}

func (c realCase) String() string {
	parts := []string{"in-order", fmt.Sprintf("partitions=%d", c.partitions), "pre-aggregated"}
	if c.shuffled {
		parts[0] = "shuffled"
	}
	if c.raw {
		parts[2] = "raw"
	}
	if len(c.widths) > 1 {
		parts = append(parts, strings.ReplaceAll(fmt.Sprint("restored-at-", c.widths), " ", "-"))
	}
	return strings.Join(parts, ",")
}

func realCases() (whole, restored []realCase) {
	orders := [][]int{{1, 3, 2}, {2, 1, 3}, {3, 2, 1}, {2, 3, 1}}
	for i := range 8 {
		c := realCase{shuffled: i&4 != 0, partitions: 1 + i&1, raw: i&2 != 0, widths: []int{2}}
		whole = append(whole, c)
		c.widths = orders[i%len(orders)]
		restored = append(restored, c)
	}
	return whole, restored
}

// TestRealEvents counts the real events, in order and shuffled so that some are late: the same windows and the same late
// rows as in the model. A task with one split decides lateness by the split's rows alone, so with one partition the model
// knows every late row; with two the late rows are those that the job gives away, and the windows must be the rest.
// Restored cases end the cluster twice in the middle and go on with other slots, hence at another parallelism.
func TestRealEvents(t *testing.T) {
	b := platformtest.SharedBroker(t)
	whole, restored := realCases()
	cases := append(matrix.Sample(t, 3, whole), matrix.Sample(t, 2, restored)...)
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			countReal(t, b, c, fmt.Sprintf("real-%d", i))
		})
	}
}

func countReal(t *testing.T, b *realkafka.Broker, c realCase, name string) {
	ctx := platformtest.Limited(t, testLimit)
	events := eventsOf(t, c.partitions, c.shuffled, matrix.Rand(t))
	j := platformtest.Job{
		Brokers: b.Addr(), In: name, Out: name + "-out", Raw: c.raw, Interval: 100 * time.Millisecond,
	}
	platformtest.CreateTopics(ctx, t, b, c.partitions, j.In, j.Out)
	if c.raw {
		j.Late = name + "-late"
		platformtest.CreateTopics(ctx, t, b, 1, j.Late)
	}
	for _, p := range events {
		j.Ends = append(j.Ends, int64(len(p)))
	}
	tap := platformtest.NewTap()
	written := platformtest.Write(ctx, b, j.In, tap, j.Ends, func(p, o int64) []byte {
		text, err := json.Marshal(events[p][o])
		if err != nil {
			panic(err) // a struct of numbers and texts
		}
		return text
	})
	d := runAtWidths(ctx, t, c.widths, j, tap)
	if err := written.Wait(); err != nil {
		t.Fatal(err)
	}
	checkReal(ctx, t, b, c, j, events, d)
}

// runAtWidths runs the job in one cluster after the other on one folder, each with as many slots as the job is to be wide.
func runAtWidths(ctx context.Context, t *testing.T, widths []int, j platformtest.Job, tap *platformtest.Tap) (d *apiv1.DescribeJobResponse) {
	t.Helper()
	dir := t.TempDir()
	for i, width := range widths {
		c, end := startCluster(t, cluster.Options{Dir: dir, TaskManagers: 1, Slots: width, Policy: scheduler.Policy{Adaptive: true}})
		r := platformtest.Run(ctx, t, c.Jobs(), j.Graph(t))
		if i == len(widths)-1 {
			tap.Raise(slices.Max(j.Ends))
			d = r.Finish(ctx)
		} else {
			part := slices.Max(j.Ends) * int64(i+1) / int64(len(widths))
			dripping, stop := context.WithCancel(ctx)
			go tap.Drip(dripping, part, part)
			d = r.AwaitDescription(ctx, "checkpoints behind rows", func(d *apiv1.DescribeJobResponse) bool {
				return d.CheckpointsCompleted >= 3 && platformtest.Count(d, platformtest.RecordsOut) > 0
			})
			stop()
		}
		if n := tasksOf(d, "bids-per-auction"); n != width {
			t.Errorf("the windows run in %d tasks, want %d", n, width)
		}
		end()
	}
	return d
}

func lateRows(d *apiv1.TaskDescription) int64 { return d.Progress.GetLate() }

func tasksOf(d *apiv1.DescribeJobResponse, vertex string) (n int) {
	for _, task := range d.Tasks {
		if task.VertexId == vertex {
			n++
		}
	}
	return n
}

// checkReal compares windows and late rows with the model.
func checkReal(ctx context.Context, t *testing.T, b *realkafka.Broker, c realCase, j platformtest.Job, events [][]realBid, d *apiv1.DescribeJobResponse) {
	t.Helper()
	known, direct, late := knownModel(events)
	switch {
	case c.raw:
		given := platformtest.ReadAll[realBid](ctx, t, b, j.Late)
		if c.partitions == 1 || !c.shuffled {
			if diff := gocmp.Diff(sorted(late), sorted(given)); diff != "" {
				t.Errorf("late rows (-want +got):\n%s", diff)
			}
		}
		checkLate(t, given, events)
		platformtest.Verify(ctx, t, b, j.Out, without(events, given))
		t.Logf("%d bids, %d late", direct.Bids(), len(given))
	case c.partitions == 1 || !c.shuffled:
		r := platformtest.Verify(ctx, t, b, j.Out, known)
		t.Logf("%d bids, %d late, %d windows of an auction", direct.Bids(), len(late), r.Records)
		if len(c.widths) == 1 && platformtest.Count(d, lateRows) != int64(len(late)) {
			t.Errorf("the job counts %d late rows, want %d", platformtest.Count(d, lateRows), len(late))
		}
	default:
		checkCounts(ctx, t, b, c, j, direct, d)
	}
}

// knownModel returns the windows as they must be if every partition decides by itself which rows are late, those of all
// rows, and the late rows.
func knownModel(events [][]realBid) (known, direct platformtest.Model, late []realBid) {
	known, direct = platformtest.Model{}, platformtest.Model{}
	for _, p := range events {
		var l lateness
		for _, r := range p {
			direct.Add(r.bid())
			if l.late(r.bid()) {
				late = append(late, r)
			} else {
				known.Add(r.bid())
			}
		}
	}
	return known, direct, late
}

// without returns the model of all events but those rows.
func without(events [][]realBid, rows []realBid) platformtest.Model {
	out := make(map[realBid]int)
	for _, r := range rows {
		out[r.normal()]++
	}
	m := platformtest.Model{}
	for _, p := range events {
		for _, r := range p {
			if out[r.normal()] > 0 {
				out[r.normal()]--
				continue
			}
			m.Add(r.bid())
		}
	}
	return m
}

// checkLate checks that rows given away as late are rows of the input, each once at most.
func checkLate(t *testing.T, given []realBid, events [][]realBid) {
	t.Helper()
	left := make(map[realBid]int)
	for _, p := range events {
		for _, r := range p {
			left[r.normal()]++
		}
	}
	for _, r := range given {
		if left[r.normal()]--; left[r.normal()] < 0 {
			t.Errorf("late row is not in the input, or there once more: %+v", r)
		}
	}
}

// checkCounts checks what can be said where neither the model knows the late rows nor the job gives them away: no window
// twice, none with more than there is, and every row is in a window or counted as late.
func checkCounts(ctx context.Context, t *testing.T, b *realkafka.Broker, c realCase, j platformtest.Job, direct platformtest.Model, d *apiv1.DescribeJobResponse) {
	t.Helper()
	seen := make(map[platformtest.Key]bool)
	var counted int64
	for _, r := range platformtest.ReadAll[platformtest.Result](ctx, t, b, j.Out) {
		k, got, err := r.Parse()
		if err != nil {
			t.Fatal(err)
		}
		if most := direct[k]; seen[k] || got.Bids > most.Bids || got.Total > most.Total || got.Highest > most.Highest {
			t.Errorf("%+v is there twice or more than there is: %+v", r, most)
		}
		seen[k] = true
		counted += got.Bids
	}
	late := platformtest.Count(d, lateRows)
	t.Logf("%d bids, %d counted, %d late", direct.Bids(), counted, late)
	if len(c.widths) == 1 && counted+late != direct.Bids() {
		t.Errorf("%d rows in windows and %d late ones, of %d", counted, late, direct.Bids())
	}
	if counted > direct.Bids() || counted < direct.Bids()*9/10 {
		t.Errorf("%d rows in windows, of %d", counted, direct.Bids())
	}
}

func sorted(rows []realBid) []realBid {
	out := make([]realBid, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.normal())
	}
	slices.SortFunc(out, func(a, b realBid) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}
