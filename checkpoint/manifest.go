package checkpoint

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"

	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// FormatVersion is the version of manifests that this code writes; it reads all from 1 on. Since version 2 a vertex has the
// splits that no reader has been given since the restore: without them a checkpoint that came before the enumerator lost
// their positions. Since version 3 a task may have what was in flight to it: a reader that does not know it would lose rows.
const FormatVersion = 3

// The kinds of state files, as they stand in manifests.
const (
	fileBase     = 1
	fileDelta    = 2
	fileInFlight = 3
)

// Validate tells everything that is wrong with a manifest: its version and ids, gaps in its lists, files without
// checksums or out of their chains, key groups that no task or several have, splits that two readers have. A manifest
// that passes can be restored at any parallelism. The error is internal.
func Validate(m *checkpointv1.Manifest) error {
	var p failure.Problems
	validateHead(m, &p)
	if n := len(m.GetVertices()); n > VerticesMax {
		p.Addf("", "vertices", "%d, at most %d", n, VerticesMax)
		return invalid(m, &p)
	}
	for i, v := range m.GetVertices() {
		if i > 0 && v.GetVertexId() <= m.Vertices[i-1].GetVertexId() {
			p.Addf(v.GetVertexId(), "vertex_id", "out of order")
		}
		validateVertex(v, &p)
	}
	return invalid(m, &p)
}

func invalid(m *checkpointv1.Manifest, p *failure.Problems) error {
	if err := p.Err(); err != nil {
		return failure.Internal(fmt.Errorf("manifest of checkpoint %d is invalid: %w", m.GetCheckpointId(), err))
	}
	return nil
}

func validateHead(m *checkpointv1.Manifest, p *failure.Problems) {
	if v := m.GetFormatVersion(); v < 1 || v > FormatVersion {
		p.Addf("", "format_version", "is %d, this build reads 1 to %d", v, FormatVersion)
	}
	if m.GetJobId() == "" {
		p.Addf("", "job_id", "missing")
	}
	if m.GetCheckpointId() == 0 || m.GetPreviousCheckpointId() >= m.GetCheckpointId() {
		p.Addf("", "checkpoint_id", "is %d after %d", m.GetCheckpointId(), m.GetPreviousCheckpointId())
	}
	want := 0
	if m.GetPreviousCheckpointId() != 0 {
		want = sha256.Size
	}
	if n := len(m.GetPreviousSha256()); n != want {
		p.Addf("", "previous_sha256", "has %d bytes, want %d", n, want)
	}
	if k := m.GetKind(); k < Periodic.Proto() || k > Final.Proto() {
		p.Addf("", "kind", "unknown: %d", int32(k))
	}
	if len(m.GetVertices()) == 0 {
		p.Addf("", "vertices", "missing")
	}
}

func validateVertex(v *checkpointv1.VertexState, p *failure.Problems) {
	id, n, groups := v.GetVertexId(), len(v.GetTasks()), int(v.GetMaxParallelism())
	if id == "" {
		p.Addf(id, "vertex_id", "missing")
	}
	if groups < 1 || groups > types.MaxMaxParallelism {
		p.Addf(id, "max_parallelism", "is %d, want 1 to %d", groups, types.MaxMaxParallelism)
		return
	}
	if n < 1 || n > groups {
		p.Addf(id, "tasks", "%d, want 1 to %d", n, groups)
		return
	}
	if l := int(v.GetLargestParallelism()); l < n || l > groups {
		p.Addf(id, "largest_parallelism", "is %d, with %d tasks and %d key groups", l, n, groups)
	}
	splits, committables, filed := make(map[string]string), 0, 0
	take := func(split, holder string) {
		if other, ok := splits[split]; ok {
			p.Addf(id, "splits", "%q is in %s and %s", split, other, holder)
		}
		splits[split] = holder
	}
	for _, s := range v.GetUnassigned() {
		take(s.GetId(), "no task")
	}
	for i, t := range v.Tasks {
		for _, problem := range checkTask(t, i, n, groups) {
			p.Addf(id, "tasks", "%d: %s", i, problem)
		}
		if len(t.GetFiles()) > 0 {
			filed++
		}
		committables += len(t.GetCommittables())
		for _, s := range t.GetSplits() {
			take(s.GetId(), fmt.Sprintf("task %d", i))
		}
	}
	if filed != 0 && filed != n {
		p.Addf(id, "tasks", "only %d of %d have files: key groups are missing", filed, n)
	}
	if len(splits) > SplitsMax || committables > CommittablesMax {
		p.Addf(id, "tasks", "%d splits (at most %d), %d committables (at most %d)", len(splits), SplitsMax, committables, CommittablesMax)
	}
}

// checkTask returns what is wrong with the state of one task. Its files must be of exactly the key groups that it owns:
// together with the other tasks' they then cover every group once.
func checkTask(t *checkpointv1.TaskState, subtask, parallelism, maxParallelism int) (problems []string) {
	if t == nil {
		return []string{"no state"}
	}
	if len(t.Files) > ChainFilesMax {
		return []string{fmt.Sprintf("%d files, at most %d", len(t.Files), ChainFilesMax)}
	}
	groups := types.KeyGroupRangeOf(subtask, parallelism, maxParallelism)
	for i, f := range t.Files {
		want := uint32(fileDelta)
		if i == 0 {
			want = fileBase
		}
		if problem := checkFile(f, want, groups); problem != "" {
			problems = append(problems, fmt.Sprintf("file %d: %s", i, problem))
		}
	}
	return append(problems, checkInFlight(t)...)
}

