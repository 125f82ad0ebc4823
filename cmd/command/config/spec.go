package config

import (
	"millrace/options"
)

// The keys.
const (
	WorkingDir = "process.working-dir"

	TaskSlots    = "taskmanager.numberOfTaskSlots"
	TaskManagers = "minicluster.number-of-taskmanagers"
	// LocalJobManagers is how many a local cluster of processes has.
	LocalJobManagers = "minicluster.number-of-jobmanagers"

	BindAddress  = "rest.bind-address"
	Address      = "rest.address"
	Port         = "rest.port"
	AdminAddress = "admin.address"
	InsecureBind = "security.insecure-bind"

	Brokers         = "kafka.bootstrap.servers"
	EmbeddedBroker  = "kafka.embedded.port"
	EmbeddedTopics  = "kafka.embedded.topics"
	StateBackend    = "state.backend.type"
	StateSpill      = "state.backend.columnar.spill-to-disk"
	StateDir        = "state.backend.badger.localdir"
	StateDiskSize   = "state.backend.badger.size-based-limit"
	ClusterID       = "high-availability.cluster-id"
	EtcdEndpoints   = "high-availability.etcd.endpoints"
	EtcdUser        = "high-availability.etcd.username"
	EtcdPassword    = "high-availability.etcd.password"
	Advertised      = "jobmanager.rpc.advertised-address"
	JobManagers     = "jobmanager.rpc.addresses"
	TaskManagerID   = "taskmanager.resource-id"
	DataBind        = "taskmanager.data.bind-address"
	DataAdvertised  = "taskmanager.data.advertised-address"
	Labels          = "taskmanager.labels"
	DrainTimeout    = "taskmanager.drain-timeout"
	CancelTimeout   = "task.cancellation.timeout"
	LocalRecovery   = "execution.state-recovery.from-local"
	LocalSize       = "execution.checkpointing.local-backup.size-based-limit"
	ManagedSize     = "taskmanager.memory.managed.size"
	ManagedFraction = "taskmanager.memory.managed.fraction"
	ResourceWait    = "jobmanager.adaptive-scheduler.submission.resource-wait-timeout"
	ResourceSettle  = "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout"
	RescaleCooldown = "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling"
	MinIncrease     = "jobmanager.adaptive-scheduler.min-parallelism-increase"
	EndedJobs       = "jobstore.max-capacity"
	ScrubInterval   = "jobmanager.scrub.interval"
	ScrubRate       = "jobmanager.scrub.bytes-per-second"
	CheckpointDir   = "execution.checkpointing.dir"
	oldCheckpoints  = "state.checkpoints.dir"
	Parallelism     = "parallelism.default"
	MaxParallelism  = "pipeline.max-parallelism"
	WatermarkEvery  = "pipeline.auto-watermark-interval"
	BufferTimeout   = "execution.buffer-timeout.interval"
	Interval        = "execution.checkpointing.interval"
	MinPause        = "execution.checkpointing.min-pause"
	Timeout         = "execution.checkpointing.timeout"
	Tolerable       = "execution.checkpointing.tolerable-failed-checkpoints"
	Retained        = "execution.checkpointing.num-retained"
	Unaligned       = "execution.checkpointing.unaligned.enabled"
	AlignedTimeout  = "execution.checkpointing.aligned-checkpoint-timeout"
	Restart         = "restart-strategy.type"
	FixedAttempts   = "restart-strategy.fixed-delay.attempts"
	FixedDelay      = "restart-strategy.fixed-delay.delay"
	InitialBackoff  = "restart-strategy.exponential-delay.initial-backoff"
	MaxBackoff      = "restart-strategy.exponential-delay.max-backoff"
	BackoffReset    = "restart-strategy.exponential-delay.reset-backoff-threshold"
	BackoffAttempts = "restart-strategy.exponential-delay.attempts-before-reset-backoff"

	LogLevel = "log.level"
)

// The state backends.
const (
	BackendColumnar = "columnar"
	BackendBadger   = "badger"
)

// The restart strategies, by Flink's names.
const (
	RestartExponential = "exponential-delay"
	RestartFixed       = "fixed-delay"
	RestartNone        = "none"
)

// Spec declares every key of a millrace process.
var Spec = options.Join("the configuration", processSpec, jobSpec)

