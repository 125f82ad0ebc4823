// Package examples runs the programs of the folder examples as their users would: on
// a cluster of processes whose task managers are the program's own binary, with a real
// broker. In the middle a task manager is killed; the output, read by Kafka's own consumer, must be
// what a plain model makes of the input.
package examples
