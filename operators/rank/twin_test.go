package rank_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators/operatortest"
	"millrace/operators/rank"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/statetest"
	"millrace/stream/streamtest"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

// twinSchema has a key, what is sorted by, and what tells rows apart.
var twinSchema = types.NewSchema(
	field("k", types.Of(types.BigInt)), field("v", types.Of(types.Int)), field("s", types.StringType()), field("id", types.Of(types.BigInt).NotNull()))

// twin ranks row by row, in sorted slices of text.
type twin struct {
	spec  *jobgraph.RankSpec
	lists map[string][][]string
	out   []string // the changelog as Flink gives it, without changes that are none
	stray int64
}

func (w *twin) key(row []string) string {
	var key []string
	for _, k := range w.spec.Keys {
		key = append(key, row[k])
	}
	return strings.Join(key, " ")
}

func (w *twin) compare(a, b []string) int {
	for _, c := range w.spec.Order {
		x, y := a[c.Column], b[c.Column]
		if x == y {
			continue
		}
		if x == "NULL" || y == "NULL" {
			if (x == "NULL") == c.NullsLast {
				return 1
			}
			return -1
		}
		n := strings.Compare(x, y)
		if twinSchema.Fields[c.Column].Type.Kind != types.VarChar {
			i, _ := strconv.Atoi(x)
			k, _ := strconv.Atoi(y)
			n = cmp.Compare(i, k)
		}
		if c.Descending {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

func (w *twin) row(kind string, row []string) {
	key := w.key(row)
	before := w.lists[key]
	after := slices.Clone(before)
	if kind == "-U" || kind == "-D" {
		i := slices.IndexFunc(after, func(x []string) bool { return slices.Equal(x, row) })
		if i < 0 {
			w.stray++
			return
		}
		after = slices.Delete(after, i, i+1)
	} else {
		after = w.insert(after, row)
	}
	if w.spec.Strategy != jobgraph.Retract {
		after = after[:min(len(after), int(w.spec.To))]
	}
	w.lists[key] = after
	if w.spec.RankNumber != "" {
		w.diffRanks(w.cut(before, 1), w.cut(after, 1))
		return
	}
	w.diffRows(w.cut(before, w.spec.From), w.cut(after, w.spec.From))
}

func (w *twin) insert(list [][]string, row []string) [][]string {
	if w.spec.Strategy == jobgraph.UpdateFast {
		same := func(x []string) bool { return x[0] == row[0] && x[3] == row[3] }
		if i := slices.IndexFunc(list, same); i >= 0 {
			if w.compare(list[i], row) == 0 {
				list[i] = row
				return list
			}
			list = slices.Delete(list, i, i+1)
		}
	}
	at := 0
	for at < len(list) && w.compare(list[at], row) <= 0 {
		at++
	}
	return slices.Insert(list, at, row)
}

func (w *twin) cut(list [][]string, from int64) [][]string {
	list = list[:min(len(list), int(w.spec.To))]
	return list[min(len(list), int(from-1)):]
}

func (w *twin) say(kind string, row []string, rank int) {
	if kind == "-U" && !w.spec.UpdateBefore {
		return
	}
	line := kind + " " + strings.Join(row, " ")
	if rank > 0 {
		line += fmt.Sprintf(" %d", rank)
	}
	w.out = append(w.out, line)
}

func (w *twin) diffRanks(before, after [][]string) {
	for i := int(w.spec.From) - 1; i < max(len(before), len(after)); i++ {
		switch {
		case i >= len(before):
			w.say("+I", after[i], i+1)
		case i >= len(after):
			w.say("-D", before[i], i+1)
		case !slices.Equal(before[i], after[i]):
			w.say("-U", before[i], i+1)
			w.say("+U", after[i], i+1)
		}
	}
}

func (w *twin) diffRows(before, after [][]string) {
	var left, entered [][]string
	entered = slices.Clone(after)
	for _, x := range before {
		if i := slices.IndexFunc(entered, func(y []string) bool { return slices.Equal(x, y) }); i >= 0 {
			entered = slices.Delete(entered, i, i+1)
		} else {
			left = append(left, x)
		}
	}
	if w.spec.Strategy == jobgraph.UpdateFast && len(left) == 1 && len(entered) == 1 && left[0][3] == entered[0][3] && left[0][0] == entered[0][0] {
		w.say("-U", left[0], 0)
		w.say("+U", entered[0], 0)
		return
	}
	for _, x := range left {
		w.say("-D", x, 0)
	}
	for _, x := range entered {
		w.say("+I", x, 0)
	}
}

// result returns the rows in the ranks.
func (w *twin) result() (out []string) {
	for _, list := range w.lists {
		for i, row := range w.cut(list, w.spec.From) {
			line := "+I " + strings.Join(row, " ")
			if w.spec.RankNumber != "" {
				line += fmt.Sprintf(" %d", int64(i)+w.spec.From)
			}
			out = append(out, line)
		}
	}
	return out
}

// materialize applies a changelog: without -U, rows are replaced by what id says of them.
func materialize(t streamtest.TB, rows []string, id func(row string) string, updateBefore bool) (out []string) {
	byID := map[string][]string{}
	for _, line := range rows {
		kind, row := line[:2], line[3:]
		key := id(row)
		have := byID[key]
		if kind == "-U" || kind == "-D" {
			at := slices.Index(have, row)
			if at < 0 {
				t.Fatalf("%s is taken back, and not there", line)
			}
			byID[key] = slices.Delete(have, at, at+1)
			continue
		}
		if kind == "+U" && !updateBefore {
			if len(have) != 1 {
				t.Fatalf("%s updates one of %d rows", line, len(have))
			}
			have = nil
		}
		byID[key] = append(have, row)
	}
	for _, have := range byID {
		for _, row := range have {
			out = append(out, "+I "+row)
		}
	}
	return out
}

func drawSpec(t *rapid.T, r *rand.Rand) *jobgraph.RankSpec {
	s := &jobgraph.RankSpec{
		Keys: [][]int{{0}, {}, {0, 2}}[r.IntN(3)], Strategy: jobgraph.RankStrategy(1 + r.IntN(3)), ToColumn: jobgraph.NoColumn, WindowEnd: jobgraph.NoColumn,
		Order: []jobgraph.SortColumn{{Column: 1, Descending: r.IntN(2) == 0, NullsLast: r.IntN(2) == 0}}, UpdateBefore: r.IntN(2) == 0,
	}
	s.From = int64(1 + r.IntN(2))
	s.To = s.From + int64(r.IntN(4))
	if r.IntN(2) == 0 {
		s.RankNumber = "rank"
	}
	switch {
	case s.Strategy == jobgraph.UpdateFast:
		s.Keys, s.UniqueKey = []int{0}, []int{0, 3}
	case r.IntN(4) == 0:
		s.Order = append(s.Order, jobgraph.SortColumn{Column: 2, Descending: r.IntN(2) == 0})
	case r.IntN(6) == 0:
		s.Order = nil
	}
	return s
}

// changes draws rows that the strategy may have.
func changes(r *rand.Rand, s *jobgraph.RankSpec, n int) (kinds []string, rows [][]string) {
	value := func() string {
		if r.IntN(6) == 0 {
			return "NULL"
		}
		return strconv.Itoa(r.IntN(8) - 2)
	}
	best := map[string]int{}
	var live [][]string
	for i := range n {
		row := []string{[]string{"1", "2", "NULL"}[r.IntN(3)], value(), []string{"'a'", "'b'", "''"}[r.IntN(3)], strconv.Itoa(i)}
		kind := "+I"
		switch s.Strategy {
		case jobgraph.UpdateFast: // better and better
			row[3] = strconv.Itoa(r.IntN(4))
			key := row[0] + " " + row[3]
			best[key] += r.IntN(3)
			if row[1] = strconv.Itoa(best[key]); !s.Order[0].Descending {
				row[1] = strconv.Itoa(-best[key])
			}
			kind = []string{"+I", "+U"}[r.IntN(2)]
		case jobgraph.Retract:
			row[3] = strconv.Itoa(r.IntN(3)) // equal rows
			switch k := r.IntN(8); {
			case k < 4 && len(live) > 0:
				at := r.IntN(len(live))
				kind, row = []string{"-U", "-D"}[k%2], live[at]
				live = slices.Delete(live, at, at+1)
			case k == 4:
				kind = "-D" // of what may not be there
				if at := slices.IndexFunc(live, func(x []string) bool { return slices.Equal(x, row) }); at >= 0 {
					live = slices.Delete(live, at, at+1)
				}
			default:
				kind = []string{"+I", "+U"}[k%2]
				live = append(live, row)
			}
		}
		kinds, rows = append(kinds, kind), append(rows, row)
	}
	return kinds, rows
}

func drawVariant(t *rapid.T, r *rand.Rand, keys []int) operatortest.Variant {
	c := operatortest.Case{Keys: [][]int{keys}, Backend: columnar.New()}
	all := c.Variants()
	v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
	v.Seed = r.Uint64()
	return v
}

func TestRankEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := drawSpec(t, r)
		w := &twin{spec: spec, lists: map[string][][]string{}}
		var script []string
		kinds, rows := changes(r, spec, rapid.IntRange(0, 50).Draw(t, "rows"))
		for i, row := range rows {
			w.row(kinds[i], row)
			script = append(script, kinds[i]+" "+strings.Join(row, " "))
		}
		v := drawVariant(t, r, spec.Keys)
		c := &operatortest.Case{
			Spec: &jobgraph.OperatorSpec{UID: "rank", Body: spec}, New: rank.New, Inputs: []*types.Schema{twinSchema}, Keys: [][]int{spec.Keys},
			Backend: drawBackend(r), Script: strings.Join(script, "\n"),
		}
		out := operatortest.Play(t, c, v)
		got := out.Rows[0]
		if v.BatchRows == 1 && (spec.RankNumber != "" || spec.From == 1) {
			if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(w.out, "\n")), got, !v.Rescale); diff != "" {
				t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", spec, c.Script, diff)
			}
		}
		id := func(string) string { return "" }
		if !spec.UpdateBefore {
			id = func(row string) string { return identity(spec, row) }
		}
		result := materialize(t, got, id, spec.UpdateBefore)
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(w.result(), "\n")), result, false); diff != "" {
			t.Fatalf("%+v\n%s\n%s\n(-twin +operator):\n%s", spec, c.Script, strings.Join(got, "\n"), diff)
		}
		if out.Counts.Expired != w.stray {
			t.Fatalf("%d rows had nothing to take back, counted are %d", w.stray, out.Counts.Expired)
		}
	})
}