// checkInFlight returns what is wrong with what was in flight to a task. It has no key groups of its own: rows are those of
// the task's input, whatever that is dealt out by.
func checkInFlight(t *checkpointv1.TaskState) (problems []string) {
	if t.InFlight != nil {
		if problem := checkFile(t.InFlight, fileInFlight, types.KeyGroupRange{}); problem != "" {
			problems = append(problems, "in flight: "+problem)
		}
	}
	for input, rows := range t.InFlightRows {
		if rows < 0 || rows > 0 && t.InFlight == nil {
			problems = append(problems, fmt.Sprintf("%d rows in flight by input %d", rows, input))
		}
	}
	return problems
}

func checkFile(f *checkpointv1.StateFile, kind uint32, groups types.KeyGroupRange) string {
	switch {
	case f == nil:
		return "missing"
	case f.Kind != kind:
		return fmt.Sprintf("kind %d, want %d: a chain is a base and deltas", f.Kind, kind)
	case len(f.Sha256) != sha256.Size:
		return fmt.Sprintf("checksum of %d bytes", len(f.Sha256))
	case f.FirstKeyGroup != uint32(groups.First) || f.LastKeyGroup != uint32(groups.Last):
		return fmt.Sprintf("key groups [%d,%d], the task has %s", f.FirstKeyGroup, f.LastKeyGroup, groups)
	case f.Bytes < 0 || f.Rows < 0:
		return fmt.Sprintf("%d bytes, %d rows", f.Bytes, f.Rows)
	}
	if at, ok := f.At.(*checkpointv1.StateFile_Inline); ok {
		return checkInline(f, at.Inline)
	}
	if f.GetObject() == "" {
		return "neither an object nor inline"
	}
	return ""
}

func checkInline(f *checkpointv1.StateFile, b []byte) string {
	if len(b) > InlineBytesMax || int64(len(b)) != f.Bytes {
		return fmt.Sprintf("%d bytes inline, %d announced, at most %d", len(b), f.Bytes, InlineBytesMax)
	}
	if sha256.Sum256(b) != Sum(f.Sha256) {
		return "inline bytes do not have their checksum"
	}
	return ""
}

// committablesOf returns what the tasks of a vertex want committed: subtask by subtask, each in its order, repeated bytes
// once. The order within a task matters: output of a later transaction is invisible behind an earlier one.
func committablesOf(v *checkpointv1.VertexState) (out [][]byte) {
	seen := make(map[string]bool)
	for _, t := range v.GetTasks() {
		for _, b := range t.GetCommittables() {
			if !seen[string(b)] {
				seen[string(b)] = true
				out = append(out, b)
			}
		}
	}
	return out
}

// Unreferenced returns the objects that a dropped manifest names and no retained one does, in order: what may be deleted
// once the dropped ones count no more. The manifests' own keys are not among them. Pass every retained manifest: a
// missing one loses state.
func Unreferenced(dropped, retained []*checkpointv1.Manifest) []string {
	keep := make(map[string]bool)
	for _, m := range retained {
		for file := range Objects(m) {
			keep[file.GetObject()] = true
		}
	}
	var out []string
	for _, m := range dropped {
		for file := range Objects(m) {
			if key := file.GetObject(); !keep[key] {
				keep[key] = true
				out = append(out, key)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Objects yields the files of a manifest that are objects of their own, in the order of vertices and subtasks.
func Objects(m *checkpointv1.Manifest) iter.Seq[*checkpointv1.StateFile] {
	return func(yield func(*checkpointv1.StateFile) bool) {
		for _, v := range m.GetVertices() {
			for _, t := range v.GetTasks() {
				for _, file := range t.GetFiles() {
					if file.GetObject() != "" && !yield(file) {
						return
					}
				}
				if file := t.GetInFlight(); file.GetObject() != "" && !yield(file) {
					return
				}
			}
		}
	}
}

// Describe prints the shape of a manifest on one line, for scripts and logs: for each vertex and task the files, splits,
// committables, and whether it had ended.
func Describe(m *checkpointv1.Manifest) string {
	var b strings.Builder
	for i, v := range m.GetVertices() {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s largest=%d", v.GetVertexId(), v.GetLargestParallelism())
		if len(v.GetEnumerator()) > 0 {
			fmt.Fprintf(&b, " enumerator=%dB", len(v.GetEnumerator()))
		}
		if n := len(v.GetUnassigned()); n > 0 {
			fmt.Fprintf(&b, " unassigned=%d", n)
		}
		for s, t := range v.GetTasks() {
			fmt.Fprintf(&b, " %d(files=%d", s, len(t.GetFiles()))
			if n := len(t.GetSplits()); n > 0 {
				fmt.Fprintf(&b, " splits=%d", n)
			}
			if n := len(t.GetCommittables()); n > 0 {
				fmt.Fprintf(&b, " committables=%d", n)
			}
			if f := t.GetInFlight(); f != nil {
				fmt.Fprintf(&b, " inflight=%dB", f.Bytes)
			}
			if t.GetEnded() {
				b.WriteString(" ended")
			}
			b.WriteString(")")
		}
	}
	return b.String()
}
