// Package command is what the millrace binary does, and any other binary that is one: a cluster on this machine (local), one job and its outcome (run), and the jobs of a
// cluster (job).
//
// Each command has a file of its own, which makes the cobra command and calls what does the work; what several share is
// in the packages beside: config, client, progress, standalone, supervise. A command returns an error and prints none: main says what
// went wrong, with a hint where there is one, and turns the error's class into the exit code.
//
//	0    done
//	1    it did not work out: the job failed, the cluster does not answer
//	2    the user has to change something: flags, configuration, the job graph, an id
//	130  interrupted
//
// Built with -tags invariants, the command arms the crash point that MILLRACE_CRASH_POINT names (package crash): the
// process then ends there as by kill -9. MILLRACE_CLOCK_OFFSET makes its clock wrong (package clock). Any other build
// refuses to start while one of these variables is set.
package command
