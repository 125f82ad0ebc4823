package aggregate_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/operators/operatortest"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// model aggregates row by row, in maps, as Flink's operators do without mini-batches.
type model struct {
	spec   *jobgraph.GroupAggregateSpec
	now    int64
	groups map[string]*modelGroup
	out    []string
	counts operators.Counts
}

type modelGroup struct {
	rows    [][]string
	written int64
	// seen has, by call, when each value was last written, where values expire.
	seen []map[string]int64
	// lists has, by call, the values that there are in the order in which they came.
	lists [][]string
	sums  []int64
	ns    []int64
	all   int64
}

func (m *model) expired(at int64) bool {
	ttl := m.spec.TTL.Milliseconds()
	return ttl > 0 && at+ttl <= m.now
}

func (m *model) row(kind string, values []string) {
	var key []string
	for _, k := range m.spec.Keys {
		key = append(key, values[k])
	}
	id := strings.Join(key, " ")
	g := m.groups[id]
	if g != nil && m.expired(g.written) {
		g = nil
	}
	if g == nil {
		if kind == "-D" {
			m.counts.Expired++
			return
		}
		g = &modelGroup{ns: make([]int64, len(m.spec.Aggregates)), sums: make([]int64, len(m.spec.Aggregates)), lists: make([][]string, len(m.spec.Aggregates))}
		for range m.spec.Aggregates {
			g.seen = append(g.seen, map[string]int64{})
		}
	}
	m.counts.Folded++
	old := id + m.result(g)
	first := m.groups[id] != g
	m.groups[id], g.written = g, m.now
	if kind == "-D" {
		i := slices.IndexFunc(g.rows, func(r []string) bool { return slices.Equal(r, values) })
		g.rows = slices.Delete(g.rows, i, i+1)
	} else {
		g.rows = append(g.rows, values)
	}
	m.list(g, kind, values)
	m.fold(g, values)
	now := id + m.result(g)
	switch {
	case len(g.rows) == 0:
		delete(m.groups, id)
		if !m.spec.UpdateBefore {
			old = now // of a -D only the key's columns count
		}
		m.emit("-D", old)
	case first:
		m.emit("+I", now)
	case m.spec.TTL == 0 && old == now:
	default:
		if m.spec.UpdateBefore {
			m.emit("-U", old)
		}
		m.emit("+U", now)
	}
}

// list keeps values in their order: of equal ones the first goes first.
func (m *model) list(g *modelGroup, kind string, values []string) {
	for i, a := range m.spec.Aggregates {
		if a.Arg < 0 || values[a.Arg] == "NULL" || a.Filtered && values[a.Filter] != "TRUE" {
			continue
		}
		v := values[a.Arg]
		n := 0 // of this value, before the row
		for _, r := range g.rows {
			if r[a.Arg] == v && (!a.Filtered || r[a.Filter] == "TRUE") {
				n++
			}
		}
		distinct := a.Distinct && a.Func == "LISTAGG"
		switch at := slices.Index(g.lists[i], v); {
		case kind == "+I" && (!distinct || n <= 1):
			g.lists[i] = append(g.lists[i], v)
		case kind == "-D" && (!distinct || n <= 0):
			g.lists[i] = slices.Delete(g.lists[i], at, at+1)
		}
	}
}