var processSpec = options.Spec{Options: []options.Option{
	{Key: WorkingDir, Doc: "Where a local cluster keeps what must survive it: etcd, checkpoints, the embedded broker. " +
		"One process at a time may have it.", Example: "millrace-data"},
	{Key: TaskManagers, Type: options.Int, Default: "2", Min: "1", Max: "64", Doc: "How many task managers a local cluster has."},
	{
		Key: LocalJobManagers, Type: options.Int, Default: "1", Min: "1", Max: "16",
		Doc: "How many job managers a local cluster of processes (`--processes`) has: one leads, the others stand by.",
	},
	{
		Key: TaskSlots, Type: options.Int, Default: "2", Min: "1", Max: "1024",
		Doc: "How many slots a task manager has. A slot runs one task of every vertex of a job that is of one slot sharing group.",
	},
	{Key: BindAddress, Default: "127.0.0.1", Doc: "The address on which a cluster serves its clients."},
	{Key: Address, Default: "127.0.0.1", Doc: "The address under which commands look for a cluster that they are not told."},
	{
		Key: Port, Type: options.Int, Default: "8081", Min: "0", Max: "65535",
		Doc: "The port on which a cluster serves its clients, by gRPC, and where commands look for it. 0 takes any that is free.",
	},
	{
		Key: AdminAddress, Default: "127.0.0.1:0",
		Doc: "Where a local cluster serves metrics for Prometheus, profiles and gRPC reflection. Port 0 takes any that is free.",
	},
	{
		Key: InsecureBind, Type: options.Bool, Default: "false",
		Doc: "Whether addresses beyond loopback may be bound, though there is neither encryption nor authentication: everybody who reaches them may run jobs.",
	},
	{
		Key: Brokers, Doc: "Kafka brokers, separated by commas. Sources and sinks that name none use these, and a local cluster then has no broker of its own.",
		Example: "localhost:9092",
	},
	{
		Key: EmbeddedBroker, Type: options.Int, Default: "0", Min: "0", Max: "65535",
		Doc: "The port of a local cluster's own broker, which promises no durability. 0 takes any that is free.",
	},
	{Key: EmbeddedTopics, Type: options.List, Doc: "Topics that a local cluster's own broker has from the start, with two partitions each. " +
		"The run command adds those that its job writes.", Example: "bids;bids-per-auction"},
	{Key: LogLevel, Type: options.Enum, Values: []string{"debug", "info", "warn", "error"}, Doc: "What is logged; each command has a default of its own."},
	{
		Key: EndedJobs, Type: options.Int, Default: "256", Min: "1", Max: "1000",
		Doc: "How many jobs that have ended are remembered. Of older ones everything is deleted, also the checkpoints that a failed or stopped job keeps.",
	},
	{
		Key: ScrubInterval, Type: options.Duration, Default: "1 h",
		Doc: "How long after a look through the files of retained checkpoints the next one begins. Damage is shown by `job show`. 0 looks at none.",
	},
	{Key: ScrubRate, Type: options.MemorySize, Default: "16 mb", Min: "64 kb", Doc: "How much of those files is read in a second."},
	{Key: ClusterID, Default: "default", Doc: "Name of the cluster. Job managers of one name share its jobs, and one of them leads."},
	{Key: EtcdEndpoints, Type: options.List, Doc: "Where the servers of etcd are that elect the leader and know the jobs.", Example: "10.0.0.1:2379;10.0.0.2:2379;10.0.0.3:2379"},
	{Key: EtcdUser, Doc: "User of etcd, where it wants one."},
	{Key: EtcdPassword, Secret: true, Doc: "That user's password."},
	{Key: Advertised, Doc: "Address under which clients and task managers reach a job manager, if it is not the one that it binds.", Example: "10.0.0.1:8081"},
	{Key: JobManagers, Type: options.List, Doc: "Addresses of the cluster's job managers, for task managers. One that leads, or knows who does, is enough.", Example: "10.0.0.1:8081;10.0.0.2:8081"},
	{Key: TaskManagerID, Doc: "Id of a task manager, no other's in its cluster. By default the host's name and random digits."},
	{Key: DataBind, Default: "127.0.0.1:0", Doc: "Where a task manager takes rows from others. Port 0 takes any that is free."},
	{Key: DataAdvertised, Doc: "Address under which other task managers reach that, if it is not the one that is bound.", Example: "10.0.0.7:7000"},
	{Key: Labels, Type: options.List, Doc: "Labels of a task manager.", Example: "zone=a;disk=ssd"},
	{
		Key: ManagedSize, Type: options.MemorySize, Min: "16 mb",
		Doc: "Memory for the state of one task manager, which its slots share evenly. What exceeds it goes to local disk (" + StateSpill + "). " +
			"At most 80 % of the memory. By default " + ManagedFraction + " says it.",
		Example: "4 gb",
	},
	{
		Key: ManagedFraction, Type: options.Double, Default: "0.4",
		Doc: "Part of the machine's or the container's memory that is for state, where " + ManagedSize + " does not say, at most 0.8; " +
			"task managers of one process share it. The collector's limit (GOMEMLIMIT) is that and another 20 % of the memory.",
	},
	{
		Key: LocalRecovery, Type: options.Bool, Default: "true",
		Doc: "Whether a task manager keeps state files on its own disk too, and reads them there when tasks start again. It costs one more write in sequence " +
			"for each file; a file is used only after its checksum was found to be right.",
	},
	{
		Key: LocalSize, Type: options.MemorySize, Default: "10 gb", Min: "1 mb",
		Doc: "What those files of a task manager may take together. Those used longest ago go first, and a tenth of the disk stays free whatever this says.",
	},
	{Key: DrainTimeout, Type: options.Duration, Default: "60 s", Doc: "How long a task manager that is told to end waits until its tasks run elsewhere."},
	{
		Key: CancelTimeout, Type: options.Duration, Default: "180 s",
		Doc: "How long tasks may take to end when they are cancelled. A task manager in which they take longer ends itself, because nothing else ends a function that does not return; 0 has it wait. Where all is in one process, the log alone says so.",
	},
	{Key: ResourceWait, Type: options.Duration, Default: "2 s", Doc: "How long a job waits for all the slots that it wants before it runs on fewer, at its start and after a failure."},
	{Key: ResourceSettle, Type: options.Duration, Default: "5 s", Doc: "How long slots that came must stay unchanged before a job that runs on fewer than it wants moves to them."},
	{Key: RescaleCooldown, Type: options.Duration, Default: "10 s", Doc: "How long a job runs at least before it moves by itself."},
	{Key: MinIncrease, Type: options.Int, Default: "1", Min: "1", Max: "32768", Doc: "How many more subtasks a vertex must gain for a running job to move by itself."},
	{
		Key: StateBackend, Type: options.Enum, Values: []string{BackendColumnar, BackendBadger}, Default: BackendColumnar,
		Doc: "Where state lives: columnar is in memory, and on local disk what has no room there; badger is on local disk, and in memory what was asked for since the last barrier.",
	},
	{
		Key: StateSpill, Type: options.Bool, Default: "true",
		Doc: "Whether a task manager of columnar state has a database on local disk for what exceeds the memory of a slot. A seventeenth of " + ManagedSize +
			", 58 to 232 MiB, is kept for it; with less than 73 MiB there is none. Without it, a job whose state needs more than its slots have fails.",
	},
	{Key: StateDir, Doc: "Folder for the databases of state on local disk. By default below " + WorkingDir + ". They are scratch: what a process left there, its successor removes.", Example: "/mnt/nvme/millrace"},
	{
		Key: StateDiskSize, Type: options.MemorySize, Min: "256 mb",
		Doc:     "What a task manager's state may take on local disk; then it says DISK_PRESSURE. By default a tenth of the disk stays free, which holds whatever this says.",
		Example: "100 gb",
	},
	{
		Key: CheckpointDir, Doc: "Where checkpoints go: a folder of this machine, as a path or file: URI. By default below " + WorkingDir + ".",
		Example: "file:///var/lib/millrace",
	},
	{Key: oldCheckpoints, Doc: "Where checkpoints go.", Deprecated: "use " + CheckpointDir + "."},
}}

