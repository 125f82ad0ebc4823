package window_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
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
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// argTypes are what is aggregated: every layout, with and without NULL.
var argTypes = []types.Type{
	types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int).NotNull(), types.Of(types.BigInt), types.Of(types.BigInt).NotNull(),
	types.Of(types.Float), types.Of(types.Double), types.Of(types.Double).NotNull(), types.DecimalOf(10, 2), types.DecimalOf(30, 8),
	types.StringType(), types.BytesType().NotNull(), types.Of(types.Boolean), types.Of(types.Date), types.TimestampOf(3), types.DecimalOf(38, 2),
}

// twinInput has a BIGINT, a STRING and a BOOLEAN to group by, the time, then argTypes.
func twinInput(args []types.Type) *types.Schema {
	s := types.NewSchema(field("k", types.Of(types.BigInt)), field("s", types.StringType()), field("b", types.Of(types.Boolean).NotNull()), field("t", types.TimestampOf(3)))
	for i, t := range args {
		s.Fields = append(s.Fields, field(fmt.Sprintf("a%d", i), t))
	}
	return s
}

const firstArg = 4

var twinFunctions = []string{"COUNT", "SUM", "SUM0", "MIN", "MAX", "AVG", "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP"}

// twinSpec draws the aggregates over the input.
func twinSpec(r *rand.Rand, s *types.Schema, distinct bool) *jobgraph.WindowAggregateSpec {
	keys := [][]int{{0}, {1}, {2}, {0, 1}, {}, {1, 2, 0}}
	w := &jobgraph.WindowAggregateSpec{
		Keys: keys[r.IntN(len(keys))], Time: 3,
		Window: jobgraph.WindowSpec{Size: time.Duration(1+r.IntN(10)) * time.Millisecond},
	}
	w.Window.Offset = time.Duration(r.IntN(int(2*w.Window.Size/time.Millisecond)-1))*time.Millisecond - w.Window.Size + time.Millisecond
	if w.Window.Kind = jobgraph.WindowKind(r.IntN(3)); w.Window.Kind != jobgraph.Tumbling {
		w.Window.Slide = w.Window.Size
		w.Window.Size *= time.Duration(1 + r.IntN(4))
	}
	for i := range 1 + r.IntN(6) {
		a := jobgraph.AggregateCall{Func: "COUNT", Arg: jobgraph.CountStar, Name: fmt.Sprintf("x%d", i)}
		if r.IntN(5) > 0 {
			a.Arg = firstArg + r.IntN(s.Len()-firstArg)
			a.Func = twinFunctions[r.IntN(len(twinFunctions))]
			if _, err := expr.AggregateResult(a.Func, []types.Type{s.Fields[a.Arg].Type}); err != nil {
				a.Func = "MAX"
			}
			a.Distinct = distinct && r.IntN(3) == 0 && s.Fields[a.Arg].Type.Kind != types.Float && s.Fields[a.Arg].Type.Kind != types.Double
		}
		if r.IntN(4) == 0 {
			a.Filtered, a.Filter = true, 2
		}
		w.Aggregates = append(w.Aggregates, a)
	}
	return w
}

// twin aggregates row by row, in maps.
type twin struct {
	spec      *jobgraph.WindowAggregateSpec
	schema    *types.Schema
	watermark int64
	groups    map[string][][]string // by keys and window: the rows
	late      []string
	lateRows  int64
	back      int                      // rows come in an order that is less than so many milliseconds wrong
	lag       int64                    // of the watermark
	open      map[string][]twinSession // by keys
}

func newTwin(spec *jobgraph.WindowAggregateSpec, s *types.Schema) *twin {
	return &twin{
		spec: spec, schema: s, watermark: -1 << 62, groups: map[string][][]string{}, back: 12, lag: 5, open: map[string][]twinSession{},
	}
}

func (w *twin) row(values []string, text string) {
	at, _ := strconv.ParseInt(values[w.spec.Time], 10, 64)
	if w.spec.Window.Kind == jobgraph.Session {
		w.sessionRow(at, values, text)
		return
	}
	late := true
	for _, of := range w.windows(at) {
		start, end := of[0], of[1]
		if end-1 <= w.watermark {
			continue
		}
		late = false
		id := w.window(w.key(values), start, end)
		w.groups[id] = append(w.groups[id], values)
	}
	if late {
		w.lateRows++
		w.late = append(w.late, text)
	}
}

