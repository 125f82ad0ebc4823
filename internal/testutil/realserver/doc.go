// Package realserver builds servers of the module tests/servers and runs them as child processes for tests, on loopback or
// on a host of netns.
// It is what realetcd and reals3 have in common: a program, its folder, its life and its log.
//
// The servers are built from a module of their own, since what they need would move versions of the product, and run as
// processes, since only a process can be killed, paused and found in the state in which it died. The first build on a
// machine takes minutes; Go's build cache makes the later ones a matter of a second.
//
// Nothing outlives its owner: each child dies with its parent (on Linux, where the kernel sees to it, also when it is
// paused), and Close ends it by process id before that.
//
// Goroutines: one for each running child, which starts it, waits for it and ends with it. It keeps its operating system
// thread for as long, because Linux ties a child's death signal to the thread that started it.
package realserver
