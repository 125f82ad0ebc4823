package jobgraph

import (
	"fmt"
	"slices"
	"time"

	"millrace/types"
)

// WindowAggregateSpec aggregates rows by key and window.
//
// Its output has the key columns, window_start and window_end, then a column an
// aggregate. A LocalAggregate of the same spec in front of the exchange gives
// partial rows instead (PartialSchema), and the WindowAggregate behind it sets
// Partial.
type WindowAggregateSpec struct {
	Keys []int // columns of the input
	// Time is the event-time column of the input, a TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3; of
	// attached windows, the column that has their ends. Of windows in processing time it is not looked at.
	Time       int
	Window     WindowSpec
	Aggregates []AggregateCall
	// Partial says that the input is a LocalAggregate's. Keys, Time and the
	// aggregates' Args then still count the columns of the LocalAggregate's
	// input, whose schema Input has.
	Partial bool
	Input   *types.Schema // the raw input's schema; needed where Partial
	// LateOutput gives late rows on port 1. It needs raw input: with Partial it is
	// refused.
	LateOutput bool
	// Start is the column that has the starts of attached windows. It is the last column of their key: their input
	// comes by HASH of Keys and Start.
	Start int
}

// LocalAggregateSpec is the first phase of a WindowAggregateSpec, in front of the exchange.
type LocalAggregateSpec WindowAggregateSpec

// WindowKind says how windows lie in time.
type WindowKind int

// The kinds of windows. The zero value is Tumbling.
const (
	Tumbling   WindowKind = iota // of Size, one after the other
	Hopping                      // of Size, one every Slide
	Cumulating                   // from the start of a span of Size to each Slide in it
	Session                      // as long as rows come less than Size after each other
	Attached                     // that the rows have already, as columns
)

var windowKinds = []string{"tumbling", "hopping", "cumulating", "session", "attached"}

func (k WindowKind) String() string {
	if k < 0 || int(k) >= len(windowKinds) {
		return fmt.Sprintf("WindowKind(%d)", int(k))
	}
	return windowKinds[k]
}

// WindowSpec says which windows there are.
type WindowSpec struct {
	Size   time.Duration // whole milliseconds, at least 1; of sessions, the gap that ends them
	Offset time.Duration // may be negative; less than Size either way (hopping, cumulating: than Slide)
	Kind   WindowKind
	// Slide is how often a hopping window begins, or the step of a cumulating one; Size is a multiple of it.
	Slide time.Duration
	// Processing places rows by the time at which they come, and fires by it.
	Processing bool
	// Zone is the time zone (IANA) in which windows over a TIMESTAMP_LTZ or processing time lie, and in
	// which their starts and ends are shown; "" is UTC.
	Zone string
}

// Parts returns in how many windows a row is at most.
func (w *WindowSpec) Parts() int64 {
	if (w.Kind == Hopping || w.Kind == Cumulating) && w.Slide > 0 {
		return int64(w.Size / w.Slide)
	}
	return 1
}

// Names of the columns that a window adds, Flink's.
const (
	WindowStart = "window_start"
	WindowEnd   = "window_end"
)

// PartialRows is the last column of a LocalAggregate's output: how many input
// rows stand behind the partial row.
const PartialRows = "$rows"

// windowTime is the type of window_start and window_end.
var windowTime = types.TimestampOf(3).NotNull()

func (*WindowAggregateSpec) kind() OperatorKind { return KindWindowAggregate }

func (*WindowAggregateSpec) inputs() (least, most int) { return 1, 1 }

func (s *WindowAggregateSpec) output(in []*types.Schema) (*types.Schema, error) {
	return windowSchema(s, s.raw(in[0]))
}

func (s *WindowAggregateSpec) sides(in []*types.Schema) []*types.Schema {
	if s.LateOutput {
		return in[:1]
	}
	return nil
}

func (s *WindowAggregateSpec) passes(column int) (input, from int, ok bool) {
	if column < 0 || column >= len(s.Keys) {
		return 0, 0, false
	}
	if s.Partial {
		return 0, column, true
	}
	return 0, s.Keys[column], true
}

// raw returns the schema of the rows that are aggregated, in two phases or one.
func (s *WindowAggregateSpec) raw(in *types.Schema) *types.Schema {
	if s.Partial {
		return s.Input
	}
	return in
}

// check checks the aggregate, its partner if it has one, and that the rows of one key meet in one subtask.
func (s *WindowAggregateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.LateOutput && c.operator != len(c.g.Vertices[c.vertex].Operators)-1 {
		c.addf("late_output", "only the last operator of a vertex can have it")
	}
	raw := in[0]
	if s.Partial {
		raw = c.partial(s, in[0])
	}
	if !c.window(s, raw, s.Partial) || raw == nil {
		return nil
	}
	switch {
	case s.Partial:
		c.keyed(0, s.Keys, count(len(s.Keys)))
	case s.Window.Kind == Attached: // the start is part of the key
		keys := append(slices.Clone(s.Keys), s.Start)
		c.keyed(0, keys, keys)
	default:
		c.keyed(0, s.Keys, s.Keys)
	}
	return c.schemaOf(windowSchema(s, raw))
}

