// Command bench measures whole jobs and prints a line of JSON a run.
//
//	go run ./bench                                  every run
//	go run ./bench -parallelism 1 -preaggregation on
//	go run ./bench -scenario keys
//	go run ./bench -scenario crossing -parallelism 1
//	go run ./bench -bids 500000000 -rate 10000
//
// Each run starts a cluster in this process (job manager, etcd with fsync, two
// task managers, checkpoints on local disk), submits the job and waits for its
// end. The clock runs from the moment at which the sources are ready, with
// their batches prepared, to the end of the job, last checkpoint included. CPU
// time is that of this process and its children, by getrusage: everything
// counts, also the garbage collector and the look at the result.
//
// The job is bids (all seven columns, at least two million distinct ones, given
// again and again at later times) -> count, sum and maximum of the price for each
// auction and tumbling window of 10 s -> a sink that keeps a checksum. After the
// clock has stopped the checksum is compared with that of a direct computation
// from the generator's bids; a run whose answer is wrong is an error.
//
// The scenario keys is the same job over a million distinct auctions in one open
// window: what the process takes, and what its checkpoints write, first when
// every key changes between two of them, then when one in a hundred does. The
// source gives the next keys when a barrier has passed, so the figures do not
// hang on the machine's speed; its rates mean nothing, and are not printed.
//
// The scenario crossing runs the main job without pre-aggregation over task
// managers that are processes of their own, one for each task: sources have a slot
// sharing group of their own, so every row, with all of its seven columns, goes
// through gRPC from one process to another, which is checked. CPU time is that of
// the task managers' processes.
//
// The scenario recovery grows the state of the main job by auction and bidder, in
// windows that stay open, in task managers that are processes; kills one of them,
// starts another in its place 0.2 s later, and tells how long it was until every
// task ran again, and until the next checkpoint was complete.
//
// The scenario backpressure runs bids, dealt out twice, to a sink that is 100 times
// slower than the source was with a sink that takes all, and tells how long
// checkpoints take when every channel is full: first with barriers that are aligned,
// then with barriers that overtake after a second. The sink takes a batch at a time,
// and a checkpoint waits for the rows that it has taken.
//
// The scenario refusals reads SQL that is none, too long or too deep, and tells how
// long each error takes and what memory.
//
// Figures compare on one machine, side by side; machines and neighbours differ.
package main
