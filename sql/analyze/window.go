package analyze

import (
	"slices"
	"strings"
	"time"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// groupWindow is TUMBLE, HOP or SESSION in a GROUP BY.
type groupWindow struct {
	window plan.Window // without its column
	time   expr.Expr
	kind   plan.TimeKind
	// key is what TUMBLE_START and such have to repeat.
	key string
	at  ranged
}

// duration returns the constant length of time that an expression is.
func (a *analyzer) duration(e ast.Expr, what string) (time.Duration, error) {
	x, err := a.constant(e, what)
	if err != nil {
		return 0, err
	}
	l, ok := x.(*expr.Literal)
	if !ok || l.T.Kind != types.IntervalDayTime || l.Value == nil {
		return 0, a.hinted(e, "INTERVAL '10' SECOND", "%s must be a constant interval of days, hours, minutes or seconds", what)
	}
	const most = int64(1<<63-1) / int64(time.Millisecond)
	v, _ := l.Value.(int64)
	if v < -most || v > most {
		return 0, a.failf(e, "%s is too long", what)
	}
	return time.Duration(v) * time.Millisecond, nil
}

// groupWindow binds a window of GROUP BY.
func (s *selection) groupWindow(b *binder, c *ast.Call, kind plan.WindowKind) error {
	if s.window != nil {
		return s.failf(c, "GROUP BY has more than one window")
	}
	w, err := s.windowCall(b, c, kind)
	if err != nil {
		return err
	}
	s.window = w
	return nil
}

// windowCall binds TUMBLE(t, size[, offset]), HOP(t, slide, size) or SESSION(t, gap).
func (s *selection) windowCall(b *binder, c *ast.Call, kind plan.WindowKind) (*groupWindow, error) {
	lengths := map[plan.WindowKind]int{plan.Tumble: 1, plan.Hop: 2, plan.Session: 1}[kind]
	if len(c.Args) < lengths+1 || len(c.Args) > lengths+2 || kind == plan.Session && len(c.Args) > 2 {
		return nil, s.failf(c, "%s takes %d arguments, got %d", kind, lengths+1, len(c.Args))
	}
	w := &groupWindow{at: c, window: plan.Window{Kind: kind}}
	var err error
	if w.time, err = b.bind(c.Args[0]); err != nil {
		return nil, err
	}
	if w.kind = timeOf(w.time, s.from.node.Schema()); w.kind == plan.NoTime {
		return nil, s.notTime(c.Args[0], string(kind))
	}
	ds := make([]time.Duration, 0, 3)
	for _, e := range c.Args[1:] {
		d, err := s.duration(e, "an argument of "+string(kind))
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	w.window.Size = ds[0]
	if kind == plan.Hop {
		w.window.Step, w.window.Size = ds[0], ds[1]
	}
	if len(ds) > lengths {
		w.window.Offset = ds[lengths]
	}
	w.key = fingerprint(w.time) + strings.Join(durations(ds), ",")
	return w, s.checkWindow(c, &w.window)
}

func durations(ds []time.Duration) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.String()
	}
	return out
}

func (a *analyzer) notTime(at ranged, clause string) error {
	return a.hinted(at, "a column with a WATERMARK, or PROCTIME(), that no calculation has changed", "%s needs a time attribute", clause)
}

// checkWindow refuses lengths that make no windows.
func (a *analyzer) checkWindow(at ranged, w *plan.Window) error {
	switch {
	case w.Size <= 0:
		return a.failf(at, "the size of a window must be more than 0")
	case w.Kind != plan.Tumble && w.Kind != plan.Session && w.Step <= 0:
		return a.failf(at, "the step of a window must be more than 0")
	case (w.Kind == plan.Cumulate || w.Kind == plan.Hop) && w.Size%w.Step != 0:
		return a.failf(at, "the size of %s, %s, must be a multiple of its step, %s", w.Kind, w.Size, w.Step)
	case w.Offset <= -w.Size || w.Offset >= w.Size:
		return a.failf(at, "the offset of a window must be shorter than the window")
	default:
		return nil
	}
}

