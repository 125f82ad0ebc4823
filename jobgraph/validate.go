package jobgraph

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"millrace/expr"
	"millrace/failure"
	"millrace/options"
	"millrace/types"
)

// Validate reports everything that keeps a graph from running, at once: a
// *failure.Problems of the user whose entries name vertex and field as job.proto
// does, or nil. It never panics, whatever the graph; where a problem makes the
// schema of an output unknown, only what depends on that schema goes unchecked.
func Validate(g *Graph, known Known) error {
	v := &validator{g: g, known: known, vertices: make(map[types.VertexID]int), outputs: make(map[port]*types.Schema)}
	if g == nil {
		v.problems.Addf("", "", "the job graph is missing")
		return v.problems.Err()
	}
	if v.tooLarge() {
		return v.problems.Err()
	}
	v.options()
	v.program()
	v.callable()
	v.identities()
	v.edges()
	order, cycles := g.order()
	for _, c := range cycles {
		v.add("", "edges", "the graph has a cycle: %s", joinIDs(append(c, c[0]), " -> "))
	}
	for _, i := range order {
		v.vertex(i)
	}
	return v.problems.Err()
}

// validator collects the problems of one graph.
type validator struct {
	g        *Graph
	known    Known
	calls    *expr.Registry // what expressions may call
	problems failure.Problems
	vertices map[types.VertexID]int // the first of each id
	inputs   [][]Edge               // by vertex: edges that exist, by Input
	places   [][]int                // beside inputs: their positions in the graph
	// outputs has the schemas that are known; a vertex on a cycle or behind a
	// problem has none.
	outputs map[port]*types.Schema
}

// port is an output of a vertex, by the vertex's position in the graph.
type port struct{ vertex, port int }

func (v *validator) add(vertex types.VertexID, field, format string, args ...any) {
	v.problems.Addf(string(vertex), field, format, args...)
}

// namesShown bounds how many names a hint lists.
const namesShown = 20

// unknown reports a name that is not among those known, with the nearest that is.
func (v *validator) unknown(vertex types.VertexID, field, what, name string, known []string) {
	m := failure.Message{Vertex: string(vertex), Field: field, Primary: fmt.Sprintf("no %s is named %q", what, name)}
	if near, ok := options.Nearest(name, known); ok {
		m.Hint = "did you mean " + near + "?"
	} else if len(known) > 0 {
		m.Hint = "there are " + strings.Join(known[:min(len(known), namesShown)], ", ")
	}
	v.problems.Add(m)
}

// tooLarge checks what bounds the work of everything else.
func (v *validator) tooLarge() bool {
	g := v.g
	found := v.problems.Len()
	if len(g.Vertices) == 0 {
		v.add("", "vertices", "the graph has no vertices")
	}
	v.atMost("", "vertices", len(g.Vertices), VerticesMax)
	v.atMost("", "edges", len(g.Edges), EdgesMax)
	for i := range g.Vertices {
		v.atMost(g.Vertices[i].ID, "operators", len(g.Vertices[i].Operators), OperatorsMax)
	}
	return v.problems.Len() > found
}

func (v *validator) atMost(vertex types.VertexID, field string, n, most int) bool {
	if n > most {
		v.add(vertex, field, "there are %d, at most %d are allowed", n, most)
	}
	return n <= most
}

// options checks the numbers and times of the whole job.
func (v *validator) options() {
	g := v.g
	switch g.Name {
	case "":
		v.add("", "name", "the job has no name")
	default:
		v.text("", "name", g.Name)
	}
	v.between("max_parallelism", g.MaxParallelism, 0, types.MaxMaxParallelism)
	v.parallelism("", g.Parallelism)
	v.interval("buffer_timeout", g.BufferTimeout)
	v.interval("watermark_interval", g.WatermarkInterval)
	if g.Zone != "" {
		if _, err := types.LoadZone(g.Zone); err != nil {
			v.add("", "zone", "%s", err)
		}
	}
	v.labels(g.TaskManagerLabels)

	c := g.Checkpoint
	v.interval("checkpoint.interval", c.Interval)
	if c.Interval > 0 && c.Interval < CheckpointIntervalMin {
		v.add("", "checkpoint.interval", "%s is shorter than %s", c.Interval, CheckpointIntervalMin)
	}
	v.interval("checkpoint.min_pause", c.MinPause)
	v.interval("checkpoint.timeout", c.Timeout)
	if c.Timeout > 0 && c.Timeout < CheckpointIntervalMin {
		v.add("", "checkpoint.timeout", "%s is shorter than %s", c.Timeout, CheckpointIntervalMin)
	}
	v.interval("checkpoint.aligned_timeout", c.AlignedTimeout)
	v.between("checkpoint.tolerable_failures", c.TolerableFailures, 0, math.MaxInt32)
	v.between("checkpoint.retained", c.Retained, 0, RetainedMax)

	r := g.Restart
	if r.Strategy > RestartNone {
		v.add("", "restart.strategy", "unknown strategy %d", r.Strategy)
	}
	v.between("restart.attempts", r.Attempts, 0, math.MaxInt32)
	v.between("restart.poison", r.Poison, 0, math.MaxInt32)
	v.interval("restart.delay", r.Delay)
	v.interval("restart.max_delay", r.MaxDelay)
	v.interval("restart.reset_threshold", r.ResetThreshold)
	if r.MaxDelay > 0 && r.MaxDelay < r.Delay {
		v.add("", "restart.max_delay", "%s is shorter than delay, %s", r.MaxDelay, r.Delay)
	}
}

