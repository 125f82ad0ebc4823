package blobstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/blobstore"
	"millrace/types"
)

func TestCheckKey(t *testing.T) {
	good := []string{"a", "a/b", "_x/y.z-0=1", strings.Repeat("k", blobstore.PartBytesMax)}
	for _, key := range good {
		if err := blobstore.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%q) = %v", key, err)
		}
	}
	bad := []string{
		"", "/", "/a", "a/", "a//b", "..", ".", "a/..", "a/../b", "../a", "a/.hidden", "-a", "=a", "a b", "a\\b", "a\x00", "ä", "a:b", "C:/a", "a%2f", "~",
		strings.Repeat("k", blobstore.PartBytesMax+1), strings.Repeat("k/", blobstore.KeyBytesMax/2) + "k",
	}
	for _, key := range bad {
		if err := blobstore.CheckKey(key); !errors.Is(err, blobstore.ErrBadKey) {
			t.Errorf("CheckKey(%q) = %v, want ErrBadKey", key, err)
		}
	}
}

func TestCheckPrefix(t *testing.T) {
	for prefix, want := range map[string]bool{"": true, "a": true, "a/": true, "a/b-": true, "/": false, "a//": false, "../": false, "a/.": false} {
		if err := blobstore.CheckPrefix(prefix); (err == nil) != want {
			t.Errorf("CheckPrefix(%q) = %v, want right = %v", prefix, err, want)
		}
	}
}

func TestPathsAreAsDocumented(t *testing.T) {
	task := types.TaskID{Vertex: "agg-1.x", Subtask: 3}
	savepoint := blobstore.SavepointKey{Job: "j", Savepoint: 2, Unique: "u"}
	build := func(path string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	got := []string{
		build(blobstore.ChunkKey{Job: "j", Attempt: 7, Checkpoint: 42, Task: task, Unique: "u1"}.Path()),
		build(blobstore.ManifestKey{Job: "j", Checkpoint: 42, Term: 9, Unique: "u1"}.Path()),
		build(blobstore.GraphKey{Job: "j", Version: 1, Unique: "u1"}.Path()),
		build(savepoint.Folder()),
		build(savepoint.Manifest()),
		build(savepoint.Chunk(task, "u1")),
		build(blobstore.JobPrefix("j")),
		build(blobstore.AttemptPrefix("j", 7)),
		build(blobstore.ManifestPrefix("j")),
		build(blobstore.ResultPartKey{Job: "j", Operator: "sink-1", Attempt: 7, Subtask: 3, Behind: 41, Number: 2, Unique: "u1"}.Path()),
		build(blobstore.ResultIndexKey{Job: "j", Checkpoint: 42, Operator: "sink-1", Digest: "d1"}.Path()),
		build(blobstore.ResultFetchedKey{Job: "j", Checkpoint: 42}.Path()),
		build(blobstore.ResultPartPrefix("j")),
		build(blobstore.ResultIndexPrefix("j")),
		build(blobstore.ResultIndexAt("j", 42)),
		build(blobstore.ResultFetchedPrefix("j")),
	}
	want := []string{
		"j/00000000000000000007/chunk/00000000000000000042/agg-1.x.3-u1",
		"j/manifest/00000000000000000042-00000000000000000009-u1",
		"j/graph/00000000000000000001-u1",
		"j/savepoint/00000000000000000002-u/",
		"j/savepoint/00000000000000000002-u/manifest",
		"j/savepoint/00000000000000000002-u/chunk/agg-1.x.3-u1",
		"j/",
		"j/00000000000000000007/",
		"j/manifest/",
		"j/result/part/sink-1/00000000000000000007-00000000000000000003-00000000000000000041-00000000000000000002-u1",
		"j/result/index/00000000000000000042-sink-1-d1",
		"j/result/fetched/00000000000000000042",
		"j/result/part/",
		"j/result/index/",
		"j/result/index/00000000000000000042",
		"j/result/fetched/",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys are durable; -want +got:\n%s", diff)
	}
}

// word draws any string, mostly of bytes that matter to paths.
func word(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringMatching(`[a-z0-9_.=-]{0,8}`), rapid.StringMatching(`[a./\-]{0,5}`), rapid.String()).Draw(t, label)
}

