package changelog_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/changelog"
	"millrace/operators/operatortest"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/statetest"
	"millrace/stream/streamtest"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var schema = types.NewSchema(field("k", types.Of(types.BigInt)), field("v", types.Of(types.Int)), field("s", types.StringType()))

var normalize = changelog.NormalizeFactory(expr.Builtins())

// positive holds where v is above 0.
func positive(t streamtest.TB) expr.Expr {
	v := &expr.Column{Index: 1, Name: "v", T: schema.Fields[1].Type}
	zero := &expr.Literal{T: types.Of(types.Int).NotNull(), Value: int64(0)}
	e, err := expr.NewCall(expr.Builtins(), ">", v, zero)
	if err != nil {
		t.Fatalf("filter: %v", err)
	}
	return e
}

// twin keeps rows one by one: the last of each key, or all of them.
type twin struct {
	rows  map[string][][]string
	out   []string
	stray int64
}

func (w *twin) say(kind string, row []string) { w.out = append(w.out, kind+" "+strings.Join(row, " ")) }

// normalize is Flink's processLastRowOnChangelog.
func (w *twin) normalize(s *jobgraph.ChangelogNormalizeSpec, kind string, row []string) {
	old, there := w.rows[row[0]]
	retracts := kind == "-U" || kind == "-D"
	v, _ := strconv.Atoi(row[1])
	switch {
	case retracts && !there:
		w.stray++
	case retracts, s.Filter != nil && v <= 0:
		if there {
			w.say("-D", old[0])
		}
		delete(w.rows, row[0])
	case !there:
		w.say("+I", row)
		w.rows[row[0]] = [][]string{row}
	case !slices.Equal(old[0], row):
		if s.UpdateBefore {
			w.say("-U", old[0])
		}
		w.say("+U", row)
		w.rows[row[0]] = [][]string{row}
	}
}

// materialize is Flink's SinkUpsertMaterializer, but that a row that comes again goes to the end.
func (w *twin) materialize(s *jobgraph.SinkMaterializeSpec, kind string, row []string) {
	list := slices.Clone(w.rows[row[0]])
	before := list
	same := func(x []string) bool { return slices.Equal(x, row) }
	if len(s.UpsertKey) > 0 {
		same = func(x []string) bool { return x[2] == row[2] }
	}
	retracts := kind == "-U" || kind == "-D"
	if retracts || len(s.UpsertKey) > 0 {
		if i := slices.IndexFunc(list, same); i >= 0 {
			list = slices.Delete(slices.Clone(list), i, i+1)
		} else if retracts {
			w.stray++
		}
	}
	if !retracts {
		list = append(list, row)
	}
	w.rows[row[0]] = list
	switch {
	case len(before) == 0 && len(list) > 0:
		w.say("+I", list[len(list)-1])
	case len(before) > 0 && len(list) == 0:
		w.say("-D", before[len(before)-1])
	case len(list) > 0 && !slices.Equal(before[len(before)-1], list[len(list)-1]):
		w.say("+U", list[len(list)-1])
	}
}

// result returns the rows that count.
func (w *twin) result() (out []string) {
	for _, list := range w.rows {
		if len(list) > 0 {
			out = append(out, strings.Join(list[len(list)-1], " "))
		}
	}
	return out
}

// view applies a changelog by the first column. With updateBefore, a row takes itself back.
func view(t streamtest.TB, rows []string, updateBefore bool) (out []string) {
	have := map[string]string{}
	for _, line := range rows {
		kind, row := line[:2], line[3:]
		key := strings.Fields(row)[0]
		old, there := have[key]
		switch {
		case kind == "+I" && there, kind == "+U" && !updateBefore && !there, kind == "+U" && updateBefore && there:
			t.Fatalf("%s, and the key has %q", line, old)
		case (kind == "-D" || kind == "-U") && old != row:
			t.Fatalf("%s, and the key has %q", line, old)
		case kind == "-D", kind == "-U":
			delete(have, key)
		default:
			have[key] = row
		}
	}
	for _, row := range have {
		out = append(out, "+I "+row)
	}
	return out
}

// script draws changes and feeds the twin with them.
func script(r *rand.Rand, n int, feed func(kind string, row []string)) string {
	var lines []string
	var live [][]string
	keys := []string{"1", "2", "NULL"}[:1+r.IntN(3)] // one has long lists
	for range n {
		row := []string{keys[r.IntN(len(keys))], []string{"NULL", "-1", "0", "1", "2", "3"}[r.IntN(6)], []string{"'a'", "'b'", "NULL"}[r.IntN(3)]}
		kind := []string{"+I", "+U", "-U", "-D", "+I"}[r.IntN(5)]
		if kind[0] == '-' && len(live) > 0 && r.IntN(4) > 0 {
			at := r.IntN(len(live))
			row = live[at]
			live = slices.Delete(live, at, at+1)
		} else if kind[0] == '+' {
			live = append(live, row)
		}
		feed(kind, row)
		lines = append(lines, kind+" "+strings.Join(row, " "))
	}
	return strings.Join(lines, "\n")
}

