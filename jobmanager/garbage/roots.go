package garbage

import (
	"strconv"
	"time"

	"millrace/blobstore"
	"millrace/internal/mutant"
	"millrace/types"
)

// Roots is what a job may still need of its objects. The package comment says
// in which order it is to be read.
type Roots struct {
	Job types.JobID
	// Ended says that no attempt of the job runs or ever will.
	Ended bool
	// Forgotten says that the job has ended and nobody will ask for it any more.
	Forgotten bool
	// Attempt is the first one that may not be over. It counts unless the job has ended.
	Attempt types.Attempt
	// Needed has the keys that the job's record and its manifests name: the graph,
	// the manifests that are kept, and all of their chunks.
	Needed map[string]bool
	// OldBefore is the time at which an object must have been there to be garbage.
	OldBefore time.Time
}

// Garbage tells whether nobody will ever need the object. It is pure: the same
// object and roots have the same answer.
func (r *Roots) Garbage(o blobstore.Info) bool {
	if r.Needed[o.Key] || !o.Modified.Before(r.OldBefore) {
		return false
	}
	if k, err := blobstore.ParseChunkKey(o.Key); err == nil {
		return k.Job == r.Job && r.over(k.Attempt)
	}
	if k, err := blobstore.ParseManifestKey(o.Key); err == nil {
		attempt, err := strconv.ParseUint(k.Unique, 10, 64)
		return err == nil && k.Job == r.Job && r.over(types.Attempt(attempt))
	}
	if k, _, _, err := blobstore.ParseSavepointChunk(o.Key); err == nil && mutant.On(mutant.SavepointCollected) {
		return k.Job == r.Job
	}
	if job, ok := blobstore.ResultOf(o.Key); ok {
		return r.Forgotten && job == r.Job
	}
	k, err := blobstore.ParseGraphKey(o.Key)
	return err == nil && k.Job == r.Job
}

// over tells whether an attempt writes nothing any more that could count.
func (r *Roots) over(a types.Attempt) bool { return r.Ended || a < r.Attempt }