// TestNoKeyEscapesAndAllParseBack builds keys from any strings: a builder refuses, or its key passes CheckKey, stands
// under the job's prefix, and parses back to exactly the fields.
func TestNoKeyEscapesAndAllParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job, unique := types.JobID(word(t, "job")), word(t, "unique")
		task := types.TaskID{Vertex: types.VertexID(word(t, "vertex")), Subtask: rapid.Int32().Draw(t, "subtask")}
		n, m := rapid.Uint64().Draw(t, "n"), rapid.Uint64().Draw(t, "m")
		check := func(path string, err error, parse func(string) (any, error), want any) {
			if err != nil {
				if !errors.Is(err, blobstore.ErrBadKey) || path != "" {
					t.Fatalf("builder answered %q, %v", path, err)
				}
				return
			}
			if err := blobstore.CheckKey(path); err != nil {
				t.Fatalf("built %q: %v", path, err)
			}
			if !strings.HasPrefix(path, string(job)+"/") || strings.HasPrefix(path, "_") {
				t.Fatalf("built %q outside of job %q", path, job)
			}
			got, err := parse(path)
			if err != nil || got != want {
				t.Fatalf("%q parses to %+v, %v; want %+v", path, got, err, want)
			}
		}
		chunk := blobstore.ChunkKey{Job: job, Attempt: types.Attempt(n), Checkpoint: types.CheckpointID(m), Task: task, Unique: unique}
		path, err := chunk.Path()
		check(path, err, func(s string) (any, error) { return blobstore.ParseChunkKey(s) }, chunk)
		manifest := blobstore.ManifestKey{Job: job, Checkpoint: types.CheckpointID(n), Term: types.Term(m), Unique: unique}
		path, err = manifest.Path()
		check(path, err, func(s string) (any, error) { return blobstore.ParseManifestKey(s) }, manifest)
		graph := blobstore.GraphKey{Job: job, Version: n, Unique: unique}
		path, err = graph.Path()
		check(path, err, func(s string) (any, error) { return blobstore.ParseGraphKey(s) }, graph)
		savepoint := blobstore.SavepointKey{Job: job, Savepoint: n, Unique: unique}
		path, err = savepoint.Manifest()
		check(path, err, func(s string) (any, error) { return blobstore.ParseSavepointManifest(s) }, savepoint)
		type savepointChunk struct {
			Key    blobstore.SavepointKey
			Task   types.TaskID
			Unique string
		}
		path, err = savepoint.Chunk(task, unique)
		check(path, err, func(s string) (any, error) {
			k, task, unique, err := blobstore.ParseSavepointChunk(s)
			return savepointChunk{k, task, unique}, err
		}, savepointChunk{savepoint, task, unique})
		part := blobstore.ResultPartKey{
			Job: job, Operator: types.OperatorUID(task.Vertex), Attempt: types.Attempt(n), Subtask: task.Subtask, Behind: types.CheckpointID(m), Number: n, Unique: unique,
		}
		path, err = part.Path()
		check(path, err, func(s string) (any, error) { return blobstore.ParseResultPartKey(s) }, part)
		index := blobstore.ResultIndexKey{Job: job, Checkpoint: types.CheckpointID(n), Operator: types.OperatorUID(task.Vertex), Digest: unique}
		path, err = index.Path()
		check(path, err, func(s string) (any, error) { return blobstore.ParseResultIndexKey(s) }, index)
		fetched := blobstore.ResultFetchedKey{Job: job, Checkpoint: types.CheckpointID(n)}
		path, err = fetched.Path()
		check(path, err, func(s string) (any, error) { return blobstore.ParseResultFetchedKey(s) }, fetched)
	})
}

func TestOrderOfKeysIsOrderOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var paths []string
		numbers := rapid.SliceOfN(rapid.Uint64(), 2, 10).Draw(t, "checkpoints")
		slices.Sort(numbers)
		for _, n := range numbers {
			path, err := blobstore.ManifestKey{Job: "j", Checkpoint: types.CheckpointID(n), Unique: "u"}.Path()
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		if !slices.IsSorted(paths) {
			t.Fatalf("not in order: %q", paths)
		}
	})
}

// FuzzParse: whatever a parser accepts is exactly what its builder makes.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"j/00000000000000000007/chunk/00000000000000000042/agg.3-u1", "j/7/chunk/42/agg.3-u1", "j/manifest/00000000000000000042-00000000000000000009-u1",
		"j/graph/00000000000000000001-u1", "j/savepoint/00000000000000000002-u/manifest", "j/savepoint/00000000000000000002-u/chunk/a.1-u",
		"j/result/part/s/00000000000000000007-00000000000000000003-00000000000000000041-00000000000000000002-u",
		"j/result/index/00000000000000000042-s-1-d", "j/result/fetched/00000000000000000042", "", "/", "j/../x", "j/chunk/-.",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		same := func(kind string, parseErr error, build func() (string, error)) {
			if parseErr != nil {
				return
			}
			if again, err := build(); err != nil || again != path {
				t.Errorf("%s %q builds again as %q, %v", kind, path, again, err)
			}
		}
		chunk, err := blobstore.ParseChunkKey(path)
		same("chunk", err, chunk.Path)
		manifest, err := blobstore.ParseManifestKey(path)
		same("manifest", err, manifest.Path)
		graph, err := blobstore.ParseGraphKey(path)
		same("graph", err, graph.Path)
		savepoint, err := blobstore.ParseSavepointManifest(path)
		same("savepoint", err, savepoint.Manifest)
		savepoint, task, unique, err := blobstore.ParseSavepointChunk(path)
		same("savepoint chunk", err, func() (string, error) { return savepoint.Chunk(task, unique) })
		part, err := blobstore.ParseResultPartKey(path)
		same("part of a result", err, part.Path)
		index, err := blobstore.ParseResultIndexKey(path)
		same("index of results", err, index.Path)
		fetched, err := blobstore.ParseResultFetchedKey(path)
		same("mark of fetched results", err, fetched.Path)
	})
}
