package realserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// isStopped reports whether every thread of the process stands still. The signal reaches them one after the other, and
// one that it has not reached yet may still answer a request.
func isStopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has just ended
		}
		// The state follows the name, which is in parentheses and may contain anything.
		if _, state, ok := bytes.Cut(text[max(bytes.LastIndexByte(text, ')'), 0):], []byte(" ")); !ok || len(state) == 0 || state[0] != 'T' {
			return false
		}
	}
	return true
}
