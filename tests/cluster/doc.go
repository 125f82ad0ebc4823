// Package cluster holds tests of a cluster of processes as people run it: the millrace binary in every role, with real
// servers of etcd and S3. They are about what is refused or waited for, and what is said about it. What becomes of
// results when processes die is the matter of package exactlyonce.
package cluster
