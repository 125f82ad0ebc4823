// Package supervise keeps the processes of a cluster on one machine running: each is a role of the same program, started
// as a child, and started again when it died.
//
// A child says on its output where it serves, and the next one of its role is told to serve there again, so that whoever
// knows the address finds it. What it says, on either stream, goes to the log of its role; the end of that is shown when a
// child died. One that dies too often, or says that something of its configuration is wrong, ends the whole: Failed.
//
// Children do not outlive the process, whatever ends it (package internal/child). Close ends those that are left.
//
// # Goroutines
//
// Each role has one, from Start to Stop, and each of its children one that copies its output, which ends with the child.
package supervise