// labels checks what the job asks of task managers. Their labels are texts.
func (v *validator) labels(wanted map[string]string) {
	if !v.atMost("", "task_manager_labels", len(wanted), LabelsMax) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		field := fmt.Sprintf("task_manager_labels[%q]", name)
		if name == "" {
			v.add("", field, "a label needs a name")
		}
		v.text("", field, name)
		v.text("", field, wanted[name])
	}
}

func (v *validator) between(field string, n, least, most int) {
	if n < least || n > most {
		v.add("", field, "%d is not between %d and %d", n, least, most)
	}
}

func (v *validator) interval(field string, d time.Duration) {
	if d < 0 || d > IntervalMax {
		v.add("", field, "%s is not between 0 and %s", d, IntervalMax)
	}
}

// parallelism checks that of the graph (vertex "") or of a vertex; 0 names none.
func (v *validator) parallelism(vertex types.VertexID, n int) {
	switch most := v.g.KeyGroups(); {
	case n < 0:
		v.add(vertex, "parallelism", "%d is negative", n)
	case n > most && most > 0:
		v.add(vertex, "parallelism", "%d is above the max parallelism of the job, %d", n, most)
	}
}

// identities checks names, ids and uids.
func (v *validator) identities() {
	uids := make(map[types.OperatorUID]types.VertexID)
	names := make(map[string]types.VertexID)
	for i := range v.g.Vertices {
		x := &v.g.Vertices[i]
		v.word(x.ID, "id", string(x.ID))
		if _, taken := v.vertices[x.ID]; taken {
			v.add(x.ID, "id", "another vertex has the same id")
		} else {
			v.vertices[x.ID] = i
		}
		v.text(x.ID, "name", x.Name)
		if other, taken := names[x.Name]; taken && x.Name != "" && other != x.ID {
			v.add(x.ID, "name", "vertex %s has the same name", other)
		}
		names[x.Name] = x.ID
		v.parallelism(x.ID, x.Parallelism)
		if x.SlotSharingGroup != "" {
			v.word(x.ID, "slot_sharing_group", x.SlotSharingGroup)
		}
		v.uids(x, uids)
	}
}

func (v *validator) uids(x *Vertex, uids map[types.OperatorUID]types.VertexID) {
	check := func(field string, uid types.OperatorUID) {
		v.word(x.ID, field, string(uid))
		if other, taken := uids[uid]; taken {
			v.add(x.ID, field, "uid %q is used in vertex %s already; a uid names one operator of the job", uid, other)
		}
		uids[uid] = x.ID
	}
	if x.Source != nil {
		check("source.uid", x.Source.UID)
	}
	for i := range x.Operators {
		check(fmt.Sprintf("operators[%d].uid", i), x.Operators[i].UID)
		v.text(x.ID, fmt.Sprintf("operators[%d].name", i), x.Operators[i].Name)
	}
	if x.Sink != nil {
		check("sink.uid", x.Sink.UID)
	}
}

// word checks a name that becomes part of object keys, transactional ids and
// metrics: ASCII letters, digits and "_-.=", beginning with none of the last three.
func (v *validator) word(vertex types.VertexID, field, name string) {
	switch {
	case name == "":
		v.add(vertex, field, "is empty")
	case len(name) > NameBytesMax:
		v.add(vertex, field, "%d bytes, at most %d are allowed", len(name), NameBytesMax)
	case !isWord(name[0]) || strings.ContainsFunc(name, func(r rune) bool { return r > 127 || !isWord(byte(r)) && !strings.ContainsRune("-.=", r) }):
		v.add(vertex, field, `%q may have only letters, digits and "_-.=" and begins with a letter, a digit or "_"`, name)
	}
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// text checks a name that only people read; it may be empty.
func (v *validator) text(vertex types.VertexID, field, name string) {
	if len(name) > NameBytesMax {
		v.add(vertex, field, "%d bytes, at most %d are allowed", len(name), NameBytesMax)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		v.add(vertex, field, "%q has characters that can't be printed", name)
	}
}

func joinIDs(ids []types.VertexID, separator string) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, separator)
}

// kindNames returns the operator kinds as text.
func kindNames(kinds []OperatorKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	slices.Sort(out)
	return out
}
