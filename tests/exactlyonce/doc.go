// Package exactlyonce proves the main promise on a real broker: every input record changes the committed output exactly
// once, whatever is killed, taken away, cut off or damaged in between.
//
// The tests run the main job (bids per auction in windows of 10 s) on a whole cluster, in a process of its own where that
// process is to be killed, write its input with a client that is not the engine's, read its output with Kafka's own
// console consumer, and compare record by record with a model that is a map and a loop. They share nothing with the
// engine but topics and the public job service.
//
// A process that was killed waits some eight seconds for the leadership of its predecessor to expire, so tests that kill
// processes run beside one another.
//
// Disasters strike a platform of processes, as it runs on machines. Those of processes and servers do on loopback, those of
// the network between hosts that are network namespaces (internal/testutil/netns), which need Linux and root.
//
// Nothing waits for time to pass, but where a disaster is that something lasts. A test waits for what the job has committed
// or says of itself; the moments of kills are drawn from the seed that the log names.
package exactlyonce
