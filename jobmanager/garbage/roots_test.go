package garbage_test

import (
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/jobmanager/garbage"
	"millrace/types"
)

var start = time.UnixMilli(1_700_000_000_000)

// fataler is a test, or a property's.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func key(t fataler, path string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func chunk(t fataler, job types.JobID, attempt types.Attempt, id types.CheckpointID, unique string) string {
	t.Helper()
	path, err := blobstore.ChunkKey{Job: job, Attempt: attempt, Checkpoint: id, Task: types.TaskID{Vertex: "v"}, Unique: unique}.Path()
	return key(t, path, err)
}

func manifest(t fataler, id types.CheckpointID, unique string) string {
	t.Helper()
	path, err := blobstore.ManifestKey{Job: "j", Checkpoint: id, Term: 9, Unique: unique}.Path()
	return key(t, path, err)
}

func graph(t fataler, unique string) string {
	t.Helper()
	path, err := blobstore.GraphKey{Job: "j", Version: 1, Unique: unique}.Path()
	return key(t, path, err)
}

func TestGarbage(t *testing.T) {
	savepoint := blobstore.SavepointKey{Job: "j", Savepoint: 1, Unique: "s"}
	saved, err := savepoint.Manifest()
	saved = key(t, saved, err)
	copied, err := savepoint.Chunk(types.TaskID{Vertex: "v"}, "u")
	copied = key(t, copied, err)
	part, err := blobstore.ResultPartKey{Job: "j", Operator: "o", Attempt: 1, Unique: "u"}.Path()
	part = key(t, part, err)
	index, err := blobstore.ResultIndexKey{Job: "j", Checkpoint: 1, Operator: "o", Digest: "d"}.Path()
	index = key(t, index, err)
	fetched, err := blobstore.ResultFetchedKey{Job: "j", Checkpoint: 1}.Path()
	fetched = key(t, fetched, err)
	others, err := blobstore.ResultFetchedKey{Job: "other", Checkpoint: 1}.Path()
	others = key(t, others, err)
	running := &garbage.Roots{Job: "j", Attempt: 3, OldBefore: start.Add(time.Hour), Needed: map[string]bool{
		graph(t, "here"): true, manifest(t, 5, "2"): true, chunk(t, "j", 1, 2, "needed"): true,
	}}
	over := &garbage.Roots{Job: "j", Ended: true, OldBefore: start.Add(time.Hour), Needed: map[string]bool{
		graph(t, "here"): true, manifest(t, 5, "2"): true, chunk(t, "j", 1, 2, "needed"): true,
	}}
	forgotten := &garbage.Roots{Job: "j", Ended: true, Forgotten: true, OldBefore: start.Add(time.Hour)}
	results := map[string]bool{part: true, index: true, fetched: true}
	cases := []struct {
		name           string
		key            string
		running, ended bool
	}{
		{"a chunk of an earlier attempt", chunk(t, "j", 2, 6, "a"), true, true},
		{"a chunk of the last attempt", chunk(t, "j", 3, 6, "a"), false, true},
		{"a chunk of an attempt that nobody knows of yet", chunk(t, "j", 4, 7, "a"), false, true},
		{"a chunk of a retained manifest", chunk(t, "j", 1, 2, "needed"), false, false},
		{"a chunk of another job", chunk(t, "other", 1, 2, "a"), false, false},
		{"a retained manifest", manifest(t, 5, "2"), false, false},
		{"a manifest of an earlier attempt", manifest(t, 6, "2"), true, true},
		{"a manifest of the last attempt", manifest(t, 7, "3"), false, true},
		{"a manifest of an unknown writer", manifest(t, 7, "x"), false, false},
		{"the graph", graph(t, "here"), false, false},
		{"another graph", graph(t, "there"), true, true},
		{"a savepoint", saved, false, false},
		{"a chunk of a savepoint", copied, false, false},
		{"a part of results", part, false, false},
		{"an index of results", index, false, false},
		{"a mark of fetched results", fetched, false, false},
		{"a mark of another job", others, false, false},
		{"somebody else's", "j/notes/readme", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := blobstore.Info{Key: c.key, Modified: start}
			if got := running.Garbage(o); got != c.running {
				t.Errorf("of a running job: %v", got)
			}
			if got := over.Garbage(o); got != c.ended {
				t.Errorf("of an ended job: %v", got)
			}
			if got := forgotten.Garbage(o); results[c.key] && !got || c.key == others && got {
				t.Errorf("of a forgotten job: %v", got)
			}
			o.Modified = running.OldBefore
			if running.Garbage(o) || over.Garbage(o) {
				t.Error("an object too young is garbage")
			}
		})
	}
}
