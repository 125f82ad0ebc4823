// Package program tests programs (docs/design/0012-go-sdk.md) as processes: a cluster of millrace's own job manager and of task managers
// of two binaries, with a program's job, another job beside it, and everything that may go wrong with the functions of the one; and the upgrade of a
// program whose state has changed.
package program