// auxiliary binds TUMBLE_START(t, size) and such: a column of the window in GROUP BY.
func (b *binder) auxiliary(c *ast.Call, window, suffix string) (expr.Expr, error) {
	if b.sel == nil || b.allow&aggregates == 0 {
		return nil, b.failf(c, "%s%s can't stand in %s", window, suffix, b.clause)
	}
	w, err := b.sel.windowCall(b, c, groupWindows[window])
	if err != nil {
		return nil, err
	}
	have := b.sel.window
	if have == nil || have.key != w.key || have.window.Kind != w.window.Kind {
		return nil, b.failf(c, "%s%s needs the same %s in GROUP BY", window, suffix, window)
	}
	n := &slot{kind: propertySlot, key: suffix, at: c, property: groupAuxiliaries[suffix]}
	n.t, n.time = windowColumn(n.property, have.time.Type(), have.kind)
	switch {
	case suffix == "_ROWTIME" && have.kind != plan.EventTime:
		return nil, b.failf(c, "%s%s needs a window of event time", window, suffix)
	case suffix == "_PROCTIME" && have.kind != plan.ProcessingTime:
		return nil, b.failf(c, "%s%s needs a window of processing time", window, suffix)
	}
	return b.sel.slot(n).placeholder(), nil
}

// windowColumn is the type of what a window says of itself.
func windowColumn(p plan.WindowProperty, of types.Type, kind plan.TimeKind) (types.Type, plan.TimeKind) {
	if p != plan.WindowTime {
		return types.TimestampOf(3).NotNull(), plan.NoTime
	}
	t := of
	t.Precision, t.Nullable = 3, false
	return t, kind
}

// windowFunctions are the window table functions, with the names of their arguments in order.
var windowFunctions = map[string]struct {
	kind plan.WindowKind
	args []string
	need int
}{
	"TUMBLE":   {plan.Tumble, []string{"DATA", "TIMECOL", "SIZE", "OFFSET"}, 3},
	"HOP":      {plan.Hop, []string{"DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"}, 4},
	"CUMULATE": {plan.Cumulate, []string{"DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"}, 4},
	"SESSION":  {plan.Session, []string{"DATA", "TIMECOL", "GAP"}, 3},
}

// isWindowFunction tells whether a call is one of them.
func isWindowFunction(c *ast.Call) bool {
	_, ok := windowFunctions[strings.ToUpper(c.Name.Parts[len(c.Name.Parts)-1].Name)]
	return ok && len(c.Name.Parts) == 1
}

// windowArgs sorts the arguments of a window table function by name.
func (a *analyzer) windowArgs(c *ast.Call) (map[string]ast.Expr, error) {
	name := strings.ToUpper(c.Name.Parts[0].Name)
	f := windowFunctions[name]
	out := make(map[string]ast.Expr, len(f.args))
	for i, arg := range c.Args {
		if i >= len(f.args) {
			return nil, a.failf(arg, "%s takes %d to %d arguments, got %d", name, f.need, len(f.args), len(c.Args))
		}
		key, value := f.args[i], arg
		if n, ok := arg.(*ast.NamedArg); ok {
			if key, value = strings.ToUpper(n.Name.Name), n.Value; !slices.Contains(f.args, key) {
				return nil, a.hinted(n, didYouMean(key, f.args), "%s has no argument %s", name, n.Name)
			}
		}
		if out[key] != nil {
			return nil, a.failf(arg, "%s has the argument %s twice", name, key)
		}
		if _, isDefault := value.(*ast.DefaultArg); !isDefault {
			out[key] = value
		}
	}
	for _, key := range f.args[:f.need] {
		if out[key] == nil {
			return nil, a.failf(c, "%s lacks the argument %s", name, key)
		}
	}
	return out, nil
}

// windowTable is a window table function in FROM.
func (a *analyzer) windowTable(c *ast.Call, e *env) (relation, error) {
	args, err := a.windowArgs(c)
	if err != nil {
		return relation{}, err
	}
	table, err := a.tableOf(args["DATA"])
	if err != nil {
		return relation{}, err
	}
	in, err := a.tableArg(table, e)
	if err != nil {
		return relation{}, err
	}
	w := plan.Window{Kind: windowFunctions[strings.ToUpper(c.Name.Parts[0].Name)].kind}
	if w.Time, err = a.timeColumn(args["TIMECOL"], in, string(w.Kind)); err != nil {
		return relation{}, err
	}
	for _, d := range []struct {
		key string
		to  *time.Duration
	}{{"SIZE", &w.Size}, {"GAP", &w.Size}, {"SLIDE", &w.Step}, {"STEP", &w.Step}, {"OFFSET", &w.Offset}} {
		if args[d.key] == nil {
			continue
		}
		if *d.to, err = a.duration(args[d.key], "the argument "+d.key); err != nil {
			return relation{}, err
		}
	}
	if err := a.checkWindow(c, &w); err != nil {
		return relation{}, err
	}
	if w.Keys, err = a.windowKeys(table, in, w.Kind); err != nil {
		return relation{}, err
	}
	return a.windowNode(c, in, w)
}