// identity is the upsert key of an output row.
func identity(s *jobgraph.RankSpec, row string) string {
	parts := strings.Fields(row)
	var key []string
	for _, k := range s.Keys {
		key = append(key, parts[k])
	}
	if s.RankNumber != "" {
		return strings.Join(append(key, parts[4]), " ")
	}
	if s.Strategy == jobgraph.UpdateFast {
		return parts[0] + " " + parts[3]
	}
	return row
}

// TestFinalRanksEqualTwin has bounded input and gives ranks at its end.
func TestFinalRanksEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := drawSpec(t, r)
		spec.FinalOnly, spec.UpdateBefore = true, false
		w := &twin{spec: spec, lists: map[string][][]string{}}
		var script []string
		kinds, rows := changes(r, spec, rapid.IntRange(0, 50).Draw(t, "rows"))
		for i, row := range rows {
			w.row(kinds[i], row)
			script = append(script, kinds[i]+" "+strings.Join(row, " "))
		}
		c := &operatortest.Case{
			Spec: &jobgraph.OperatorSpec{UID: "rank", Body: spec}, New: rank.New, Inputs: []*types.Schema{twinSchema}, Keys: [][]int{spec.Keys},
			Backend: drawBackend(r), Script: strings.Join(append(script, "end"), "\n"),
		}
		out := operatortest.Play(t, c, drawVariant(t, r, spec.Keys))
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(w.result(), "\n")), out.Rows[0], false); diff != "" {
			t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", spec, c.Script, diff)
		}
	})
}