// key returns the keys of a row.
func (w *twin) key(values []string) (key []string) {
	for _, k := range w.spec.Keys {
		key = append(key, values[k])
	}
	return key
}

// window names a window of keys.
func (w *twin) window(key []string, start, end int64) string {
	return strings.Join(append(slices.Clone(key), strconv.FormatInt(start, 10), strconv.FormatInt(end, 10)), " ")
}

// twinSession is a session that has not ended, with all its rows.
type twinSession struct {
	key        []string
	start, end int64
	rows       [][]string
}

// sessionRow brings a row into its session, which it may make of several.
func (w *twin) sessionRow(at int64, values []string, text string) {
	now := twinSession{key: w.key(values), start: at, end: at + w.spec.Window.Size.Milliseconds()}
	id := strings.Join(now.key, " ")
	rest := w.open[id]
	for again := true; again; {
		again = false
		for i, o := range rest {
			if o.start <= now.end && o.end >= now.start {
				now.start, now.end, now.rows = min(o.start, now.start), max(o.end, now.end), append(now.rows, o.rows...)
				rest, again = slices.Delete(slices.Clone(rest), i, i+1), true
				break
			}
		}
	}
	if now.end-1 <= w.watermark {
		w.lateRows++
		w.late = append(w.late, text)
		return
	}
	now.rows = append(now.rows, values)
	w.open[id] = append(rest, now)
}

// fire ends the sessions that the watermark has passed.
func (w *twin) fire() {
	for id, all := range w.open {
		w.open[id] = slices.DeleteFunc(all, func(o twinSession) bool {
			if o.end-1 <= w.watermark {
				w.groups[w.window(o.key, o.start, o.end)] = o.rows
			}
			return o.end-1 <= w.watermark
		})
	}
}

// windows returns start and end of every window that has a time, by trying all.
func (w *twin) windows(at int64) (out [][2]int64) {
	size, slide, offset := w.spec.Window.Size.Milliseconds(), w.spec.Window.Slide.Milliseconds(), w.spec.Window.Offset.Milliseconds()
	whole := func(x, of int64) bool { return (x-offset)%of == 0 }
	for start := at - size + 1; start <= at; start++ {
		switch w.spec.Window.Kind {
		case jobgraph.Tumbling:
			if whole(start, size) {
				out = append(out, [2]int64{start, start + size})
			}
		case jobgraph.Hopping:
			if whole(start, slide) {
				out = append(out, [2]int64{start, start + size})
			}
		default:
			for end := start + slide; whole(start, size) && end <= start+size; end += slide {
				if end > at {
					out = append(out, [2]int64{start, end})
				}
			}
		}
	}
	return out
}

