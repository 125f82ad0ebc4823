// Package upload brings frozen snapshots of a task to the blob store, beside
// processing, and keeps account of the chain of files that is the task's state.
// Small files do not become objects: they travel in the manifest. When a chain
// grows long it is merged into a base, in the background too. What goes to the store
// is kept on local disk as well (package cache), and read from there again.
//
// An Uploader owns two goroutines, one that uploads in order and one that
// merges; Close ends both and waits.
package upload
