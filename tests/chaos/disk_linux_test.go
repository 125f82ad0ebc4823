package chaos

import (
	"fmt"
	"syscall"
)

func mountSmall(dir string, bytes int) error {
	return syscall.Mount("millrace-chaos", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
