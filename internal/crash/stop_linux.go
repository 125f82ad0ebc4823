package crash

import (
	"os"
	"runtime"
	"syscall"
)

// stop stops the process right here. The signal goes to this very thread, which takes it before it does anything else. One to
// the process may be taken by another thread, and this one would meanwhile go on, for long enough to send what it had decided.
func stop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(syscall.SIGSTOP))
}
