package blobstore

import (
	"strings"

	"millrace/types"
)

// ResultPartKey names an object of rows that one subtask of a query's sink wrote.
type ResultPartKey struct {
	Job      types.JobID
	Operator types.OperatorUID
	Attempt  types.Attempt
	Subtask  int32
	// Behind is the last checkpoint that the subtask had prepared, or was restored from; 0 for none. So the object is
	// of a later one.
	Behind types.CheckpointID
	Number uint64
	Unique string
}

// Path returns the object key; ErrBadKey if a field cannot be part of one.
func (k ResultPartKey) Path() (string, error) {
	numbers := []string{digits(uint64(k.Attempt)), digits(uint64(k.Subtask)), digits(uint64(k.Behind)), digits(k.Number), uniquePart(k.Unique)}
	if k.Subtask < 0 {
		numbers[1] = "/" // which join refuses
	}
	return join(string(k.Job), "result", "part", string(k.Operator), strings.Join(numbers, "-"))
}

// ParseResultPartKey is the inverse of ResultPartKey.Path.
func ParseResultPartKey(path string) (ResultPartKey, error) {
	p := parser{path: path}
	k := ResultPartKey{Job: p.job()}
	p.word("result")
	p.word("part")
	k.Operator = types.OperatorUID(p.part())
	attempt, rest := p.dash(p.part())
	subtask, rest := p.dash(rest)
	behind, rest := p.dash(rest)
	number, unique := p.dash(rest)
	k.Attempt, k.Subtask = types.Attempt(p.parseNumber(attempt)), int32(p.parseNumber(subtask)) // one that is cut does not build the path again
	k.Behind, k.Number, k.Unique = types.CheckpointID(p.parseNumber(behind)), p.parseNumber(number), unique
	return k, p.end("part of a result", k)
}

// ResultIndexKey names the object that makes what an operator wrote for a checkpoint the job's results.
type ResultIndexKey struct {
	Job        types.JobID
	Checkpoint types.CheckpointID
	Operator   types.OperatorUID
	// Digest is of the object's bytes, so that two of one name are one.
	Digest string
}

// Path returns the object key; ErrBadKey if a field cannot be part of one.
func (k ResultIndexKey) Path() (string, error) {
	operator := string(k.Operator)
	if operator == "" {
		operator = "/" // which join refuses
	}
	return join(string(k.Job), "result", "index", digits(uint64(k.Checkpoint))+"-"+operator+"-"+uniquePart(k.Digest))
}

// ParseResultIndexKey is the inverse of ResultIndexKey.Path.
func ParseResultIndexKey(path string) (ResultIndexKey, error) {
	p := parser{path: path}
	k := ResultIndexKey{Job: p.job()}
	p.word("result")
	p.word("index")
	id, rest := p.dash(p.part())
	last := strings.LastIndexByte(rest, '-') // an operator may have dashes, a digest has none
	p.bad = last < 0 || p.bad
	k.Checkpoint = types.CheckpointID(p.parseNumber(id))
	k.Operator, k.Digest = types.OperatorUID(rest[:max(last, 0)]), rest[last+1:]
	return k, p.end("index of results", k)
}

// ResultFetchedKey names the mark that all results up to a checkpoint have been fetched.
type ResultFetchedKey struct {
	Job        types.JobID
	Checkpoint types.CheckpointID
}

// Path returns the object key; ErrBadKey if a field cannot be part of one.
func (k ResultFetchedKey) Path() (string, error) {
	return join(string(k.Job), "result", "fetched", digits(uint64(k.Checkpoint)))
}

// ParseResultFetchedKey is the inverse of ResultFetchedKey.Path.
func ParseResultFetchedKey(path string) (ResultFetchedKey, error) {
	p := parser{path: path}
	k := ResultFetchedKey{Job: p.job()}
	p.word("result")
	p.word("fetched")
	k.Checkpoint = types.CheckpointID(p.number())
	return k, p.end("mark of fetched results", k)
}

// ResultIndexPrefix returns what the keys of all indexes of a job's results begin with; they are ordered by checkpoint.
func ResultIndexPrefix(job types.JobID) (string, error) {
	return prefix(string(job), "result", "index")
}

// ResultIndexAt returns what the keys of the indexes of one checkpoint begin with, dash aside: it stands behind those of
// every earlier one.
func ResultIndexAt(job types.JobID, id types.CheckpointID) (string, error) {
	return join(string(job), "result", "index", digits(uint64(id)))
}

// ResultFetchedPrefix returns what the keys of all marks of a job begin with; they are ordered by checkpoint.
func ResultFetchedPrefix(job types.JobID) (string, error) {
	return prefix(string(job), "result", "fetched")
}

// ResultPartPrefix returns what the keys of all parts of a job's results begin with.
func ResultPartPrefix(job types.JobID) (string, error) { return prefix(string(job), "result", "part") }

// ResultOf returns the job of whose results an object is, whichever it is; false for other objects.
func ResultOf(path string) (types.JobID, bool) {
	if k, err := ParseResultPartKey(path); err == nil {
		return k.Job, true
	}
	if k, err := ParseResultIndexKey(path); err == nil {
		return k.Job, true
	}
	k, err := ParseResultFetchedKey(path)
	return k.Job, err == nil
}
