package cluster

import (
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// TuneMemory sets how a process that runs tasks collects garbage, where the
// environment (GOGC, GOMEMLIMIT) does not say. State and batches hold no
// pointers, so that marking is cheap and the heap small beside them: collecting
// a quarter as often is worth its memory, up to 60 % of the machine's, from
// where the collector works as hard as it must. The rest is for mapped files.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	var info unix.Sysinfo_t
	if os.Getenv("GOMEMLIMIT") == "" && unix.Sysinfo(&info) == nil {
		debug.SetMemoryLimit(int64(info.Totalram) * int64(info.Unit) / 10 * 6)
	}
}
