package join_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators/operatortest"
	"millrace/types"
)

var (
	twinLeft   = types.NewSchema(field("k", types.Of(types.Int)), field("v", types.Of(types.BigInt)))
	twinRight  = types.NewSchema(field("k", types.Of(types.Int)), field("w", types.Of(types.BigInt)))
	twinInputs = []*types.Schema{twinLeft, twinRight}
)

// twinRow is a row of both inputs: a key and a value, as text.
type twinRow [2]string

func (r twinRow) String() string { return r[0] + " " + r[1] }

var padded = twinRow{"NULL", "NULL"}

// twin joins row by row, as Flink's StreamingJoinOperator and StreamingSemiAntiJoinOperator do.
type twin struct {
	spec   *jobgraph.JoinSpec
	tables [2][]*twinState
}

type twinState struct {
	row     twinRow
	matches int
}

func (w *twin) matching(left, right twinRow) bool {
	if left[0] != right[0] || left[0] == "NULL" && !w.spec.Keys.NullMeets(0) {
		return false
	}
	return w.spec.Condition == nil || left[1] != right[1] && left[1] != "NULL" && right[1] != "NULL"
}

// row takes a row and returns what leaves for it.
func (w *twin) row(input int, kind string, row twinRow) (out []string) {
	gone := kind[0] == '-'
	outer, otherOuter, anti := w.spec.Type.Outer(input), w.spec.Type.Outer(1-input), w.spec.Type == jobgraph.AntiJoin
	var others []*twinState
	for _, o := range w.tables[1-input] {
		if input == 0 && w.matching(row, o.row) || input == 1 && w.matching(o.row, row) {
			others = append(others, o)
		}
	}
	emit := func(kind string, mine, other twinRow) {
		if input == 1 {
			mine, other = other, mine
		}
		if w.spec.Type.LeftOnly() {
			out = append(out, fmt.Sprintf("%s %s", kind, mine))
			return
		}
		out = append(out, fmt.Sprintf("%s %s %s", kind, mine, other))
	}
	if gone {
		at := slices.IndexFunc(w.tables[input], func(s *twinState) bool { return s.row == row })
		if at < 0 {
			return nil
		}
		w.tables[input] = slices.Delete(w.tables[input], at, at+1)
	} else {
		w.tables[input] = append(w.tables[input], &twinState{row, len(others)})
	}
	if w.spec.Type.LeftOnly() {
		if input == 0 {
			if (len(others) == 0) == anti {
				emit(kind, row, padded)
			}
			return out
		}
		for _, o := range others {
			switch {
			case !gone && o.matches == 0 && anti:
				emit("-D", padded, o.row)
			case gone && o.matches == 1 && anti:
				emit("+I", padded, o.row)
			case !gone && o.matches == 0 || gone && o.matches == 1:
				emit(kind, padded, o.row)
			}
			o.matches += step(gone)
		}
		return out
	}
	if len(others) == 0 {
		if outer {
			emit(map[bool]string{true: "-D", false: "+I"}[gone], row, padded)
		}
		return out
	}
	for _, o := range others {
		if otherOuter && !gone && o.matches == 0 {
			emit("-D", padded, o.row)
		}
	}
	switch {
	case gone && outer:
		kind = "-D"
	case !gone && (outer || otherOuter):
		kind = "+I"
	}
	for _, o := range others {
		emit(kind, row, o.row)
	}
	for _, o := range others {
		if otherOuter && gone && o.matches == 1 {
			emit("+I", padded, o.row)
		}
		o.matches += step(gone)
	}
	return out
}

func step(gone bool) int {
	if gone {
		return -1
	}
	return 1
}

// upsert draws the kind of a row of an upsert changelog, and returns it with what leaves: what the row that it replaces, and then it,
// would cause in a changelog with retractions.
func (w *twin) upsert(r *rand.Rand, input int, row twinRow) (line string, out []string) {
	if row[0] == "NULL" && !w.spec.Keys.NullMeets(0) {
		row[0] = "0"
	}
	unique := w.spec.Side(input).Unique
	at := slices.IndexFunc(w.tables[input], func(s *twinState) bool {
		return !slices.ContainsFunc(unique, func(c int) bool { return s.row[c] != row[c] })
	})
	if r.IntN(4) == 0 {
		if at >= 0 {
			out = w.row(input, "-D", w.tables[input][at].row)
		}
		if !slices.Contains(unique, 1) {
			row[1] = "NULL" // of a -D only the key counts
		}
		return "-D " + row.String(), out
	}
	kind := "+I"
	if at >= 0 {
		out, kind = w.row(input, "-U", w.tables[input][at].row), "+U"
	}
	return "+U " + row.String(), append(out, w.row(input, kind, row)...)
}

