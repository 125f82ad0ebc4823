package keyed

const (
	// sweepRows is how many rows, for each batch, are looked at for those whose time has passed.
	sweepRows = 256
	// firstRows is the size of a first batch of rows whose length nobody knows.
	firstRows = 256
	// indexBits leaves the index of a full batch at most half full.
	indexBits = 14
)