// result returns the output rows in any order.
func (w *twin) result() string {
	var out []string
	for id, rows := range w.groups {
		line := id
		for _, a := range w.spec.Aggregates {
			line += " " + w.aggregate(a, rows)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func (w *twin) aggregate(a jobgraph.AggregateCall, rows [][]string) string {
	if a.Filtered {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r []string) bool { return r[a.Filter] != "TRUE" })
	}
	if a.Arg == jobgraph.CountStar {
		return strconv.Itoa(len(rows))
	}
	var xs []string
	for _, r := range rows {
		if r[a.Arg] != "NULL" && (!a.Distinct || !slices.Contains(xs, r[a.Arg])) {
			xs = append(xs, r[a.Arg])
		}
	}
	t := w.schema.Fields[a.Arg].Type
	switch {
	case a.Func == "COUNT":
		return strconv.Itoa(len(xs))
	case a.Func == "SUM0" && len(xs) == 0:
		return "0"
	case len(xs) == 0 || strings.HasSuffix(a.Func, "SAMP") && len(xs) == 1:
		return "NULL"
	case a.Func == "MIN":
		return slices.MinFunc(xs, func(x, y string) int { return compareText(t, x, y) })
	case a.Func == "MAX":
		return slices.MaxFunc(xs, func(x, y string) int { return compareText(t, x, y) })
	case t.Kind == types.Float || t.Kind == types.Double:
		return floatText(t, a.Func, xs)
	default:
		return exactText(t, a.Func, xs)
	}
}

func compareText(t types.Type, x, y string) int {
	if a, ok := new(big.Rat).SetString(x); ok {
		b, _ := new(big.Rat).SetString(y)
		return a.Cmp(b)
	}
	if t.Kind == types.VarChar {
		unquote := func(s string) string { return strings.ReplaceAll(s[1:len(s)-1], "''", "'") }
		x, y = unquote(x), unquote(y)
	}
	return strings.Compare(x, y) // FALSE < TRUE, hexadecimal and dates as their text
}

func floatText(t types.Type, fn string, xs []string) string {
	sum, bits := 0.0, 64
	for _, x := range xs {
		f, _ := strconv.ParseFloat(x, 64)
		sum += f // quarters: exact
	}
	if t.Kind == types.Float {
		bits = 32
	}
	switch {
	case fn == "AVG":
		sum /= float64(len(xs))
	case jobgraph.Deviates(fn):
		squares := 0.0
		for _, x := range xs {
			f, _ := strconv.ParseFloat(x, 64)
			squares += f * f
		}
		sum = max((squares-sum*sum/float64(len(xs)))/float64(divisor(fn, xs)), 0)
		if strings.HasPrefix(fn, "STDDEV") {
			sum = math.Sqrt(sum)
		}
	}
	return strconv.FormatFloat(sum, 'g', -1, bits)
}

func divisor(fn string, xs []string) int64 {
	if strings.HasSuffix(fn, "SAMP") {
		return int64(len(xs)) - 1
	}
	return int64(len(xs))
}

// rounded rounds half away from zero.
func rounded(x *big.Rat, scale int) *big.Rat {
	out, _ := new(big.Rat).SetString(x.FloatString(scale))
	return out
}

// tooLong tells whether a DECIMAL can't have a number's digits, of a scale.
func tooLong(x *big.Rat, scale int) bool {
	text := x.FloatString(scale)
	return len(strings.TrimLeft(strings.NewReplacer(".", "", "-", "").Replace(text), "0")) > 38
}

// decimalDeviation takes the steps that Flink does, each a DECIMAL(38).
func decimalDeviation(t types.Type, fn string, xs []string) string {
	scale := max(6, t.Scale)
	product := max(2*scale-39, 6)
	less := max(product-1, 6)
	sum, squares := new(big.Rat), new(big.Rat)
	for _, text := range xs {
		x, _ := new(big.Rat).SetString(text)
		sum.Add(sum, x)
		if x = rounded(x.Mul(x, x), product); !tooLong(x, product) {
			squares.Add(squares, x)
		}
	}
	sum = rounded(sum.Mul(sum, sum), product)
	sum = rounded(sum.Quo(sum, new(big.Rat).SetInt64(int64(len(xs)))), product)
	x := new(big.Rat).Sub(squares, sum)
	if x.Sign() < 0 {
		x = new(big.Rat)
	}
	x = rounded(x.Quo(rounded(x, less), new(big.Rat).SetInt64(divisor(fn, xs))), less)
	if strings.HasPrefix(fn, "STDDEV") {
		f, _ := x.Float64()
		x, _ = new(big.Rat).SetString(strconv.FormatFloat(math.Sqrt(f), 'f', -1, 64))
	}
	if tooLong(x, scale) {
		return "NULL"
	}
	return x.FloatString(scale)
}

// integerDeviation divides towards zero.
func integerDeviation(t types.Type, fn string, xs []string) string {
	bits := uint(t.Layout().Width() * 8)
	sum, squares := new(big.Int), new(big.Int)
	for _, text := range xs {
		x, _ := new(big.Int).SetString(text, 10)
		sum.Add(sum, x)
		squares.Add(squares, new(big.Int).Mul(x, x))
	}
	sum = wrap(sum, 64)
	sum.Quo(sum.Mul(sum, sum), big.NewInt(int64(len(xs))))
	x := squares.Sub(squares, sum)
	if x.Sign() < 0 {
		x.SetInt64(0)
	}
	x.Quo(x, big.NewInt(divisor(fn, xs)))
	if strings.HasPrefix(fn, "VAR") {
		return wrap(x, bits).String()
	}
	f, _ := new(big.Float).SetInt(x).Float64()
	if root, most := math.Sqrt(f), math.Ldexp(1, int(bits-1)); root < most-1 {
		return strconv.FormatInt(int64(root), 10)
	}
	most := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return most.Sub(most, big.NewInt(1)).String()
}

func exactText(t types.Type, fn string, xs []string) string {
	switch {
	case jobgraph.Deviates(fn) && t.Kind == types.Decimal:
		return decimalDeviation(t, fn, xs)
	case jobgraph.Deviates(fn):
		return integerDeviation(t, fn, xs)
	}
	sum := new(big.Rat)
	for _, x := range xs {
		r, _ := new(big.Rat).SetString(x)
		sum.Add(sum, r)
	}
	if t.Kind != types.Decimal {
		n := wrap(sum.Num(), map[types.Kind]uint{types.TinyInt: 8, types.SmallInt: 16, types.Int: 32, types.BigInt: 64}[t.Kind])
		if fn == "AVG" { // the sum of an average wraps at 64 bits only
			n = wrap(sum.Num(), 64)
			n.Quo(n, big.NewInt(int64(len(xs))))
		}
		return n.String()
	}
	scale := t.Scale
	if fn == "AVG" {
		scale = max(6, scale)
		sum.Quo(sum, new(big.Rat).SetInt64(int64(len(xs))))
	}
	text := sum.FloatString(scale) // rounds half away from zero
	if digits := strings.TrimLeft(strings.NewReplacer(".", "", "-", "").Replace(text), "0"); len(digits) > 38 {
		return "NULL"
	}
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

func wrap(x *big.Int, bits uint) *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), bits)
	x = new(big.Int).Mod(x, m)
	if x.Bit(int(bits)-1) == 1 {
		x.Sub(x, m)
	}
	return x
}

