package catalog

// Bounds of a catalog's contents. A store refuses what goes beyond.
const (
	// NameCharsMax is the longest name, as in Flink.
	NameCharsMax = 256
	// ColumnsMax is the largest number of columns of a table or view.
	ColumnsMax = 4_096
	// CatalogsMax, DatabasesMax and ObjectsMax are how many of them there may be: in all, in a catalog, and in a database
	// (functions counted by themselves).
	CatalogsMax  = 1_000
	DatabasesMax = 10_000
	ObjectsMax   = 100_000
)
