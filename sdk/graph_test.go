package sdk_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	"millrace/sdk"
)

var rewrite = flag.Bool("rewrite", false, "write the expected files anew")

// checkGraph compares the explanation of a job with a file, and has the graph checked as a cluster would.
func checkGraph(t *testing.T, env *sdk.Env, name string) {
	t.Helper()
	env.Configure(sdk.Job{Name: name, Parallelism: 2})
	g, _, err := env.Describe()
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("0", 64)
	g.Program = &jobgraph.ProgramSpec{Name: "p", Build: sum, Digest: sum}
	if err := jobgraph.Validate(g, cluster.NewWiring(nil).Known()); err != nil {
		t.Fatal(err)
	}
	got := jobgraph.Explain(g)
	file := filepath.Join("testdata", name+".txt")
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type order struct {
	ID   int64
	User string
	At   time.Time `millrace:"at,rowtime"`
}

type both struct {
	User string
	Page *int64
	ID   int64
}

func TestGraphs(t *testing.T) {
	orders := func(e *sdk.Env) *sdk.Keyed[string, order] {
		in := sdk.From[order](e, "orders", sdk.Kafka{Topic: "orders", Brokers: "localhost:9092"}, sdk.Watermark(time.Second), sdk.Idle(time.Minute))
		return sdk.KeyByFields[string](in, "user")
	}
	byUser := func(e *sdk.Env) *sdk.Keyed[string, click] {
		return sdk.KeyBy(sdk.From[click](e, "clicks", sdk.Kafka{Topic: "clicks", Brokers: "localhost:9092"}), func(c *click) string { return c.User })
	}
	pair := func(o *order, c *click) (both, error) {
		out := both{o.User, nil, o.ID}
		if c != nil {
			out.Page = &c.Page
		}
		return out, nil
	}
	for name, describe := range map[string]func(*sdk.Env){
		"sessions": sessionsOfKafka,
		"windows": func(e *sdk.Env) {
			by := byUser(e)
			for i, w := range []sdk.Window{sdk.Tumble(time.Minute), sdk.Session(time.Minute)} {
				uid := []string{"minutes", "visits"}[i]
				sdk.Aggregate(sdk.Windows(by, w).AllowedLateness(time.Hour), uid, sdk.Aggregator[string, click, sum, sum]{
					Add:    func(s *sum, c *click) error { return s.add(1, c.Page) },
					Merge:  func(s, other *sum) error { return s.add(other.N, *other.Pages) },
					Result: func(_ sdk.WindowOf[string], s *sum) (sum, error) { return *s, nil },
				}).To(uid+"-out", nowhere)
			}
		},
		"joins": func(e *sdk.Env) {
			o, c := orders(e), byUser(e)
			a := sdk.Join(sdk.LeftJoin, o, c, "near", sdk.Within(-time.Minute, time.Second), pair)
			b := sdk.Join(sdk.InnerJoin, o, c, "ever", sdk.Ever(time.Hour), pair)
			d := sdk.JoinWindows(sdk.InnerJoin, o, c, "windows", sdk.Tumble(time.Minute), pair)
			sdk.Union(a, b, d).To("out", nowhere)
		},
		"rules": func(e *sdk.Env) {
			rules := sdk.From[sum](e, "rules", sdk.Kafka{Topic: "rules", Brokers: "localhost:9092"})
			sdk.BroadcastProcess(byUser(e), rules, "fraud", func(s *sdk.Setup) sdk.BroadcastProcessor[string, click, sum, string] {
				known, seen := sdk.NewBroadcast[int64, sum](s, "rules"), sdk.NewOrderedMap[time.Time, click](s, "seen")
				return sdk.BroadcastProcessor[string, click, sum, string]{
					Row:       func(c *sdk.Context[string, string], row *click) error { seen.Put(row.At, *row); return nil },
					Broadcast: func(c *sdk.Context[string, string], row *sum) error { known.Put(row.N, *row); return nil },
				}
			}).To("out", nowhere)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := sdk.NewEnv(nil, nil)
			describe(env)
			checkGraph(t, env, name)
		})
	}
}

func sessionsOfKafka(e *sdk.Env) {
	sessions(e)
}
