package coord

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/types"
)

// All keys that the engine writes are built and parsed here. They are relative to the cluster: the store puts
// ClusterPrefix before them, and its elections beside them, out of their reach.
//
//	identity                            the cluster's own, as long as what is kept here is not lost
//	store                               the identity of the blob store in which the cluster's jobs are
//	jobs/<id>/graph                     where the job's graph is
//	jobs/<id>/state                     lifecycle state; terminal ones are written once
//	jobs/<id>/attempt                   the last attempt allotted
//	jobs/<id>/attempt-floor             attempts below are over
//	jobs/<id>/attempt-regions           the attempt that each region was allotted last
//	jobs/<id>/placement                 the task managers on which the job was placed last
//	jobs/<id>/checkpoint/next           the next checkpoint id: allotted before use, never reused
//	jobs/<id>/checkpoint/latest         the last complete checkpoint; its write is the commit point
//	jobs/<id>/checkpoint/abort/<id>     the decision that a checkpoint never completes
//	jobs/<id>/savepoints                the last savepoints that are whole
//	jobs/<id>/enumerator/<vertex>       the splits that a source's enumerator has found
//	jobs/<id>/delete/<name>             the intent to delete objects, written before the first is deleted
//
// Numbers have 20 digits, so that the order of the keys is the order of the numbers.

const jobsPrefix = "jobs/"

// JobField is what a job's key holds.
type JobField string

// The fields of a job. FieldAbort, FieldEnumerator and FieldDelete are followed by a name of their own.
const (
	FieldGraph            JobField = "graph"
	FieldState            JobField = "state"
	FieldAttempt          JobField = "attempt"
	FieldAttemptFloor     JobField = "attempt-floor"
	FieldAttemptRegions   JobField = "attempt-regions"
	FieldPlacement        JobField = "placement"
	FieldCheckpointNext   JobField = "checkpoint/next"
	FieldCheckpointLatest JobField = "checkpoint/latest"
	FieldSavepoints       JobField = "savepoints"
	FieldAbort            JobField = "checkpoint/abort"
	FieldEnumerator       JobField = "enumerator"
	FieldDelete           JobField = "delete"
)

var plainFields = []JobField{FieldGraph, FieldState, FieldAttempt, FieldAttemptFloor, FieldAttemptRegions, FieldPlacement, FieldCheckpointNext, FieldCheckpointLatest, FieldSavepoints}

// ClusterPrefix returns what all of a cluster's keys begin with in a store that clusters share. The name is one part of
// a key; ErrInvalid otherwise.
func ClusterPrefix(cluster string) (string, error) {
	if err := checkPart(cluster); err != nil {
		return "", fmt.Errorf("cluster name: %w", err)
	}
	return "/millrace/" + cluster + "/", nil
}

// IdentityKey returns the key of the cluster's own identity.
func IdentityKey() string { return "identity" }

// StoreKey returns the key of the identity of the cluster's blob store.
func StoreKey() string { return "store" }

// JobsPrefix returns the prefix of the keys of all jobs.
func JobsPrefix() string { return jobsPrefix }

// JobKeys builds the keys of one job. Make it with ForJob.
type JobKeys struct{ prefix string }

// ForJob returns the keys of the job; ErrInvalid if the id cannot be one part of a key.
func ForJob(job types.JobID) (JobKeys, error) {
	if err := checkPart(string(job)); err != nil {
		return JobKeys{}, fmt.Errorf("job id: %w", err)
	}
	return JobKeys{prefix: jobsPrefix + string(job) + "/"}, nil
}

// Prefix returns the prefix of the job's keys.
func (k JobKeys) Prefix() string { return k.prefix }

// Graph returns the key of the pointer to the job's graph.
func (k JobKeys) Graph() string { return k.prefix + string(FieldGraph) }

// State returns the key of the job's lifecycle state.
func (k JobKeys) State() string { return k.prefix + string(FieldState) }

// Attempt returns the key of the last attempt allotted.
func (k JobKeys) Attempt() string { return k.prefix + string(FieldAttempt) }

// AttemptFloor returns the key of the first attempt of the last deployment of the whole job: those below are over.
func (k JobKeys) AttemptFloor() string { return k.prefix + string(FieldAttemptFloor) }

// AttemptRegions returns the key of the attempts of all regions.
func (k JobKeys) AttemptRegions() string { return k.prefix + string(FieldAttemptRegions) }

// Placement returns the key of the task managers that have tasks of the job. It is no more than a hint: nothing is decided
// by it but how long somebody is waited for.
func (k JobKeys) Placement() string { return k.prefix + string(FieldPlacement) }

// CheckpointNext returns the key of the next checkpoint id.
func (k JobKeys) CheckpointNext() string { return k.prefix + string(FieldCheckpointNext) }

