// Package demo shows exactly-once on one machine in about a minute, and proves it.
//
// It generates bids into a Kafka topic with one job, counts them per auction and window into another topic with the main
// job, and ends a task manager without goodbye in the middle: behind a completed checkpoint, before the end of the input.
// When the job has finished it reads both topics itself, computes from the input what every window must hold, and compares:
// none missing, none twice, none different.
//
// The proof shares nothing with the engine but the topics: it reads by a client of its own, parses with encoding/json and
// counts in a map. Nothing waits for time to pass; every step waits for an event of the job.
package demo
