package sim

// Times are milliseconds of simulated time.
const (
	// The cluster of every schedule.
	jobManagers    = 3
	taskManagers   = 4
	slotsEach      = 2
	keyGroups      = 16
	partitionsEach = 3

	// faultsFrom is when the first fault may strike, healAt when the last one is over and everything runs again.
	faultsFrom = 1_500
	healAt     = 40_000
	// progressWithin is how long after healing the job has until it has stopped behind its last checkpoint.
	progressWithin = 120_000
	// eventsMax bounds a schedule whatever happens in it.
	eventsMax = 3_000_000

	leaseTTL = 8_000
	// endingMax is how much longer than its lease a leader is away that is to lose it.
	endingMax = 6_000
	// stallMin and stallMax are how long disks stand still behind a takeover: one checkpoint times out, and the next
	// does not.
	stallMin         = checkpointTimeout + 1_000
	stallMax         = 2*checkpointTimeout - 1_500
	keepAliveEvery   = 2_000
	campaignEvery    = 400
	driverTick       = 100
	heartbeatEvery   = 1_000
	heartbeatTimeout = 6_000
	orphanTimeout    = 30_000
	redialEvery      = 300
	channelTimeout   = 5_000
	retryMin         = 100
	sessionMax       = 1 << 16

	// collectEvery is how often a leader looks for garbage, collectAge how old that must be.
	collectEvery = 7_000
	collectAge   = 4_000
	// chainMax is how long a task's chain of files grows before it is merged.
	chainMax = 4
	// copiesMax is how many tasks' state is copied at a time.
	copiesMax = 2
	// stateBudget is what a task's state may take where that is little: a good half of what it takes without a bound.
	stateBudget = 200 << 10
	// inlineMax is the largest file that goes into the manifest: small, so that most go to the blob store.
	inlineMax = 64

	checkpointEvery   = 1_000
	checkpointTimeout = 4_000
	transactionMax    = 120_000
	// transactionShort is the timeout in schedules that let transactions run out.
	transactionShort = 6_000

	windowMillis    = 2_000
	delayMillis     = 500
	discoveryMillis = 1_000
	auctions        = 24
)
