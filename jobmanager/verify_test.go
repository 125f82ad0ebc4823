package jobmanager

import (
	"crypto/sha256"
	"strings"
	"testing"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/internal/clock"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// TestVerify damages files that the checkpoint itself wrote, and ones that it
// took over from the checkpoint before.
func TestVerify(t *testing.T) {
	const content = "rows of a task"
	store := memory.New(clock.System())
	put := func(id types.CheckpointID, unique, stored string) *checkpointv1.StateFile {
		t.Helper()
		key, err := blobstore.ChunkKey{Job: "job", Attempt: 1, Checkpoint: id, Task: types.TaskID{Vertex: "v"}, Unique: unique}.Path()
		if err != nil {
			t.Fatal(err)
		}
		if stored != "" {
			if err := store.Create(t.Context(), key, blobstore.Bytes([]byte(stored))); err != nil {
				t.Fatal(err)
			}
		}
		sum := sha256.Sum256([]byte(content))
		return &checkpointv1.StateFile{
			At: &checkpointv1.StateFile_Object{Object: key}, Sha256: sum[:], Bytes: int64(len(content)),
		}
	}
	flipped := strings.Replace(content, "rows", "rowt", 1)
	for _, c := range []struct {
		name, want string
		file       *checkpointv1.StateFile
	}{
		{"whole", "", put(7, "a", content)},
		{"whole and shared", "", put(6, "b", content)},
		{"missing", "object not found", put(7, "c", "")},
		{"missing and shared", "object not found", put(6, "d", "")},
		{"flipped", "not those that were written", put(7, "e", flipped)},
		{"short", "ends at byte 4 of 14", put(7, "f", content[:4])},
		{"short and shared", "shorter than its 14 bytes", put(6, "g", content[:4])},
		// What the checkpoint before needs as well is left to the tasks.
		{"flipped and shared", "", put(6, "h", flipped)},
		{"in the manifest", "", &checkpointv1.StateFile{At: &checkpointv1.StateFile_Inline{Inline: []byte("x")}}},
	} {
		m := &checkpointv1.Manifest{CheckpointId: 7, Vertices: []*checkpointv1.VertexState{{Tasks: []*checkpointv1.TaskState{
			{Files: []*checkpointv1.StateFile{put(7, "whole"+strings.ReplaceAll(c.name, " ", ""), content), c.file}},
		}}}}
		err := verify(t.Context(), store, m, verifyReadsMax)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file.GetObject())):
			t.Errorf("%s: %v, want %q and the name of the file", c.name, err, c.want)
		}
	}
}
