// Package realetcd runs etcd as processes for tests: one member, or a cluster of several, on loopback or on a host of netns.
//
// An etcd inside the test's own process shares its fate and its clock; what a store does when the leader of three members
// is killed, paused and comes back needs processes. They are of the client's version, from the module tests/servers, and
// write with fsync, so that what they acknowledged survives SIGKILL.
//
// Start gives a test its cluster and ends it with the test; Launch is the same without a test. Members keep their ports
// and folders through Kill, Stop and Restart.
package realetcd
