package netns

import "time"

const (
	// networksMax is how many networks one machine has at a time.
	networksMax = 64
	// hostsMax is how many hosts a network has; it follows from the width of their addresses.
	hostsMax = 200
	// commandLimit bounds a command that changes the network.
	commandLimit = 30 * time.Second
	// installLimit bounds the installation of missing commands over a slow line.
	installLimit = 5 * time.Minute
	// burstBytes is what a narrow link lets through at once, and queueMillis how long a packet may wait before it.
	burstBytes, queueMillis = 32 << 10, 200
	// dialLimit bounds a proxy's dial. A cut is silence.
	dialLimit = 10 * time.Second
	// A proxy holds at most so many chunks of each direction of a connection.
	chunksMax, chunkBytes = 64, 16 << 10
	// firstPort is where the ports begin that hosts give away, below those of outgoing connections.
	firstPort = 20000
)
