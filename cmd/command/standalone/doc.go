// Package standalone is a cluster on one machine as the commands run it: what package cluster starts, with a broker inside
// the process unless one is named, and beside it a port for whoever operates it: metrics for Prometheus, profiles and
// gRPC reflection with the job service, so that tools that know no .proto files can speak to it.
//
// The broker inside keeps its topics in the working folder but promises nothing about a crash: a transaction that was
// prepared when the process died is lost, and the job that wrote it stops and says so. Everything else is on disk with
// fsync: a process that is killed and started again on its folder goes on with its jobs.
//
// Close ends everything in the order opposite to Start and waits for it.
package standalone