func drawVariant(t *rapid.T, r *rand.Rand) operatortest.Variant {
	c := operatortest.Case{Keys: [][]int{{0}}, Backend: columnar.New()}
	all := c.Variants()
	v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
	v.Seed = r.Uint64()
	return v
}

// check plays the case and compares it with the twin.
func (w *twin) check(t *rapid.T, r *rand.Rand, c *operatortest.Case, updateBefore, eachChange bool) {
	c.Inputs, c.Keys, c.Backend = []*types.Schema{schema}, [][]int{{0}}, drawBackend(r)
	v := drawVariant(t, r)
	out := operatortest.Play(t, c, v)
	if v.BatchRows == 1 || eachChange {
		if diff := streamtest.Diff(streamtest.Canonical(t, schema, strings.Join(w.out, "\n")), out.Rows[0], v.BatchRows == 1 && !v.Rescale); diff != "" {
			t.Fatalf("%s\n(-twin +operator):\n%s", c.Script, diff)
		}
	}
	got := view(t, out.Rows[0], updateBefore)
	if diff := streamtest.Diff(streamtest.Canonical(t, schema, strings.Join(w.result(), "\n")), got, false); diff != "" {
		t.Fatalf("%s\n%s\n(-twin +operator):\n%s", c.Script, strings.Join(out.Rows[0], "\n"), diff)
	}
	if out.Counts.Expired != w.stray {
		t.Fatalf("%d rows had nothing to take back, counted are %d", w.stray, out.Counts.Expired)
	}
}

func TestNormalizeEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := &jobgraph.ChangelogNormalizeSpec{Keys: []int{0}, UpdateBefore: r.IntN(2) == 0, EachChange: r.IntN(2) == 0}
		if r.IntN(2) == 0 {
			spec.Filter = positive(t)
		}
		w := &twin{rows: map[string][][]string{}}
		s := script(r, rapid.IntRange(0, 50).Draw(t, "rows"), func(kind string, row []string) { w.normalize(spec, kind, row) })
		w.check(t, r, &operatortest.Case{Spec: &jobgraph.OperatorSpec{UID: "n", Body: spec}, New: normalize, Script: s}, spec.UpdateBefore, spec.EachChange)
	})
}

func TestMaterializeEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := &jobgraph.SinkMaterializeSpec{Keys: []int{0}}
		if r.IntN(2) == 0 {
			spec.UpsertKey = []int{2}
		}
		w := &twin{rows: map[string][][]string{}}
		s := script(r, rapid.IntRange(0, 120).Draw(t, "rows"), func(kind string, row []string) { w.materialize(spec, kind, row) })
		w.check(t, r, &operatortest.Case{Spec: &jobgraph.OperatorSpec{UID: "m", Body: spec}, New: changelog.NewMaterialize, Script: s}, false, false)
	})
}

