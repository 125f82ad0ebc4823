package clock

import (
	"fmt"
	"sync/atomic"
	"time"
)

// OffsetEnv is the variable that makes a process's clock wrong, for tests of machines that disagree about the time: a
// duration, such as -1h. The millrace command calls Offset with its value, in invariant builds only.
const OffsetEnv = "MILLRACE_CLOCK_OFFSET"

// offset is what both readings of System are wrong by, in nanoseconds.
var offset atomic.Int64

// Offset makes System wrong by what the text says, in the form of OffsetEnv; empty is right. It is called before anybody
// asks for the time: processing time would jump.
func Offset(text string) error {
	var d time.Duration
	if text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("clock offset %q: want a duration, such as -1h", text)
		}
	}
	offset.Store(int64(d))
	return nil
}
