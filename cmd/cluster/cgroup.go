package cluster

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// cgroupMemory returns the least memory limit of the process's control groups, of
// either version, and of those above them; 0 where there is none. root is the
// machine's file system.
func cgroupMemory(root fs.FS) (least int64) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(groups)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case id == "0" && controllers == "":
			least = lesser(least, limitAbove(root, "sys/fs/cgroup", group, "memory.max"))
		case controllers == "memory":
			least = lesser(least, limitAbove(root, "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
		}
	}
	return least
}

// limitAbove returns the least limit of a group and of those above it. Within a
// container the group's path may be the host's, and not there: the root is.
func limitAbove(root fs.FS, mount, group, file string) (least int64) {
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		text, err := fs.ReadFile(root, path.Join(mount, group, file))
		if err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				least = lesser(least, n)
			}
		}
		if group == "/" {
			return least
		}
	}
}

// lesser returns the lesser of two limits, of which 0 is none.
func lesser(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
