package results

const (
	// PartBytesMax bounds a part, so that it fits into a message to whoever fetches it.
	PartBytesMax = 48 << 20
	// deletesAtOnce is how many objects Discard deletes at a time.
	deletesAtOnce = 8
)
