package checkpoint

import (
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
)

// FormatVersion is the version of manifests that this code writes, and the only one that it reads.
const FormatVersion = 1

// Describe prints the shape of a manifest on one line, for scripts and logs.
func Describe(m *checkpointv1.Manifest) string { return "" }

// Validate tells everything that is wrong with a manifest: its version and ids, gaps in its lists, files without
// checksums or out of their chains, key groups that no task or several have. A manifest that passes can be restored at
// any parallelism. The error is internal.
func Validate(m *checkpointv1.Manifest) error { return nil }

// Unreferenced returns the objects that a dropped manifest names and no retained one does, in order: what may be deleted
// once the dropped ones count no more. The manifests' own keys are not among them. Pass every retained manifest: a
// missing one loses state.
func Unreferenced(dropped, retained []*checkpointv1.Manifest) []string { return nil }
