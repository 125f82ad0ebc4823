package cache

const (
	// freePercent of the disk stays free: beyond it nothing is kept here any more.
	freePercent = 10
	// filesMax bounds the files of a cache; a folder with more is thinned out.
	filesMax = 1 << 16
	// hashBytes is how much of a file is read at a time for its checksum.
	hashBytes = 1 << 20
)