// script draws rows and watermarks and feeds the twin with them.
func (w *twin) script(r *rand.Rand, rows int) string {
	var pool stream.Pool
	exact := streamtest.Random(r, &pool, w.schema, streamtest.RandomOptions{Rows: rows, NullPercent: 20, ExtremeEvery: 8})
	plain := streamtest.Random(r, &pool, w.schema, streamtest.RandomOptions{Rows: rows, NullPercent: 20})
	defer exact.Release()
	defer plain.Release()
	var out []string
	at := int64(0)
	for i := range rows {
		values := make([]string, w.schema.Len())
		for c, f := range w.schema.Fields {
			from := exact
			if f.Type.Kind == types.Float || f.Type.Kind == types.Double {
				from = plain // sums of which are exact in any order
			}
			values[c] = streamtest.Value(&from.Columns[c], i)
		}
		at += int64(r.IntN(4))
		values[w.spec.Time] = strconv.FormatInt(at-int64(r.IntN(w.back)), 10)
		line := strings.Join(values, " ")
		w.row(values, line)
		out = append(out, line)
		switch {
		case r.IntN(8) > 0:
		case r.IntN(4) == 0:
			out = append(out, "flush")
		case at-w.lag > w.watermark:
			w.watermark = at - w.lag
			w.fire()
			out = append(out, fmt.Sprintf("watermark %d", w.watermark))
		}
	}
	w.watermark = 1 << 62
	w.fire()
	return strings.Join(append(out, "end"), "\n")
}

func drawVariant(t *rapid.T, r *rand.Rand) operatortest.Variant {
	c := operatortest.Case{Keys: [][]int{{}}, Backend: columnar.New()}
	all := c.Variants()
	v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
	v.Seed = r.Uint64()
	return v
}

// Names of what checkTwin draws, other than windows of one phase.
const (
	twoPhases    = "two phases" // without DISTINCT
	sessionsOnly = "sessions"
)