// windowNode adds the columns of the window. Event time stays what it is, so that the first and the last row of a window can go by it;
// processing time is an ordinary column from here on.
func (a *analyzer) windowNode(at ranged, in relation, w plan.Window) (relation, error) {
	result := append(plan.Schema{}, in.node.Schema()...)
	time := result[w.Time]
	if time.Time == plan.ProcessingTime {
		result[w.Time].Time = plan.NoTime
	}
	for p := plan.WindowStart; p <= plan.WindowTime; p++ {
		t, kind := windowColumn(p, time.Type, time.Time)
		result = append(result, plan.Column{Name: p.String(), Type: t, Time: kind})
	}
	n, err := a.add(&plan.WindowTable{Input: in.node, Window: w, Result: result}, at)
	if err != nil {
		return relation{}, err
	}
	out := relation{node: n}
	for _, c := range in.cols {
		if !c.hidden {
			out.cols = append(out.cols, column{name: c.name, index: c.index})
		}
	}
	for i := len(result) - 3; i < len(result); i++ {
		out.cols = append(out.cols, column{name: result[i].Name, index: i})
	}
	return out, nil
}

// tableOf takes a query in brackets for a table too.
func (a *analyzer) tableOf(arg ast.Expr) (*ast.TableArg, error) {
	switch arg := arg.(type) {
	case *ast.TableArg:
		return arg, nil
	case *ast.Subquery:
		return &ast.TableArg{Span: arg.Span, Query: arg.Query}, nil
	default:
		return nil, a.hinted(arg, "TABLE t, or TABLE (query)", "the argument DATA must be a table")
	}
}

func (a *analyzer) tableArg(t *ast.TableArg, e *env) (relation, error) {
	if t.OrderBy != nil {
		return relation{}, a.unsupported(t.OrderBy[0], "ORDER BY of a table argument")
	}
	if t.Query != nil {
		return a.query(t.Query, &env{ctes: e.ctes})
	}
	return a.tableNamed(t.Table, e)
}

// timeColumn returns the column that DESCRIPTOR names.
func (a *analyzer) timeColumn(e ast.Expr, in relation, clause string) (int, error) {
	d, ok := e.(*ast.Descriptor)
	if !ok || len(d.Columns) != 1 {
		return 0, a.failf(e, "the argument TIMECOL must be DESCRIPTOR(column)")
	}
	ref, ambiguous := (&scope{relation: in}).lookup(d.Columns[0].Parts)
	switch {
	case ambiguous:
		return 0, a.failf(d, "%s is ambiguous", d.Columns[0])
	case ref.column == nil:
		return 0, a.unknownColumn(&scope{relation: in}, d.Columns[0])
	case len(ref.fields) > 0 || in.column(ref.column).Time == plan.NoTime:
		return 0, a.notTime(d, clause)
	}
	return ref.column.index, nil
}

// windowKeys returns the columns of PARTITION BY, which SESSION takes.
func (a *analyzer) windowKeys(t *ast.TableArg, in relation, kind plan.WindowKind) ([]int, error) {
	if len(t.PartitionBy) > 0 && kind != plan.Session {
		return nil, a.failf(t.PartitionBy[0], "%s takes no PARTITION BY", kind)
	}
	b := a.binder(&env{}, &scope{relation: in}, "PARTITION BY")
	var keys []int
	for _, e := range t.PartitionBy {
		x, err := b.bind(e)
		if err != nil {
			return nil, err
		}
		c, ok := x.(*expr.Column)
		if !ok {
			return nil, a.failf(e, "PARTITION BY of a window table function takes columns alone")
		}
		if err := a.groupable(e, c.T); err != nil {
			return nil, err
		}
		keys = append(keys, c.Index)
	}
	return keys, nil
}