// twinScript draws a legal changelog of both inputs, with the retraction of a row that isn't there now and then, and returns it
// with what leaves for each of its rows.
func twinScript(r *rand.Rand, spec *jobgraph.JoinSpec) (script string, want [][]string) {
	w := &twin{spec: spec}
	var lines []string
	add := func(input int, kind string, row twinRow) {
		lines = append(lines, fmt.Sprintf("input %d", input), fmt.Sprintf("%s %s", kind, row))
		want = append(want, w.row(input, kind, row))
	}
	for range 5 + r.IntN(40) {
		input := r.IntN(2)
		side, table := spec.Side(input), w.tables[input]
		row := twinRow{drawn(r, 3), drawn(r, 3)}
		if side.Changelog == jobgraph.UpsertChangelog {
			line, out := w.upsert(r, input, row)
			lines, want = append(lines, fmt.Sprintf("input %d", input), line), append(want, out)
			continue
		}
		there := func(row twinRow) int {
			return slices.IndexFunc(table, func(s *twinState) bool {
				if len(side.Unique) == 0 {
					return false
				}
				return !slices.ContainsFunc(side.Unique, func(c int) bool { return s.row[c] != row[c] })
			})
		}
		switch n := r.IntN(4); {
		case side.Changelog == jobgraph.AppendChangelog || n == 0 || len(table) == 0:
			if there(row) < 0 {
				add(input, "+I", row)
			}
		case n == 1:
			old := table[r.IntN(len(table))].row
			unkeyed := row[0] == "NULL" && !spec.Keys.NullMeets(0) // it is not kept, hence not missed
			if r.IntN(5) == 0 && !unkeyed && there(row) < 0 && !slices.ContainsFunc(table, func(s *twinState) bool { return s.row == row }) {
				old = row
			}
			add(input, "-D", old)
		default:
			old := table[r.IntN(len(table))].row
			if at := there(row); at < 0 || table[at].row == old {
				add(input, "-U", old)
				add(input, "+U", row)
			}
		}
	}
	return strings.Join(lines, "\n"), want
}

func drawn(r *rand.Rand, n int) string {
	if r.IntN(8) == 0 {
		return "NULL"
	}
	return strconv.Itoa(r.IntN(n))
}

func twinSpec(t testing.TB, r *rand.Rand) *jobgraph.JoinSpec {
	side := func() jobgraph.JoinSide {
		switch r.IntN(4) {
		case 0:
			return jobgraph.JoinSide{}
		case 1:
			return jobgraph.JoinSide{Changelog: jobgraph.UpsertChangelog, Unique: [][]int{{0}, {0, 1}}[r.IntN(2)]}
		}
		return jobgraph.JoinSide{Changelog: jobgraph.RetractChangelog, Unique: [][]int{nil, {0}, {1}, {0, 1}}[r.IntN(4)]}
	}
	spec := &jobgraph.JoinSpec{
		Type: jobgraph.JoinType(r.IntN(6)), Left: side(), Right: side(),
		Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}, NullsMeet: []bool{r.IntN(3) == 0}},
	}
	if r.IntN(2) == 0 {
		both := jobgraph.CandidateSchema(twinLeft, twinRight)
		spec.Condition = call(t, "<>", column(both, 1), column(both, 3))
	}
	return spec
}

// TestTwin: a batch a row, what leaves for it is exactly what the plain model gives; with larger batches, freezes and
// other parallelisms the rows that are left over are the model's.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 3))
		spec := twinSpec(&testing.B{}, r)
		script, want := twinScript(r, spec)
		c := &operatortest.Case{
			Spec: &jobgraph.OperatorSpec{UID: "join", Body: spec}, New: factory, Inputs: twinInputs, Keys: [][]int{{0}, {0}},
			Backend: backend, Script: script,
		}
		got := operatortest.Play(t, c, operatortest.Variant{BatchRows: 1, RowsMax: 1 + r.IntN(7), Seed: seed}).Rows[0]
		all := slices.Concat(want...)
		for _, rows := range want {
			n := min(len(rows), len(got))
			if !slices.Equal(slices.Sorted(slices.Values(rows)), slices.Sorted(slices.Values(got[:n]))) {
				t.Fatalf("%+v\n%s\ngives %q where %q was wanted", spec, script, got[:n], rows)
			}
			got = got[n:]
		}
		if len(got) > 0 {
			t.Fatalf("%+v\n%s\ngives %q too much", spec, script, got)
		}
		v := operatortest.Variant{
			BatchRows: r.IntN(5), RowsMax: 1 + r.IntN(7), Reencode: r.IntN(2) == 0, Freeze: operatortest.Freeze(r.IntN(3)),
			Rescale: r.IntN(2) == 0, Seed: seed,
		}
		if v.Freeze == operatortest.NoFreeze {
			v.Rescale = false
		}
		c.Script = joined(script)
		left := materialize(t, operatortest.Play(t, c, v).Rows[0])
		if all := materialize(t, all); !slices.Equal(left, all) {
			t.Fatalf("%+v, %s\n%s\nleaves %q, want %q", spec, v, script, left, all)
		}
	})
}

// joined leaves out what splits rows of one input that follow each other.
func joined(script string) string {
	lines := strings.Split(script, "\n")
	out, input := lines[:0:0], ""
	for _, l := range lines {
		if strings.HasPrefix(l, "input") {
			if l == input {
				continue
			}
			input = l
		}
		out = append(out, l)
	}
	return strings.Join(out, "\n")
}

// materialize returns the rows that a changelog leaves. It takes no row back that is not there.
func materialize(t *rapid.T, changelog []string) []string {
	counts := make(map[string]int)
	for _, line := range changelog {
		kind, row, _ := strings.Cut(line, " ")
		counts[row] += step(kind[0] == '-')
		if counts[row] < 0 {
			t.Fatalf("%q is taken back and isn't there, in %q", row, changelog)
		}
	}
	var out []string
	for row, n := range counts {
		for range n {
			out = append(out, row)
		}
	}
	slices.Sort(out)
	return out
}
