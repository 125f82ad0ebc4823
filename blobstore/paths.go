package blobstore

import (
	"fmt"
	"strings"

	"millrace/types"
)

// All keys that the engine writes are built and parsed here:
//
//	<job>/<attempt>/chunk/<checkpoint>/<vertex>.<subtask>-<unique>   state of one task in one checkpoint
//	<job>/manifest/<checkpoint>-<term>-<unique>                      what a checkpoint consists of
//	<job>/graph/<version>-<unique>                                   the stored job graph
//	<job>/savepoint/<savepoint>-<unique>/manifest                    a savepoint, which stands on its own
//	<job>/savepoint/<savepoint>-<unique>/chunk/<vertex>.<subtask>-<unique>
//	<job>/result/part/<operator>/<attempt>-<subtask>-<behind>-<number>-<unique>   rows of a query, for whoever asked
//	<job>/result/index/<checkpoint>-<operator>-<digest>              which parts a checkpoint made the query's results
//	<job>/result/fetched/<checkpoint>                                up to where they have been fetched
//	_probe/conditional-create                                        what Probe leaves behind
//	_cluster/<cluster>/identity                                      which cluster of that name keeps its jobs here
//
// Numbers have 20 digits, so that the order of the keys is the order of the numbers. A unique part makes the key one
// writer's own: it is fresh for each object and has no "-". A job's id begins with a letter or a digit, so "_" is ours.

// ChunkKey names the object that one task wrote for one checkpoint.
type ChunkKey struct {
	Job        types.JobID
	Attempt    types.Attempt
	Checkpoint types.CheckpointID
	Task       types.TaskID
	Unique     string
}

// Path returns the object key; ErrBadKey if a field cannot be part of one.
func (k ChunkKey) Path() (string, error) {
	return join(string(k.Job), digits(uint64(k.Attempt)), "chunk", digits(uint64(k.Checkpoint)), taskPart(k.Task, k.Unique))
}

// ParseChunkKey is the inverse of ChunkKey.Path.
func ParseChunkKey(path string) (ChunkKey, error) {
	p := parser{path: path}
	k := ChunkKey{Job: p.job(), Attempt: types.Attempt(p.number())}
	p.word("chunk")
	k.Checkpoint = types.CheckpointID(p.number())
	k.Task, k.Unique = p.task()
	return k, p.end("chunk", k)
}

// ManifestKey names a checkpoint's manifest. Two leaders may each write one for the same checkpoint; the coordination
// store says which, if any, counts.
type ManifestKey struct {
	Job        types.JobID
	Checkpoint types.CheckpointID
	Term       types.Term
	Unique     string
}

// Path returns the object key; ErrBadKey if a field cannot be part of one.
func (k ManifestKey) Path() (string, error) {
	return join(string(k.Job), "manifest", digits(uint64(k.Checkpoint))+"-"+digits(uint64(k.Term))+"-"+uniquePart(k.Unique))
}

// ParseManifestKey is the inverse of ManifestKey.Path.
func ParseManifestKey(path string) (ManifestKey, error) {
	p := parser{path: path}
	k := ManifestKey{Job: p.job()}
	p.word("manifest")
	id, rest := p.dash(p.part())
	term, unique := p.dash(rest)
	k.Checkpoint, k.Term, k.Unique = types.CheckpointID(p.parseNumber(id)), types.Term(p.parseNumber(term)), unique
	return k, p.end("manifest", k)
}

// IdentityPath returns the key of the object by which a cluster knows its store again; ErrBadKey if the name cannot be part
// of a key.
func IdentityPath(cluster string) (string, error) {
	own, err := join(cluster, "identity")
	return "_cluster/" + own, err
}

// GraphKey names a stored job graph.
type GraphKey struct {
	Job     types.JobID
	Version uint64
	Unique  string
}

// Path returns the object key; ErrBadKey if a field cannot be part of one.
func (k GraphKey) Path() (string, error) {
	return join(string(k.Job), "graph", digits(k.Version)+"-"+uniquePart(k.Unique))
}

