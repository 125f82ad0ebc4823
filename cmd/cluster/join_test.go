package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// TestJoins: bids with their auctions, whichever comes first, and with the names of the auctions' categories, which stand in a file. As
// an auction has its id for itself and a category its name, each bid is left over once, and none is without its auction.
func TestJoins(t *testing.T) {
	names := filepath.Join(t.TempDir(), "names.json")
	text := `{"category":10,"name":"a"}` + "\n" + `{"category":11,"name":"b"}` + "\n" + `{"category":12,"name":"c"}` + "\n" +
		`{"category":13,"name":"d"}` + "\n" + `{"category":14,"name":"e"}` + "\n"
	if err := os.WriteFile(names, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	sink := newCollect()
	c := start(t, sink, cluster.Options{})
	b := bids{events: 50_000, parallelism: 2, rate: 1000, interval: 50 * time.Millisecond}
	if s := watch(t, c, submit(t, c, b.joined(names)), nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	left := 0
	for row, times := range sink.rows() {
		padded := strings.HasSuffix(row, "NULL NULL NULL NULL")
		switch {
		case strings.HasPrefix(row, "-D"):
			left -= times
		default:
			left += times
		}
		if !padded && !strings.HasPrefix(row, "+I") {
			t.Errorf("a pair is taken back: %s", row)
		}
	}
	if want := b.events * 46 / 50; left != want {
		t.Errorf("%d rows are left over, want %d", left, want)
	}
}

// joined joins the bids with their auctions and the names of categories.
func (b bids) joined(names string) *jobgraph.Graph {
	g := b.graph()
	auctions := *g.Vertices[0].Source
	auctions.UID, auctions.Options = "auctions-source", map[string]string{"event-type": "auction", "events.num": "50000", "splits": "3"}
	auctions.Schema = types.NewSchema(
		types.Field{Name: "id", Type: types.Of(types.BigInt)}, types.Field{Name: "category", Type: types.Of(types.BigInt)},
		types.Field{Name: "dateTime", Type: types.TimestampOf(3)})
	g.Vertices[1].Operators = []jobgraph.OperatorSpec{
		{UID: "join", Body: &jobgraph.JoinSpec{
			Type: jobgraph.LeftJoin, Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}, Right: jobgraph.JoinSide{Unique: []int{0}},
		}},
		{UID: "names", Body: &jobgraph.LookupJoinSpec{
			Type: jobgraph.LeftJoin, Keys: jobgraph.JoinKeys{Left: []int{4}, Right: []int{0}},
			Table: jobgraph.LookupTable{
				Connector: "filesystem", Options: map[string]string{"path": names, "format": "json"},
				Schema: types.NewSchema(types.Field{Name: "category", Type: types.Of(types.BigInt)}, types.Field{Name: "name", Type: types.StringType()}),
			},
		}},
	}
	g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: "auctions", Name: "auctions", Source: &auctions})
	g.Edges = append(g.Edges, jobgraph.Edge{
		From: "auctions", To: "windows", Input: 1, Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}},
	})
	return g
}