func (s *WindowAggregateSpec) explain(e *explainer, in []*types.Schema) {
	explainWindow(e, s, s.raw(in[0]))
	if s.Partial {
		e.line(2, "from partial rows")
	}
}

func (*LocalAggregateSpec) kind() OperatorKind { return KindLocalAggregate }

func (*LocalAggregateSpec) inputs() (least, most int) { return 1, 1 }

func (s *LocalAggregateSpec) output(in []*types.Schema) (*types.Schema, error) {
	return PartialSchema((*WindowAggregateSpec)(s), in[0])
}

func (s *LocalAggregateSpec) passes(column int) (input, from int, ok bool) {
	if column < 0 || column >= len(s.Keys) {
		return 0, 0, false
	}
	return 0, s.Keys[column], true
}

func (s *LocalAggregateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Partial || s.LateOutput {
		c.addf("", "a local aggregate can have neither partial nor late_output")
	}
	w := (*WindowAggregateSpec)(s)
	if !c.window(w, in[0], true) || in[0] == nil {
		return nil
	}
	return c.schemaOf(PartialSchema(w, in[0]))
}

func (s *LocalAggregateSpec) explain(e *explainer, in []*types.Schema) {
	explainWindow(e, (*WindowAggregateSpec)(s), in[0])
}

func explainWindow(e *explainer, w *WindowAggregateSpec, raw *types.Schema) {
	offset := ""
	if w.Window.Offset != 0 {
		offset = fmt.Sprintf(", offset %s", w.Window.Offset)
	}
	e.line(2, "keys (%s), %s%s", columnNames(raw, w.Keys), w.Window.text(raw, w.Time), offset)
	for i := range w.Aggregates {
		e.line(2, "%s", w.Aggregates[i].text(raw))
	}
}

// text shows windows to people.
func (w *WindowSpec) text(raw *types.Schema, column int) string {
	by := "processing time"
	if !w.Processing {
		by = raw.Fields[column].Name
	}
	if w.Zone != "" {
		by += " in " + w.Zone
	}
	switch w.Kind {
	case Hopping, Cumulating:
		return fmt.Sprintf("%s by %s, %s every %s", w.Kind, by, w.Size, w.Slide)
	case Session:
		return fmt.Sprintf("session by %s, gap %s", by, w.Size)
	case Attached:
		return "windows that end by " + by
	default:
		return fmt.Sprintf("%s by %s every %s", w.Kind, by, w.Size)
	}
}

