// Package realkafka runs a real Apache Kafka broker for tests, benchmarks and demonstrations, on loopback or on a host of
// netns.
//
// A fake broker answers what its author thought of; some of our promises rest on what Kafka itself does, above all on
// what its transaction coordinator answers after a crash. This package starts the real thing from
// deploy/kafka/broker.sh: one node that is broker and controller, fetched from Maven Central at the first use.
//
// The caller gives a folder (Launch) or a test (Start), and gets a Broker that can be killed with SIGKILL and
// restarted on the same data and ports. Nothing outlives its owner: each child dies with its parent (on Linux, where
// the kernel sees to it), and Close or the test's clean-up ends it by process id before that.
//
// Goroutines: one for each running child process, which starts it, waits for it and ends with it. It keeps its
// operating system thread for as long, because Linux ties a child's death signal to the thread that started it.
//
// A broker killed within milliseconds of answering EndTxn may forget to write the commit markers when it comes back (see
// docs/design/0002-kafka-transactions.md): a test that kills it waits for its transactions to be readable first.
//
// It is not a model of a cluster: there is one replica of everything, and a broker that is down is down for everyone.
package realkafka
