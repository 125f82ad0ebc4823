package task

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/jobgraph"
	"millrace/operators/watermark"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// lastBatch is a reader of splits of one batch each, which it calls finished with that batch, as readers may.
type lastBatch struct {
	connectors.Reader
	batches  []*stream.Batch
	finished []int32
}

func (*lastBatch) Assign([]connectors.SplitState) error { return nil }
func (*lastBatch) NoMoreSplits()                        {}
func (*lastBatch) Close() error                         { return nil }

func (r *lastBatch) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if len(r.batches) == 0 {
		return nil, connectors.Done, nil
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	r.finished = append(r.finished, b.Split)
	return b, connectors.More, nil
}

func (r *lastBatch) Finished() []int32 {
	f := r.finished
	r.finished = nil
	return f
}

// TestEventTimeWaitsForTheLastRowsOfASplit: the rows of a split's last batch are cut by the watermarks of that split, not
// by the end of event time.
func TestEventTimeWaitsForTheLastRowsOfASplit(t *testing.T) {
	for _, test := range []struct {
		name   string
		splits []string
		want   string
	}{
		{"one split", []string{"10\n20\n8\n21"}, "rows [10 20]; watermark 14; rows [8 21]; watermark max; end"},
		{"behind a faster one", []string{"100", "10\n20\n8\n21"}, "rows [100]; rows [10 20]; watermark 14; rows [8 21]; watermark max; end"},
		// The second split, of which nothing is known, holds the first one's event time back.
		{"before a slower one", []string{"10\n20\n8\n21", "7\n30"}, "rows [10 20 8 21]; rows [7 30]; watermark 24; watermark max; end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var pool stream.Pool
			if diff := cmp.Diff(test.want, elementsOf(t, &pool, test.splits)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if n := pool.Live(); n != 0 {
				t.Errorf("%d buffers are not given back", n)
			}
		})
	}
}

// elementsOf prints what a source of such splits gives, within one interval between watermarks.
func elementsOf(t *testing.T, pool *stream.Pool, splits []string) string {
	t.Helper()
	schema := types.NewSchema(types.Field{Name: "ts", Type: types.TimestampOf(3)})
	g, err := watermark.New(&jobgraph.WatermarkSpec{Delay: 5 * time.Millisecond}, schema)
	if err != nil {
		t.Fatal(err)
	}
	r := &lastBatch{}
	assign := Assign{NoMore: true}
	for i, rows := range splits {
		b := streamtest.Batch(t, pool, schema, rows)
		b.Split = int32(i)
		r.batches = append(r.batches, b)
		assign.Splits = append(assign.Splits, connectors.SplitState{ID: connectors.SplitID(fmt.Sprint(i)), Watermark: stream.NoWatermark})
	}
	s := NewSource(r, g, 0, 1000)
	defer func() { _ = s.close() }()
	if err := s.assign(assign); err != nil {
		t.Fatal(err)
	}
	var out []string
	for range 20 {
		e, _, err := s.next(1)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Kind == stream.RowsElement:
			var times []int64
			for i := range e.Batch.Rows() {
				times = append(times, stream.Values[int64](&e.Batch.Columns[0])[e.Batch.Row(i)])
			}
			out = append(out, fmt.Sprint("rows ", times))
			e.Batch.Release()
		case e.Kind == stream.WatermarkElement && e.Watermark == stream.MaxWatermark:
			out = append(out, "watermark max")
		case e.Kind == stream.WatermarkElement:
			out = append(out, fmt.Sprint("watermark ", e.Watermark))
		case e.Kind == stream.EndElement:
			return strings.Join(append(out, "end"), "; ")
		}
	}
	return strings.Join(out, "; ") + "; no end"
}

// Positions implements connectors.Reader: nothing is assigned to it.
func (*lastBatch) Positions(out []connectors.SplitState) []connectors.SplitState { return out }

// TestADrainedSourceKeepsWhatItIsGiven: splits that come behind the end of the input are not read, and stay where they are, for whoever
// goes on from there.
func TestADrainedSourceKeepsWhatItIsGiven(t *testing.T) {
	var pool stream.Pool
	schema := types.NewSchema(types.Field{Name: "ts", Type: types.TimestampOf(3)})
	g, err := watermark.New(&jobgraph.WatermarkSpec{}, schema)
	if err != nil {
		t.Fatal(err)
	}
	b := streamtest.Batch(t, &pool, schema, "10")
	defer b.Release()
	s := NewSource(&lastBatch{batches: []*stream.Batch{b}}, g, 0, 1000)
	defer func() { _ = s.close() }()
	s.drain()
	late := connectors.SplitState{ID: "1", State: []byte("at 7"), Watermark: 90}
	want := []connectors.SplitState{{ID: "0", State: []byte("at 3"), Watermark: 80}, late}
	if err := s.assign(Assign{Splits: want[:1]}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []stream.ElementKind{stream.WatermarkElement, stream.EndElement, 0} {
		e, _, err := s.next(1)
		if err != nil || e.Kind != kind || kind == stream.WatermarkElement && e.Watermark != stream.MaxWatermark {
			t.Fatalf("%v, %v, want kind %d", e, err, kind)
		}
	}
	if err := s.assign(Assign{Splits: want[1:]}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.positions()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