// fold keeps what a result can't be had of from the rows: where values expire, and
// rows only come.
func (m *model) fold(g *modelGroup, values []string) {
	if m.spec.TTL == 0 {
		return
	}
	g.all++
	// Calls of one argument share their values, and a row writes those of all of them.
	admitted := map[int]bool{}
	for _, a := range m.spec.Aggregates {
		if a.Arg >= 0 && a.Distinct && values[a.Arg] != "NULL" && (!a.Filtered || values[a.Filter] == "TRUE") {
			admitted[a.Arg] = true
		}
	}
	for i, a := range m.spec.Aggregates {
		if a.Distinct && admitted[a.Arg] {
			v := values[a.Arg]
			at, ok := g.seen[i][v]
			there := ok && !m.expired(at)
			if !a.Filtered || values[a.Filter] == "TRUE" {
				if !there {
					g.ns[i]++
					g.sums[i] += number(v)
				}
				g.seen[i][v] = m.now
			} else if there {
				g.seen[i][v] = m.now
			} else {
				delete(g.seen[i], v)
			}
			continue
		}
		if a.Distinct || a.Filtered && values[a.Filter] != "TRUE" || a.Arg >= 0 && values[a.Arg] == "NULL" {
			continue
		}
		g.ns[i]++
		if a.Arg >= 0 {
			g.sums[i] += number(values[a.Arg])
		}
	}
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func (m *model) emit(kind, row string) {
	m.out = append(m.out, kind+" "+strings.TrimSpace(row))
}

func (m *model) result(g *modelGroup) string {
	out := ""
	for i, a := range m.spec.Aggregates {
		if m.spec.TTL > 0 {
			switch {
			case a.Func == "COUNT":
				out += fmt.Sprintf(" %d", g.ns[i])
			case g.ns[i] == 0:
				out += " NULL"
			default:
				out += fmt.Sprintf(" %d", g.sums[i])
			}
			continue
		}
		if jobgraph.GoesByOrder(a.Func) {
			out += " " + ordered(a, g.lists[i])
			continue
		}
		out += " " + m.aggregate(a, g.rows)
	}
	return out
}

func ordered(a jobgraph.AggregateCall, xs []string) string {
	switch {
	case len(xs) == 0:
		return "NULL"
	case a.Func == "FIRST_VALUE":
		return xs[0]
	case a.Func == "LAST_VALUE":
		return xs[len(xs)-1]
	}
	var texts []string
	for _, x := range xs {
		texts = append(texts, strings.Trim(x, "'"))
	}
	return "'" + strings.Join(texts, a.Separator) + "'"
}

// deviation is that of integers where arg is 1, else of quarters.
func deviation(a jobgraph.AggregateCall, xs []string) string {
	sum, squares, n := 0.0, 0.0, float64(len(xs))
	for _, x := range xs {
		f, _ := strconv.ParseFloat(x, 64)
		sum, squares = sum+f, squares+f*f
	}
	divisor := n
	if strings.HasSuffix(a.Func, "SAMP") {
		if divisor--; divisor == 0 {
			return "NULL"
		}
	}
	truncate := func(x float64) float64 {
		if a.Arg == 1 {
			return math.Trunc(x)
		}
		return x
	}
	x := truncate((squares - truncate(sum*sum/n)) / divisor)
	if strings.HasPrefix(a.Func, "STDDEV") {
		x = truncate(math.Sqrt(x))
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func (m *model) aggregate(a jobgraph.AggregateCall, rows [][]string) string {
	var xs []string
	for _, r := range rows {
		switch {
		case a.Filtered && r[a.Filter] != "TRUE":
		case a.Arg == jobgraph.CountStar:
			xs = append(xs, "")
		case r[a.Arg] != "NULL" && (!a.Distinct || !slices.Contains(xs, r[a.Arg])):
			xs = append(xs, r[a.Arg])
		}
	}
	switch {
	case a.Func == "COUNT":
		return strconv.Itoa(len(xs))
	case a.Func == "SUM0" && len(xs) == 0:
		return "0"
	case len(xs) == 0:
		return "NULL"
	case jobgraph.Deviates(a.Func):
		return deviation(a, xs)
	case a.Func == "MIN":
		return slices.MinFunc(xs, compareText)
	case a.Func == "MAX":
		return slices.MaxFunc(xs, compareText)
	}
	sum := 0.0
	for _, x := range xs {
		f, _ := strconv.ParseFloat(x, 64)
		sum += f // small integers and quarters: exact
	}
	if a.Func == "AVG" {
		if sum /= float64(len(xs)); a.Arg == 1 {
			return strconv.FormatInt(int64(sum), 10)
		}
	}
	return strconv.FormatFloat(sum, 'f', -1, 64)
}

func compareText(x, y string) int {
	a, errA := strconv.ParseFloat(x, 64)
	b, errB := strconv.ParseFloat(y, 64)
	if errA == nil && errB == nil {
		return int(a*4 - b*4)
	}
	return strings.Compare(x, y)
}

func numeric(fn string) bool {
	return strings.HasPrefix(fn, "SUM") || fn == "AVG" || jobgraph.Deviates(fn)
}

// drawGroup draws a spec; the functions are those that can do what it asks.
func drawGroup(r *rand.Rand) *jobgraph.GroupAggregateSpec {
	s := &jobgraph.GroupAggregateSpec{
		Keys: [][]int{{0}, {}, {0, 2}}[r.IntN(3)], Retract: r.IntN(3) > 0, UpdateBefore: r.IntN(2) == 0,
	}
	functions := []string{
		"COUNT", "SUM", "MIN", "MAX", "AVG", "SUM0", "FIRST_VALUE", "LAST_VALUE", "LISTAGG", "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP",
	}
	if r.IntN(3) == 0 {
		// Up to 19 ms the time of a write is kept to the millisecond, as the model keeps it; above, a tenth of the TTL may pass before a row goes.
		s.TTL, s.Retract, functions = time.Duration(1+r.IntN(19))*time.Millisecond, false, functions[:2]
	}
	for i := range r.IntN(5) {
		a := jobgraph.AggregateCall{Func: functions[r.IntN(len(functions))], Arg: []int{1, 2, 4}[r.IntN(3)], Name: fmt.Sprintf("x%d", i)}
		switch {
		case a.Func == "COUNT" && r.IntN(3) == 0:
			a.Arg = jobgraph.CountStar
		case a.Func == "LISTAGG":
			a.Arg, a.Separator = 2, []string{"", ", "}[r.IntN(2)]
		case a.Arg == 2 && numeric(a.Func), s.TTL > 0 && a.Func == "SUM":
			a.Arg = 1
		}
		a.Distinct = a.Arg != jobgraph.CountStar && r.IntN(3) == 0
		if r.IntN(3) == 0 {
			a.Filtered, a.Filter = true, 3
		}
		s.Aggregates = append(s.Aggregates, a)
	}
	if len(s.Keys)+len(s.Aggregates) == 0 {
		s.Keys = []int{0}
	}
	return s
}

// script draws rows and feeds the model with them.
func (m *model) script(r *rand.Rand, rows int, absent bool) string {
	var lines []string
	var there [][]string
	for range rows {
		pick := func(of ...string) string { return of[r.IntN(len(of))] }
		values := []string{pick("1", "2", "NULL"), pick("NULL", "1", "2", "-3", "40"), pick("'a'", "'b'", "''", "NULL"), pick("TRUE", "FALSE", "NULL"), pick("NULL", "0", "0.25", "-7.5")}
		kind := "+I"
		if m.spec.Retract && r.IntN(2) == 0 {
			kind = "-D"
			if len(there) > 0 && r.IntN(8) > 0 {
				i := r.IntN(len(there))
				values = there[i]
				there = slices.Delete(there, i, i+1)
			} else {
				// What no group has is taken back: of a key that has rows, the operator
				// can't know.
				values[0] = "77"
				if len(m.spec.Keys) == 0 || !absent {
					continue
				}
			}
		} else {
			there = append(there, values)
		}
		m.row(kind, values)
		lines = append(lines, kind+" "+strings.Join(values, " "))
		if r.IntN(4) == 0 {
			m.now += int64(r.IntN(15))
			lines = append(lines, fmt.Sprintf("time %d", m.now))
		}
	}
	return strings.Join(append(lines, "end"), "\n")
}

func checkGroup(t *rapid.T, c *operatortest.Case, spec *jobgraph.GroupAggregateSpec, exact, absent bool) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	m := &model{spec: spec, groups: map[string]*modelGroup{}}
	c.Script = m.script(r, rapid.IntRange(0, 60).Draw(t, "rows"), absent)
	c.Spec = &jobgraph.OperatorSpec{UID: "agg", Body: spec}
	c.Inputs, c.Keys, c.Backend = []*types.Schema{orders}, [][]int{spec.Keys}, columnar.New()
	all := c.Variants()
	v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
	v.Seed = r.Uint64()
	if exact {
		v.BatchRows = 1
	}
	out := operatortest.Play(t, c, v)
	want := streamtest.Canonical(t, out.Schema, strings.Join(m.out, "\n"))
	keys := 0
	if !spec.UpdateBefore {
		keys = max(len(spec.Keys), 1)
	}
	if exact {
		if diff := streamtest.Diff(want, out.Rows[0], true); diff != "" {
			t.Fatalf("%+v\n%s\n(-model +operator):\n%s", spec, c.Script, diff)
		}
		if out.Counts.Expired != m.counts.Expired {
			t.Fatalf("%d rows expired, want %d", out.Counts.Expired, m.counts.Expired)
		}
	}
	if len(spec.Keys) == 0 && keys > 0 || spec.TTL > 0 {
		return // nothing names the row, or keys that were forgotten come as if they were new
	}
	wanted, err := operatortest.Materialize(want, keys)
	if err != nil {
		t.Fatalf("the model: %v", err)
	}
	got, err := operatortest.Materialize(out.Rows[0], keys)
	if err != nil {
		t.Fatalf("%+v\n%s\n%v", spec, c.Script, err)
	}
	if diff := streamtest.Diff(wanted, got, true); diff != "" {
		t.Fatalf("%+v\n%s\n(-model +operator):\n%s", spec, c.Script, diff)
	}
}

func TestGroupEqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawGroup(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "spec"), 1)))
		checkGroup(t, &operatortest.Case{New: aggregate.NewGroup}, spec, spec.TTL > 0 || rapid.Bool().Draw(t, "row by row"), true)
	})
}