func windowSchema(w *WindowAggregateSpec, in *types.Schema) (*types.Schema, error) {
	fields := keyFields(w.Keys, in)
	fields = append(fields, types.Field{Name: WindowStart, Type: windowTime}, types.Field{Name: WindowEnd, Type: windowTime})
	for i := range w.Aggregates {
		f, err := w.Aggregates[i].field(in)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return types.NewSchema(fields...), nil
}

// PartialSchema returns the schema of a LocalAggregate's output: the keys,
// window_end, for each aggregate its accumulator columns, and PartialRows.
func PartialSchema(w *WindowAggregateSpec, in *types.Schema) (*types.Schema, error) {
	fields := append(keyFields(w.Keys, in), types.Field{Name: WindowEnd, Type: windowTime})
	partial, err := partialFields(w.Aggregates, in, false)
	if err != nil {
		return nil, err
	}
	return types.NewSchema(append(fields, partial...)...), nil
}

func keyFields(keys []int, in *types.Schema) []types.Field {
	fields := make([]types.Field, 0, len(keys)+3)
	for _, k := range keys {
		fields = append(fields, in.Fields[k])
	}
	return fields
}

// partial checks what goes with Partial and returns the raw input's schema.
func (c *operatorCheck) partial(w *WindowAggregateSpec, in *types.Schema) *types.Schema {
	if w.LateOutput {
		c.addf("late_output", "needs raw input: it can't go with partial")
	}
	if !c.schema(c.id, c.at("input"), w.Input) {
		return nil
	}
	found := c.problems.Len()
	for _, p := range c.producers(c.vertex, c.operator, make(map[spot]bool)) {
		o := p.operator(c.g)
		var local *LocalAggregateSpec
		if o != nil {
			local, _ = o.Body.(*LocalAggregateSpec)
		}
		switch {
		case local == nil:
			c.addf("partial", "the input from %s is not of a local aggregate", c.g.Vertices[p.vertex].ID)
		case !sameAggregate((*WindowAggregateSpec)(local), w):
			c.addf("partial", "keys, time, window or aggregates differ from those of the local aggregate %s", o.UID)
		}
	}
	if in == nil || c.problems.Len() > found || !c.windowFits(w) {
		return w.Input
	}
	if want, err := PartialSchema(w, w.Input); err == nil && !want.Equal(in) {
		c.addf("input", "a local aggregate over it gives %s, but what comes is %s", want, in)
	}
	return w.Input
}

// windowFits tells, without reporting, whether the columns of a spec exist.
func (c *operatorCheck) windowFits(w *WindowAggregateSpec) bool {
	quiet := &operatorCheck{validator: &validator{g: c.g, known: c.known, calls: c.calls}}
	return quiet.window(w, w.Input, true)
}

func sameAggregate(a, b *WindowAggregateSpec) bool {
	return slices.Equal(a.Keys, b.Keys) && a.Time == b.Time && a.Start == b.Start && a.Window == b.Window &&
		sameCalls(a.Aggregates, b.Aggregates)
}

// window checks what both phases share against the raw input's schema, nil
// where that is not known, and reports whether it stands.
func (c *operatorCheck) window(w *WindowAggregateSpec, raw *types.Schema, partial bool) bool {
	found := c.problems.Len()
	c.keys(c.id, c.at("keys"), w.Keys, raw)
	c.windowSpec("window", &w.Window)
	c.windowTime(w, raw)
	if partial {
		c.windowPhases(w)
	}
	c.aggregates("aggregates", w.Aggregates, raw, callsCheck{partial: partial})
	return c.problems.Len() == found
}

// windowTime checks the columns that place rows in windows.
func (c *operatorCheck) windowTime(w *WindowAggregateSpec, raw *types.Schema) {
	c.timeColumn("time", w.Time, &w.Window, raw)
	if w.Window.Kind == Attached {
		c.timeColumn("start", w.Start, &w.Window, raw)
	}
}

// timeColumn checks a column by which rows come into windows.
func (c *operatorCheck) timeColumn(field string, column int, w *WindowSpec, raw *types.Schema) {
	if w.Processing || raw == nil || !c.column(c.id, c.at(field), column, raw) {
		return
	}
	f := raw.Fields[column]
	zoned := f.Type.Kind == types.TimestampLTZ && w.Kind != Attached
	if f.Type.Kind != types.Timestamp && !zoned || f.Type.Unit() != types.Millis {
		c.addf(field, "column %s must be a TIMESTAMP of precision 0 to 3, not %s", f.Name, f.Type)
		return
	}
	if !zoned && w.Zone != "" {
		c.addf("window.zone", "column %s has no zone", f.Name)
	}
}

// windowPhases reports windows that can't be aggregated in two phases.
func (c *operatorCheck) windowPhases(w *WindowAggregateSpec) {
	switch {
	case w.Window.Processing:
		c.addf("window.processing", "windows in processing time need one phase")
	case w.Window.Kind == Session || w.Window.Kind == Attached:
		c.addf("window.kind", "%s windows need one phase", w.Window.Kind)
	}
}

func (c *operatorCheck) windowSpec(field string, w *WindowSpec) {
	whole := func(d time.Duration) bool {
		return d >= time.Millisecond && d%time.Millisecond == 0 && d <= IntervalMax
	}
	slides := w.Kind == Hopping || w.Kind == Cumulating
	span := w.Size
	if slides {
		span = w.Slide
	}
	switch {
	case w.Kind < Tumbling || w.Kind > Attached:
		c.addf(field+".kind", "no kind of window has the number %d", int(w.Kind))
	case w.Kind == Attached:
		if *w != (WindowSpec{Kind: Attached}) {
			c.addf(field, "attached windows have nothing but their kind")
		}
		return
	case !whole(w.Size):
		c.addf(field+".size", "%s is not a whole number of milliseconds from 1 ms to %s", w.Size, IntervalMax)
	case slides && (!whole(w.Slide) || w.Size%w.Slide != 0):
		c.addf(field+".slide", "%s is not a whole number of milliseconds of which the size, %s, is a multiple", w.Slide, w.Size)
	case slides && w.Size/w.Slide > WindowPartsMax:
		c.addf(field+".slide", "a row would be in %d windows, at most %d", w.Size/w.Slide, WindowPartsMax)
	case !slides && w.Slide != 0:
		c.addf(field+".slide", "%s windows have none", w.Kind)
	case w.Kind == Session && w.Offset != 0:
		c.addf(field+".offset", "session windows have none")
	case w.Offset%time.Millisecond != 0 || w.Offset >= span || w.Offset <= -span:
		c.addf(field+".offset", "%s is not a whole number of milliseconds less than the %s, %s, either way", w.Offset, sizeName(slides), span)
	}
}

func sizeName(slides bool) string {
	if slides {
		return "slide"
	}
	return "size"
}
