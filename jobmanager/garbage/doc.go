// Package garbage decides which objects of a job nobody needs any more, and
// deletes them.
//
// Checkpoints that are superseded are deleted one by one, by an intent that
// their successor's transaction wrote. What that leaves behind is collected
// here: chunks whose checkpoint never became complete, chunks and manifests of
// attempts that crashed, graphs of submits that came twice, and whatever a job
// leaves that has ended.
//
// # What is garbage
//
// Roots says what a job may still need, and Roots.Garbage decides about each
// object by its key alone:
//
//   - A chunk is garbage if its attempt is earlier than those with which the
//     whole job was deployed last, and no retained manifest names it.
//   - A manifest is garbage if its attempt is as early and the manifest is not
//     retained.
//   - A graph is garbage if it is not the one that the job's record names.
//   - Where the job has ended there is no last attempt: all chunks and manifests
//     are garbage but those of the checkpoints that are kept.
//   - Results of a query are garbage if the job is forgotten. Before that package
//     blobstore/results deletes them, as they are fetched.
//   - Savepoints are never garbage, nor is a key that package blobstore did not
//     build or that is another job's.
//
// Objects of an age below Roots.OldBefore stay, whatever they are.
//
// # Why nothing is deleted that a manifest may yet name
//
// Being garbage is for ever. An attempt is restored from a retained manifest and
// writes manifests that name its own chunks and, of older ones, what the
// manifest before named: a task's chain of files loses files and gains its own,
// and never gets one back. So the old chunks that the last attempts may still name
// are those of the latest manifest, which is retained, and their own are
// protected by their numbers; regions that restart alone have later ones. An
// earlier attempt writes no manifest that counts: its coordinator was closed
// before the whole job got the next ones, or its leader's term had ended, and
// with that its transactions are refused. What later attempts
// name is, by the same reasoning, retained now or written later. So whoever
// once knew true roots may delete by them at any time after:
//
//   - A crash in the middle leaves garbage for the next sweep. Nothing refers to
//     it, so no order of deletion is wrong.
//   - A leader that was deposed, and deletes on, deletes what its successor
//     would delete. Sweep asks its fence before each page all the same, so that it
//     stops soon. Two sweeps at a time are two such leaders.
//   - An upload of an attempt that is over may end behind the sweep. It is
//     garbage for the next.
//
// This rests on keys that are never used twice, which package blobstore's unique
// parts see to: a job that is forgotten, and submitted again under the same id,
// has other keys than those that an old sweep has listed.
//
// # What the caller owes
//
// The first of the last attempts is read before the retained manifests, and every one
// of these is read whole. In the other order an attempt could begin, complete
// checkpoints and end between two reads, and its chunks be in neither. That a
// job has ended is what the coordination store says: it is final, and it is the
// intent by which the job's checkpoints go.
//
// # What it is not
//
// It does not look for jobs that have no record: where two clusters share a
// blob store, the other's jobs have none here. What an attempt leaves while it is
// one of the last, by checkpoints that fail, stays until the whole job's next or the
// job's end.
//
// The package starts no goroutine.
package garbage
