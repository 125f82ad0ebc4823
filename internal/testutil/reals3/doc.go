// Package reals3 runs a real S3 server as a process for tests, on loopback or on a host of netns: versitygw, which keeps objects as files, from
// the module tests/servers. It keeps to If-None-Match on puts and on completions of uploads in parts, atomically.
//
// Start gives a test its server and ends it with the test; Launch is the same without a test. A server keeps its port and
// folder through Kill, Stop and Restart. It promises nothing about power failures: it does not fsync.
package reals3
