// Package remote has the channels between tasks of different processes: one gRPC
// stream for each ordered pair of task managers and job, on which many channels
// run with a credit of their own each.
//
// A Network serves one task manager process. Channels within the process go
// through the rings of package local; for the others, the producer's process
// dials the consumer's (a link), announces its channels, and sends nothing on
// them before they were accepted. The reader of a stream (an intake) never waits
// for a task, so a slow consumer stops neither its neighbours nor their barriers.
// The layout of a frame, the handshake and what happens when something breaks
// stand in docs/design/0003-exchange-remote.md.
//
// # Obligations
//
// Serve the network on a gRPC server made with ServerOptions, by Register. Stop
// the server before Close, or after; Close waits for every goroutine. Credentials
// come in DialOptions and the server's own options: a network trusts whoever it is
// connected to with no more than the memory of the channels that it opened.
//
// # Goroutines
//
// A link has one that dials and writes and, while connected, one that reads. An
// intake has its handler's, which writes, and one that reads. Tasks' calls never
// wait for any of them. Wakers are called without a lock held.
//
// Lock order: Network before link, Network before incoming before intake.
package remote