// ParseGraphKey is the inverse of GraphKey.Path.
func ParseGraphKey(path string) (GraphKey, error) {
	p := parser{path: path}
	k := GraphKey{Job: p.job()}
	p.word("graph")
	version, unique := p.dash(p.part())
	k.Version, k.Unique = p.parseNumber(version), unique
	return k, p.end("graph", k)
}

// SavepointKey names a savepoint; the objects of one savepoint are those under its folder.
type SavepointKey struct {
	Job       types.JobID
	Savepoint uint64
	Unique    string
}

// Folder returns the prefix of the savepoint's keys, slash included; ErrBadKey if a field cannot be part of one.
func (k SavepointKey) Folder() (string, error) { return prefix(k.parts()...) }

// Manifest returns the key of the savepoint's manifest.
func (k SavepointKey) Manifest() (string, error) { return join(append(k.parts(), "manifest")...) }

// Chunk returns the key of what one task wrote for the savepoint.
func (k SavepointKey) Chunk(task types.TaskID, unique string) (string, error) {
	return join(append(k.parts(), "chunk", taskPart(task, unique))...)
}

func (k SavepointKey) parts() []string {
	return []string{string(k.Job), "savepoint", digits(k.Savepoint) + "-" + uniquePart(k.Unique)}
}

// ParseSavepointManifest is the inverse of SavepointKey.Manifest.
func ParseSavepointManifest(path string) (SavepointKey, error) {
	p := parser{path: path}
	k := p.savepoint()
	p.word("manifest")
	return k, p.endWith("savepoint manifest", k.Manifest)
}

// ParseSavepointChunk is the inverse of SavepointKey.Chunk.
func ParseSavepointChunk(path string) (k SavepointKey, task types.TaskID, unique string, err error) {
	p := parser{path: path}
	k = p.savepoint()
	p.word("chunk")
	task, unique = p.task()
	return k, task, unique, p.endWith("savepoint chunk", func() (string, error) { return k.Chunk(task, unique) })
}

// JobPrefix returns what the keys of all objects of the job begin with; ErrBadKey if the id cannot be part of a key.
func JobPrefix(job types.JobID) (string, error) { return prefix(string(job)) }

// AttemptPrefix returns what the keys of all chunks of the attempt begin with.
func AttemptPrefix(job types.JobID, attempt types.Attempt) (string, error) {
	return prefix(string(job), digits(uint64(attempt)))
}

// ManifestPrefix returns what the keys of all manifests of the job begin with; they are ordered by checkpoint.
func ManifestPrefix(job types.JobID) (string, error) { return prefix(string(job), "manifest") }

const probeKey = "_probe/conditional-create"

func prefix(parts ...string) (string, error) {
	path, err := join(parts...)
	if err != nil {
		return "", err
	}
	return path + "/", nil
}

// join checks the parts singly, lest a slash inside one of them make it two. The first is the job.
func join(parts ...string) (string, error) {
	if parts[0] != "" && parts[0][0] == '_' {
		return "", fmt.Errorf("%w: job %q begins with _", ErrBadKey, parts[0])
	}
	for _, part := range parts {
		if err := checkPart(part); err != nil {
			return "", fmt.Errorf("%w in %q", err, part)
		}
	}
	path := strings.Join(parts, "/")
	if err := CheckKey(path); err != nil {
		return "", err
	}
	return path, nil
}

func digits(n uint64) string { return fmt.Sprintf("%020d", n) }

// taskPart returns "", which join refuses, for a task that would not parse back.
func taskPart(task types.TaskID, unique string) string {
	if task.Vertex == "" || task.Subtask < 0 {
		return ""
	}
	return fmt.Sprintf("%s.%d-%s", task.Vertex, task.Subtask, uniquePart(unique))
}

// uniquePart returns unique, or for one that would not parse back a string that no key may contain.
func uniquePart(unique string) string {
	if unique == "" || strings.Contains(unique, "-") {
		return "/"
	}
	return unique
}