// CheckpointLatest returns the key of the last complete checkpoint.
func (k JobKeys) CheckpointLatest() string { return k.prefix + string(FieldCheckpointLatest) }

// Savepoints returns the key of the list of savepoints.
func (k JobKeys) Savepoints() string { return k.prefix + string(FieldSavepoints) }

// Abort returns the key of the decision that the checkpoint never completes.
func (k JobKeys) Abort(id types.CheckpointID) string {
	return fmt.Sprintf("%s%s/%020d", k.prefix, FieldAbort, uint64(id))
}

// AbortPrefix returns the prefix of the job's abort decisions.
func (k JobKeys) AbortPrefix() string { return k.prefix + string(FieldAbort) + "/" }

// Delete returns the key of a deletion's intent; ErrInvalid if the name cannot be one part of a key.
func (k JobKeys) Delete(name string) (string, error) {
	if err := checkPart(name); err != nil {
		return "", fmt.Errorf("delete intent: %w", err)
	}
	return k.DeletePrefix() + name, nil
}

// Enumerator returns the key of the state of a source's enumerator; ErrInvalid if the vertex cannot be one part of a key.
func (k JobKeys) Enumerator(v types.VertexID) (string, error) {
	if err := checkPart(string(v)); err != nil {
		return "", fmt.Errorf("enumerator of vertex: %w", err)
	}
	return k.EnumeratorPrefix() + string(v), nil
}

// EnumeratorPrefix returns the prefix of the states of the job's enumerators.
func (k JobKeys) EnumeratorPrefix() string { return k.prefix + string(FieldEnumerator) + "/" }

// DeletePrefix returns the prefix of the job's deletion intents.
func (k JobKeys) DeletePrefix() string { return k.prefix + string(FieldDelete) + "/" }

// JobKey is a parsed key of a job.
type JobKey struct {
	Job   types.JobID
	Field JobField
	// Name is what follows FieldDelete or FieldEnumerator.
	Name string
	// Checkpoint is what follows FieldAbort.
	Checkpoint types.CheckpointID
}

// ParseJobKey takes a key of a job apart; ErrInvalid if JobKeys does not build it.
func ParseJobKey(key string) (JobKey, error) {
	if rest, ok := strings.CutPrefix(key, jobsPrefix); ok {
		job, field, _ := strings.Cut(rest, "/")
		if keys, err := ForJob(types.JobID(job)); err == nil {
			if parsed, ok := keys.parseField(JobField(field)); ok {
				parsed.Job = types.JobID(job)
				return parsed, nil
			}
		}
	}
	return JobKey{}, fmt.Errorf("%w: %q is not the key of a job", ErrInvalid, key)
}

func (k JobKeys) parseField(field JobField) (JobKey, bool) {
	if slices.Contains(plainFields, field) {
		return JobKey{Field: field}, true
	}
	if name, ok := strings.CutPrefix(string(field), string(FieldDelete)+"/"); ok {
		_, err := k.Delete(name)
		return JobKey{Field: FieldDelete, Name: name}, err == nil
	}
	if name, ok := strings.CutPrefix(string(field), string(FieldEnumerator)+"/"); ok {
		_, err := k.Enumerator(types.VertexID(name))
		return JobKey{Field: FieldEnumerator, Name: name}, err == nil
	}
	if digits, ok := strings.CutPrefix(string(field), string(FieldAbort)+"/"); ok {
		n, err := strconv.ParseUint(digits, 10, 64)
		id := types.CheckpointID(n)
		return JobKey{Field: FieldAbort, Checkpoint: id}, err == nil && k.Abort(id) == k.prefix+string(field)
	}
	return JobKey{}, false
}

// CheckKey returns ErrInvalid unless key is parts joined by single slashes, each out of letters, digits and "_-.=" and
// beginning with a letter, digit or "_". Stores call it for every key.
func CheckKey(key string) error {
	if len(key) > KeyBytesMax {
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrInvalid, len(key), KeyBytesMax)
	}
	for part := range strings.SplitSeq(key, "/") {
		if err := checkPart(part); err != nil {
			return fmt.Errorf("%w in key %q", err, key)
		}
	}
	return nil
}

// CheckPrefix returns ErrInvalid unless prefix is empty or could begin a key.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(strings.TrimSuffix(prefix, "/"))
}

func checkPart(part string) error {
	if part == "" {
		return fmt.Errorf("%w: empty part", ErrInvalid)
	}
	for i := range len(part) {
		c := part[i]
		word := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
		if !word && (i == 0 || c != '-' && c != '.' && c != '=') {
			return fmt.Errorf("%w: byte %q", ErrInvalid, c)
		}
	}
	return nil
}