// TestTwoPhasesEqualModel puts a first phase in front.
func TestTwoPhasesEqualModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawGroup(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "spec"), 1)))
		spec.TTL = 0
		for i := range spec.Aggregates {
			a := &spec.Aggregates[i]
			a.Distinct = false
			if jobgraph.GoesByOrder(a.Func) || spec.Retract && (a.Func == "MIN" || a.Func == "MAX") {
				a.Func = "COUNT"
			}
		}
		checkGroup(t, &operatortest.Case{New: newPair}, spec, false, false) // partial rows don't tell what takes back nothing
	})
}

// pair is a first phase with the aggregate behind it, as one operator over raw rows.
type pair struct {
	local, global operators.Operator
	spec          *jobgraph.GroupAggregateSpec
	counts        operators.Counts
	raw           *operators.Counts
	input         *stream.Batch // of global, until it is drained
	finish        bool
}

func newPair(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	p := &pair{spec: o.Body.(*jobgraph.GroupAggregateSpec)}
	var err error
	p.local, err = aggregate.NewLocalGroup(&jobgraph.OperatorSpec{UID: o.UID, Body: p.spec.Local()})
	return p, err
}

func (p *pair) Open(ctx *operators.Context) error {
	behind := *p.spec
	behind.Partial, behind.Input = true, ctx.Inputs[0]
	partial, err := jobgraph.GroupPartialSchema(behind.Local(), behind.Input)
	if err != nil {
		return err
	}
	if p.global, err = aggregate.NewGroup(&jobgraph.OperatorSpec{UID: ctx.Operator, Body: &behind}); err != nil {
		return err
	}
	first, second := *ctx, *ctx
	p.raw = ctx.Counts
	first.Output, first.State, first.Counts = partial, nil, &operators.Counts{}
	second.Inputs, second.Counts = []*types.Schema{partial}, &p.counts
	if err := p.local.Open(&first); err != nil {
		return err
	}
	return p.global.Open(&second)
}

func (p *pair) Process(input int, b *stream.Batch) error {
	p.raw.Folded += int64(b.Rows())
	return p.local.Process(input, b)
}

func (p *pair) Flush() error { return p.local.Flush() }
func (p *pair) Advance(w stream.Watermark) error {
	return errors.Join(p.local.Advance(w), p.global.Advance(w))
}

func (p *pair) Finish() error {
	p.finish = true
	return p.local.Flush()
}

func (p *pair) Next() (operators.Output, error) {
	for {
		out, err := p.global.Next()
		if err != nil || out.Batch != nil {
			return out, err
		}
		p.input.Release()
		p.input = nil
		in, err := p.local.Next()
		switch {
		case err != nil:
			return in, err
		case in.Batch != nil:
			p.input = in.Batch
			if err := p.global.Process(0, in.Batch); err != nil {
				return operators.Output{}, err
			}
		case p.finish:
			p.finish = false
			if err := p.global.(operators.Finisher).Finish(); err != nil {
				return operators.Output{}, err
			}
		default:
			return operators.Output{}, nil
		}
	}
}

func (p *pair) Close() error {
	p.input.Release()
	return errors.Join(p.local.Close(), p.global.Close())
}
