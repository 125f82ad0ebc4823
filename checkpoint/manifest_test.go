package checkpoint

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// testManifest has a source of 2 tasks and an aggregation of p, with a base and a delta each.
func testManifest(id uint64, p int) *checkpointv1.Manifest {
	m := &checkpointv1.Manifest{FormatVersion: FormatVersion, JobId: "j", CheckpointId: id, Attempt: 1, Term: 1, Kind: Periodic.Proto()}
	for _, v := range []struct {
		id types.VertexID
		p  int
	}{{"agg", p}, {"src", 2}} {
		s := &checkpointv1.VertexState{VertexId: string(v.id), MaxParallelism: 16, LargestParallelism: int32(v.p)}
		for i := range v.p {
			groups := types.KeyGroupRangeOf(i, v.p, 16)
			t := &checkpointv1.TaskState{Files: []*checkpointv1.StateFile{
				testFile(fileBase, fmt.Sprintf("%s.%d-base", v.id, i), groups), testFile(fileDelta, fmt.Sprintf("%s.%d-%d", v.id, i, id), groups),
			}}
			if v.id == "src" {
				t.Splits = []*checkpointv1.SplitState{{Id: fmt.Sprintf("split-%d", 1-i)}}
			}
			s.Tasks = append(s.Tasks, t)
		}
		m.Vertices = append(m.Vertices, s)
	}
	return m
}

func TestValidate(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(m *checkpointv1.Manifest)
		want  string // in the error; "" is valid
	}{
		{"as it is", func(*checkpointv1.Manifest) {}, ""},
		{"no files at all", func(m *checkpointv1.Manifest) {
			for _, task := range m.Vertices[0].Tasks {
				task.Files = nil
			}
		}, ""},
		{"version of the future", func(m *checkpointv1.Manifest) { m.FormatVersion = 4 }, "format_version: is 4, this build reads 1 to 3"},
		{"no version", func(m *checkpointv1.Manifest) { m.FormatVersion = 0 }, "format_version: is 0"},
		{"the first version", func(m *checkpointv1.Manifest) { m.FormatVersion = 1 }, ""},
		{"no job", func(m *checkpointv1.Manifest) { m.JobId = "" }, "job_id: missing"},
		{"no id", func(m *checkpointv1.Manifest) { m.CheckpointId = 0 }, "checkpoint_id"},
		{"before its predecessor", func(m *checkpointv1.Manifest) { m.PreviousCheckpointId = 9 }, "checkpoint_id: is 7 after 9"},
		{"predecessor without digest", func(m *checkpointv1.Manifest) { m.PreviousCheckpointId = 6 }, "previous_sha256: has 0 bytes"},
		{"unknown kind", func(m *checkpointv1.Manifest) { m.Kind = 257 }, "kind: unknown: 257"},
		{"no vertices", func(m *checkpointv1.Manifest) { m.Vertices = nil }, "vertices: missing"},
		{"vertex twice", func(m *checkpointv1.Manifest) { m.Vertices[1].VertexId = "agg" }, "out of order"},
		{"vertex missing", func(m *checkpointv1.Manifest) { m.Vertices[1] = nil }, "vertex_id: missing"},
		{"a task is missing", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks = m.Vertices[0].Tasks[:2] }, "the task has [0,7]"},
		{"a task without state", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[1] = nil }, "1: no state"},
		{"a task without files", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[1].Files = nil }, "only 2 of 3 have files"},
		{"no tasks", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks = nil }, "tasks: 0, want 1 to 16"},
		{"key groups out of range", func(m *checkpointv1.Manifest) { m.Vertices[0].MaxParallelism = 1 << 20 }, "max_parallelism"},
		{"shrunk history", func(m *checkpointv1.Manifest) { m.Vertices[0].LargestParallelism = 2 }, "largest_parallelism: is 2"},
		{"delta first", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[0].Kind = 2 }, "file 0: kind 2"},
		{"base in the middle", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[1].Kind = 1 }, "file 1: kind 1"},
		{"checksum missing", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[0].Sha256 = nil }, "checksum of 0 bytes"},
		{"file nowhere", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[0].At = nil }, "neither an object nor inline"},
		{"other groups", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[0].LastKeyGroup++ }, "key groups [0,6]"},
		{"negative size", func(m *checkpointv1.Manifest) { m.Vertices[0].Tasks[0].Files[0].Bytes = -1 }, "-1 bytes"},
		{"inline", func(m *checkpointv1.Manifest) { inline(m, []byte("state"), []byte("state")) }, ""},
		{"inline changed", func(m *checkpointv1.Manifest) { inline(m, []byte("state"), []byte("stale")) }, "do not have their checksum"},
		{"inline cut", func(m *checkpointv1.Manifest) { inline(m, []byte("state"), []byte("stat")) }, "4 bytes inline, 5 announced"},
		{"split twice", func(m *checkpointv1.Manifest) { m.Vertices[1].Tasks[0].Splits[0].Id = "split-0" }, `"split-0" is in task 0 and task 1`},
		{"split of a reader and of none", func(m *checkpointv1.Manifest) {
			m.Vertices[1].Unassigned = []*checkpointv1.SplitState{{Id: "split-1"}}
		}, `"split-1" is in no task and task 0`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := testManifest(7, 3)
			c.spoil(m)
			err := Validate(m)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if failure.ClassOf(err).Domain != failure.DomainInternal {
				t.Errorf("class %v", failure.ClassOf(err))
			}
		})
	}
}

func inline(m *checkpointv1.Manifest, wrote, have []byte) {
	f := m.Vertices[0].Tasks[0].Files[0]
	sum := sha256.Sum256(wrote)
	f.At, f.Sha256, f.Bytes = &checkpointv1.StateFile_Inline{Inline: have}, sum[:], int64(len(wrote))
}

func TestUnreferenced(t *testing.T) {
	old, middle, latest := testManifest(1, 2), testManifest(2, 2), testManifest(3, 2)
	latest.Vertices[0].Tasks[0].Files[0].At = &checkpointv1.StateFile_Object{Object: "agg.0-merged"}
	inline(old, []byte("x"), []byte("x"))
	got := Unreferenced([]*checkpointv1.Manifest{old, middle}, []*checkpointv1.Manifest{latest})
	want := []string{
		"agg.0-1", "agg.0-2", "agg.0-base", // the base of agg.0 stands inline in the first, in an object in the second
		"agg.1-1", "agg.1-2", "src.0-1", "src.0-2", "src.1-1", "src.1-2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := Unreferenced([]*checkpointv1.Manifest{latest}, []*checkpointv1.Manifest{latest}); got != nil {
		t.Errorf("what is retained is to be deleted: %v", got)
	}
}
