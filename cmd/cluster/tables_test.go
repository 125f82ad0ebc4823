package cluster

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/checkpoint"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// keeper is an operator that declares tables, and does nothing.
type keeper struct {
	operators.Operator
	declare func(operators.Context) error
}

func (k keeper) Open(ctx *operators.Context) error { return k.declare(*ctx) }

func (k keeper) Close() error { return nil }

// keepers wires keepers in the place of the operator of keeperGraph.
func keepers(declare func(operators.Context) error) *Wiring {
	w := &Wiring{Operators: &operators.Registry{}}
	w.Operators.Register(keeperGraph().Vertices[0].Operators[0].Kind(), func(*jobgraph.OperatorSpec) (operators.Operator, error) {
		return keeper{declare: declare}, nil
	})
	return w
}

func keeperGraph() *jobgraph.Graph {
	schema := types.NewSchema(types.Field{Name: "user", Type: types.Of(types.BigInt)}, types.Field{Name: "at", Type: types.TimestampOf(3)})
	return &jobgraph.Graph{Name: "keeps", Parallelism: 1, MaxParallelism: 4, Vertices: []jobgraph.Vertex{{
		ID: "visitors", Name: "visitors",
		Source: &jobgraph.SourceSpec{UID: "source", Connector: "none", Schema: schema, Watermark: &jobgraph.WatermarkSpec{Column: 1}},
		Operators: []jobgraph.OperatorSpec{{UID: "profile", Body: &jobgraph.WindowAggregateSpec{
			Keys: []int{0}, Time: 1, Window: jobgraph.WindowSpec{Size: time.Second},
			Aggregates: []jobgraph.AggregateCall{{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"}},
		}}},
	}}}
}

// dataFile is a state file in memory.
type dataFile []byte

func (f dataFile) Name() string { return "file" }

func (f dataFile) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f)), nil
}

// keeperTables declares a table of every shape that evolves.
func keeperTables(columns ...statebackend.ColumnSpec) func(operators.Context) error {
	return func(ctx operators.Context) error {
		id := func(name string) statebackend.TableID {
			return statebackend.TableID{Operator: ctx.Operator, Name: name}
		}
		keys := []types.Type{types.Of(types.BigInt)}
		if _, err := ctx.State.Value(statebackend.ValueSpec{ID: id("profile"), Keys: keys, Columns: columns, Evolves: true}); err != nil {
			return err
		}
		if _, err := ctx.State.Multimap(statebackend.MultimapSpec{ID: id("steady"), Keys: keys}); err != nil {
			return err
		}
		_, err := ctx.State.List(statebackend.ListSpec{ID: id("waiting"), Redistribution: statebackend.SplitEven, Entries: columns, Evolves: true})
		return err
	}
}

func keptIn(t *testing.T, declare func(operators.Context) error) dataFile {
	t.Helper()
	s, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "visitors"}, KeyGroups: types.AllKeyGroups(4), MaxParallelism: 4, Parallelism: 1, Pool: &stream.Pool{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := declare(operators.Context{Operator: "profile", State: s}); err != nil {
		t.Fatal(err)
	}
	x, err := s.Freeze(true)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Release()
	var b bytes.Buffer
	if _, err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFatesOfColumns says before anything starts what becomes of tables whose columns are others, or why it can't be.
func TestFatesOfColumns(t *testing.T) {
	column := func(name string, typ types.Type) statebackend.ColumnSpec {
		return statebackend.ColumnSpec{Name: name, Type: typ}
	}
	amount, old := column("amount", types.Of(types.Int)), column("old", types.StringType())
	files := []statebackend.File{keptIn(t, keeperTables(amount, old))}
	fates := func(declare func(operators.Context) error) ([]string, error) {
		got, err := keepers(declare).fates(t.Context(), keeperGraph(), "visitors", files)
		var lines []string
		for _, f := range got {
			lines = append(lines, f.Fate.String()+" "+f.Table+": "+f.Detail)
		}
		return lines, err
	}
	changed := keeperTables(column("visits", types.Of(types.Int)), column("amount", types.Of(types.BigInt)))
	for name, c := range map[string]struct {
		declare func(operators.Context) error
		want    []string
	}{
		"the same": {keeperTables(amount, old), []string{"kept profile: value table", "kept steady: multimap", "kept waiting: list"}},
		"another struct": {changed, []string{
			"migrated profile: column visits added; amount INT → BIGINT; column old left behind", "kept steady: multimap",
			"migrated waiting: column visits added; amount INT → BIGINT; column old left behind",
		}},
		"another name": {func(ctx operators.Context) error {
			_, err := ctx.State.Value(statebackend.ValueSpec{
				ID: statebackend.TableID{Operator: ctx.Operator, Name: "profile2"}, Keys: []types.Type{types.Of(types.BigInt)}, Evolves: true,
			})
			return err
		}, []string{
			"dropped profile: no operator of the vertex has it", "dropped steady: no operator of the vertex has it",
			"dropped waiting: no operator of the vertex has it", "new profile2: it begins empty",
		}},
	} {
		got, err := fates(c.declare)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	_, err := fates(keeperTables(column("amount", types.StringType()), old))
	const want = "vertex visitors: state of table profile of operator profile can't become what is declared: column amount is STRING, in the snapshot INT, " +
		"which does not widen to it; hint: keep the column as it was; or give the new one another name, which leaves the old values behind; " +
		"or start without this state: give the table or the operator another name and --allow-non-restored-state"
	if err == nil || err.Error() != want || failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestFatesOfOlderFiles: tables of files in an older format are migrated, whatever else changes.
func TestFatesOfOlderFiles(t *testing.T) {
	data, err := os.ReadFile("../../statebackend/columnar/testdata/v1-base.mrst")
	if err != nil {
		t.Fatal(err)
	}
	declare := func(ctx operators.Context) error {
		_, err := ctx.State.Value(statebackend.ValueSpec{
			ID: statebackend.TableID{Operator: "window", Name: "accumulators"}, Keys: []types.Type{types.Of(types.BigInt)}, Namespaced: true, Evolves: true,
			Columns: []statebackend.ColumnSpec{{Name: "count", Type: types.Of(types.BigInt)}},
		})
		return err
	}
	got, err := keepers(declare).fates(t.Context(), keeperGraph(), "visitors", []statebackend.File{dataFile(data)})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(got, func(f checkpoint.TableFate) bool { return f.Table == "accumulators" })
	if i < 0 || got[i].Fate != checkpoint.FateMigrated || !strings.HasPrefix(got[i].Detail, "from file format 1 to 2; column price left behind; ") {
		t.Errorf("%+v", got)
	}
}
