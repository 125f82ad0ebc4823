package garbage

// DeletesMax is how many objects one sweep deletes; the next one goes on.
const DeletesMax = 10_000
