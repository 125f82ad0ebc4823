package rank

const (
	// chunkRows is about how many rows of the table are read, and changes made, before what they give leaves: so much is in
	// memory beside the table. One partition is read whole where its ranks change, whatever its size.
	chunkRows = 4096
	// sweepRows is how many partitions, for each batch, are looked at for those whose time has passed.
	sweepRows = 256
	// searchRows is how many rows of equal order are read at once in search of the one to be taken back.
	searchRows = 64
	// arrivalBytes is what tells rows apart that the ORDER BY does not: their number within the partition.
	arrivalBytes = 8
)