func TestChangelogs(t *testing.T) {
	spec := func(body jobgraph.OperatorBody) *jobgraph.OperatorSpec {
		return &jobgraph.OperatorSpec{UID: "c", Body: body}
	}
	lives := 10 * time.Second
	for _, c := range []operatortest.Case{
		{
			Name: "a deletion may have no more than its key", New: normalize,
			Spec:   spec(&jobgraph.ChangelogNormalizeSpec{Keys: []int{0}, UpdateBefore: true, Filter: positive(t)}),
			Script: "+I 1 5 'a'\nflush\ntime 1\n-D 1 NULL NULL\ntime 2\n-D 1 NULL NULL",
			Want:   "1 5 'a'\n-D 1 5 'a'",
			Counts: &operators.Counts{Folded: 3, Expired: 1},
		},
		{
			Name: "a key without changes for its TTL is forgotten", New: normalize,
			Spec:   spec(&jobgraph.ChangelogNormalizeSpec{Keys: []int{0}, UpdateBefore: true, TTL: lives}),
			Script: "time 1\n+I 1 5 'a'\ntime 2\n+U 1 5 'a'\ntime 10002\n+U 1 6 'b'",
			Want:   "1 5 'a'\n-U 1 5 'a'\n+U 1 5 'a'\n1 6 'b'",
		},
		{
			Name: "each change of a batch", New: normalize,
			Spec:   spec(&jobgraph.ChangelogNormalizeSpec{Keys: []int{0}, EachChange: true}),
			Script: "+I 1 5 'a'\n+I 2 1 'x'\n+U 1 6 'b'\n+U 1 6 'b'\n-D 1 6 'b'\n-D 1 6 'b'\n+U 1 7 'c'",
			Want:   "1 5 'a'\n2 1 'x'\n+U 1 6 'b'\n-D 1 6 'b'\n1 7 'c'",
			Counts: &operators.Counts{Folded: 7, Expired: 1},
		},
		{
			Name: "normalized at the end", New: normalize,
			Spec:   spec(&jobgraph.ChangelogNormalizeSpec{Keys: []int{0}, FinalOnly: true}),
			Script: "+I 1 5 'a'\n+U 1 6 'b'\n+I 2 1 'x'\n-D 2 1 'x'\n+I 3 NULL NULL\nend",
			Want:   "1 6 'b'\n3 NULL NULL",
			Counts: &operators.Counts{Folded: 5},
		},
		{
			Name: "a primary key without changes for its TTL is forgotten", New: changelog.NewMaterialize,
			Spec:   spec(&jobgraph.SinkMaterializeSpec{Keys: []int{0}, TTL: lives}),
			Script: "time 1\n1 5 'a'\ntime 2\n1 6 'b'\ntime 10001\n-U 1 6 'b'\ntime 20001\n1 7 'c'",
			Want:   "1 5 'a'\n+U 1 6 'b'\n+U 1 5 'a'\n1 7 'c'",
		},
		{
			Name: "without -U", New: changelog.NewDropUpdateBefore, Spec: spec(&jobgraph.DropUpdateBeforeSpec{}), Ordered: true,
			Script: "1 5 'a'\n-U 1 5 'a'\n+U 1 6 'b'\n-D 1 6 'b'\n-U NULL NULL NULL",
			Want:   "1 5 'a'\n+U 1 6 'b'\n-D 1 6 'b'",
			Counts: &operators.Counts{Filtered: 2},
		},
		{
			Name: "without -U that are deletions", New: changelog.NewDropUpdateBefore, Spec: spec(&jobgraph.DropUpdateBeforeSpec{Keys: []int{0, 2}}), Normalize: lastOfKeys,
			Script: "1 5 'a'\n-U 1 5 'a'\n+U 1 6 'a'\n-U 1 6 'a'\n+U 1 6 'b'\n-U 1 6 'b'\n-U 2 1 NULL\n+I 2 2 NULL\n-D 2 2 NULL\n-U 3 3 'c'",
			Want:   "1 5 'a'\n+U 1 6 'a'\n-D 1 6 'a'\n+U 1 6 'b'\n-D 1 6 'b'\n+I 2 2 NULL\n-D 2 2 NULL\n-D 3 3 'c'",
		},
	} {
		c.Inputs, c.Backend, c.Keys = []*types.Schema{schema}, columnar.New(), [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// lastOfKeys is what a consumer by the first and the third column has in the end, and whether it was told to change anything else: there is no -U.
func lastOfKeys(_ int, rows []string) []string {
	last := make(map[string]string)
	var out []string
	for _, row := range rows {
		f := strings.Fields(row)
		switch key := f[1] + f[3]; f[0] {
		case "-U":
			out = append(out, row)
		case "-D":
			delete(last, key)
		default:
			last[key] = strings.Join(f[1:], " ")
		}
	}
	return append(out, slices.Sorted(maps.Values(last))...)
}

func TestChangelogsNeedKeys(t *testing.T) {
	for _, body := range []jobgraph.OperatorBody{&jobgraph.ChangelogNormalizeSpec{}, &jobgraph.SinkMaterializeSpec{}} {
		make := normalize
		if _, ok := body.(*jobgraph.SinkMaterializeSpec); ok {
			make = changelog.NewMaterialize
		}
		if _, err := make(&jobgraph.OperatorSpec{UID: "c", Body: body}); err == nil {
			t.Errorf("%T: no error", body)
		}
	}
}

var _ operators.Finisher = (*changelog.Normalize)(nil)

// tiered has rows leave memory at every call, so that a slot that is used too late shows.
type tiered struct{ statebackend.Backend }

func (b tiered) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	spec.Tier = &statetest.MemoryTier{}
	return b.Backend.Open(ctx, spec)
}

func drawBackend(r *rand.Rand) statebackend.Backend {
	if r.IntN(2) == 0 {
		return tiered{columnar.New()}
	}
	return columnar.New()
}
