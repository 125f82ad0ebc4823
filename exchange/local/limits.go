package local

// Bounds of a process's channels.
const (
	// ringPlaces is how many elements a ring holds without a flood of control, and
	// controlPlaces how many of them rows leave to control: at more batches than
	// the rest a producer has no credit.
	ringPlaces    = 64
	controlPlaces = 8
	rowPlaces     = ringPlaces - controlPlaces
	// ringPlacesMax is where a ring stops growing. Only control, which needs no
	// credit, gets it beyond ringPlaces; a consumer that lets so much of it pile
	// up is as good as dead, and the channel breaks.
	ringPlacesMax = 1024
	// channelsMax bounds the channels of a process.
	channelsMax = 1 << 20
	// retiredRegionsMax bounds the regions without channels of which a network still
	// knows which attempts are over.
	retiredRegionsMax = 4096
)