// TestRanksOfWindowsEqualTwin closes windows by drawn watermarks, and may freeze while they are given.
func TestRanksOfWindowsEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := highest(int64(1 + r.IntN(4)))
		spec.UpdateBefore, spec.WindowEnd, spec.From = false, 3, int64(1+r.IntN(int(spec.To)))
		var script, want []string
		windows := map[int]map[string][][]string{}
		watermark, late := -1, int64(0)
		closeUpTo := func(to int) {
			for end, partitions := range windows {
				if end-1 > to {
					continue
				}
				for _, list := range partitions {
					slices.SortStableFunc(list, func(a, b []string) int { return cmp.Compare(atoi(b[2]), atoi(a[2])) })
					for i := spec.From - 1; i < min(spec.To, int64(len(list))); i++ {
						want = append(want, fmt.Sprintf("%s %d", strings.Join(list[i], " "), i+1))
					}
				}
				delete(windows, end)
			}
		}
		for i := range rapid.IntRange(0, 60).Draw(t, "rows") {
			end := (1 + r.IntN(4)) * 300
			row := []string{strconv.Itoa(r.IntN(2)), strconv.Itoa(i), strconv.Itoa(r.IntN(5)), strconv.Itoa(end)}
			script = append(script, strings.Join(row, " "))
			if end-1 <= watermark {
				late++
			} else {
				if windows[end] == nil {
					windows[end] = map[string][][]string{}
				}
				windows[end][row[0]] = append(windows[end][row[0]], row)
			}
			if r.IntN(8) == 0 {
				watermark += 1 + r.IntN(400)
				script = append(script, fmt.Sprintf("watermark %d", watermark))
				closeUpTo(watermark)
			}
		}
		closeUpTo(1 << 40)
		c := &operatortest.Case{
			Spec: rankOf(spec), New: rank.New, Inputs: []*types.Schema{bids}, Keys: [][]int{{0}}, Backend: drawBackend(r),
			Script: strings.Join(append(script, "end"), "\n"),
		}
		out := operatortest.Play(t, c, drawVariant(t, r, spec.Keys))
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(want, "\n")), out.Rows[0], false); diff != "" {
			t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", spec, c.Script, diff)
		}
		if out.Counts.Late != late {
			t.Fatalf("%d rows late, want %d", out.Counts.Late, late)
		}
	})
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

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