// checkTwin plays drawn input through the operator and compares it with the twin.
func checkTwin(t *rapid.T, args []types.Type, c *operatortest.Case, late bool) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	s := twinInput(args)
	spec := twinSpec(r, s, c.Name != twoPhases)
	spec.LateOutput = late
	w := newTwin(spec, s)
	session, inTime := c.Name == sessionsOnly, r.IntN(2) == 0
	if session {
		spec.Window = jobgraph.WindowSpec{Kind: jobgraph.Session, Size: time.Duration(1+r.IntN(8)) * time.Millisecond}
		spec.Keys = [][]int{{}, {2}, {1}}[r.IntN(3)]
		if w.back = 12 + r.IntN(150); inTime {
			w.lag = int64(w.back)
		}
	}
	c.Script = w.script(r, rapid.IntRange(0, 60).Draw(t, "rows"))
	c.Spec, c.Inputs, c.Keys, c.Backend = aggregateOf(spec), []*types.Schema{s}, [][]int{spec.Keys}, columnar.New()
	v := drawVariant(t, r)
	if session && !inTime { // rows that come at once make sessions of each other, late ones too
		v.BatchRows = 1
	}
	out := operatortest.Play(t, c, v)
	if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, w.result()), out.Rows[0], false); diff != "" {
		t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", spec, c.Script, diff)
	}
	if out.Counts.Late != w.lateRows {
		t.Fatalf("%d rows late, want %d", out.Counts.Late, w.lateRows)
	}
	if !late {
		w.late = nil
	}
	if diff := streamtest.Diff(streamtest.Canonical(t, s, strings.Join(w.late, "\n")), out.Rows[1], false); diff != "" {
		t.Fatalf("late rows: %s", diff)
	}
}

func TestAggregateEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkTwin(t, argTypes, &operatortest.Case{New: window.New}, rapid.Bool().Draw(t, "late"))
	})
}

// TestSessionsEqualTwin has rows come in any order, so that sessions grow, begin and become one.
func TestSessionsEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkTwin(t, argTypes, &operatortest.Case{Name: sessionsOnly, New: window.New}, rapid.Bool().Draw(t, "late"))
	})
}

// TestPreAggregatedEqualsTwin puts a Local in front.
func TestPreAggregatedEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkTwin(t, argTypes, &operatortest.Case{Name: twoPhases, New: newPair}, false)
	})
}

// pair is a Local with the Aggregate behind it, as one operator over raw rows.
type pair struct {
	local, global operators.Operator
	partial       *types.Schema
	localCounts   operators.Counts
	spec          *jobgraph.WindowAggregateSpec

	watermark stream.Watermark // to hand on when local is drained
	input     *stream.Batch    // of global, until it is drained
}

func newPair(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	p := &pair{spec: o.Body.(*jobgraph.WindowAggregateSpec), watermark: stream.NoWatermark}
	var err error
	p.local, err = window.NewLocal(&jobgraph.OperatorSpec{UID: o.UID, Body: (*jobgraph.LocalAggregateSpec)(p.spec)})
	return p, err
}

func (p *pair) Open(ctx *operators.Context) error {
	partial := *p.spec
	partial.Partial, partial.Input = true, ctx.Inputs[0]
	var err error
	if p.partial, err = jobgraph.PartialSchema(p.spec, ctx.Inputs[0]); err != nil {
		return err
	}
	if p.global, err = window.New(&jobgraph.OperatorSpec{UID: ctx.Operator, Body: &partial}); err != nil {
		return err
	}
	first, second := *ctx, *ctx
	first.Output, first.State, first.Counts = p.partial, nil, &p.localCounts
	second.Inputs = []*types.Schema{p.partial}
	if err := p.local.Open(&first); err != nil {
		return err
	}
	return p.global.Open(&second)
}

func (p *pair) Process(input int, b *stream.Batch) error { return p.local.Process(input, b) }
func (p *pair) Flush() error                             { return p.local.Flush() }

func (p *pair) Advance(w stream.Watermark) error {
	p.watermark = w
	return p.local.Advance(w)
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
		case p.watermark != stream.NoWatermark:
			w := p.watermark
			p.watermark = stream.NoWatermark
			if err := p.global.Advance(w); err != nil {
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