// jobSpec has what jobs run with that leave it open.
var jobSpec = options.Spec{Options: []options.Option{
	{Key: Parallelism, Type: options.Int, Min: "1", Max: "32768", Doc: "Parallelism of jobs that name none. By default as many as the cluster has slots."},
	{Key: MaxParallelism, Type: options.Int, Min: "1", Max: "32768", Doc: "Key groups of jobs that name none: the largest parallelism they can ever have."},
	{Key: WatermarkEvery, Type: options.Duration, Min: "1 ms", Doc: "How often sources emit watermarks."},
	{Key: BufferTimeout, Type: options.Duration, Min: "1 ms", Doc: "How long rows wait for company before they are sent on."},
	{Key: Interval, Type: options.Duration, Default: "10 s", Doc: "Time between checkpoints of jobs that say nothing about them. 0 takes none."},
	{Key: MinPause, Type: options.Duration, Doc: "Least time between the end of a checkpoint and the next, for the same jobs."},
	{Key: Timeout, Type: options.Duration, Min: "1 ms", Doc: "Time after which a checkpoint is given up, for the same jobs."},
	{Key: Tolerable, Type: options.Int, Default: "0", Min: "0", Max: "1000000", Doc: "How many checkpoints in a row may fail before the same jobs restart."},
	{Key: Retained, Type: options.Int, Min: "1", Max: "1000", Doc: "How many completed checkpoints the same jobs keep."},
	{
		Key: Unaligned, Type: options.Bool, Default: "false",
		Doc: "Whether the barriers of the same jobs' checkpoints may overtake rows, which are stored with the checkpoint then: checkpoints are fast however slow a sink is.",
	},
	{Key: AlignedTimeout, Type: options.Duration, Default: "1 s", Doc: "How long a barrier waits behind rows before it overtakes them, for the same jobs. 0 is not at all."},
	{
		Key: Restart, Type: options.Enum, Values: []string{RestartExponential, RestartFixed, RestartNone}, Default: RestartExponential,
		Doc: "What follows a failure of jobs that say nothing about it.",
	},
	{Key: FixedAttempts, Type: options.Int, Min: "1", Max: "2147483647", Doc: "Restarts with " + RestartFixed + " before the job fails."},
	{Key: FixedDelay, Type: options.Duration, Doc: "Wait before each restart with " + RestartFixed + "."},
	{Key: InitialBackoff, Type: options.Duration, Doc: "Wait before the first restart with " + RestartExponential + "; each one after waits longer."},
	{Key: MaxBackoff, Type: options.Duration, Doc: "Longest wait with " + RestartExponential + "."},
	{Key: BackoffReset, Type: options.Duration, Doc: "How long a job must run until it waits no longer than at first."},
	{Key: BackoffAttempts, Type: options.Int, Min: "1", Max: "2147483647", Doc: "Restarts with " + RestartExponential + " before the job fails. By default there is no end."},
}}
