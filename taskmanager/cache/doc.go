// Package cache keeps state files on the task manager's own disk, beside those in
// the blob store, so that a restart of tasks where they ran reads from there.
//
// A file is named by its SHA-256, and the folder is the index: what a process that
// died has left behind is found by the next one on the folder, whatever died. A
// file is written under a name of its own and renamed, and read through once for
// its checksum before anybody may use it. So nothing here must be flushed, locked
// or repaired; a file that is damaged or gone is a miss, is counted, and is read from the blob
// store. The cache never fails a task, and no checkpoint needs it.
//
// It holds at most so many bytes and leaves part of the disk free. The file that
// was used longest ago goes first, those that a task has replaced before all others.
//
// A Cache has no goroutines and is safe for concurrent use. It is not a place for
// anything that is not in the blob store too.
package cache
