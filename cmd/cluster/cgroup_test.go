package cluster

import (
	"testing"
	"testing/fstest"

	"millrace/failure"
)

func TestCgroupMemory(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, 0},
		{"version 2, no limit", map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		{"version 2, the group above has less", map[string]string{
			"proc/self/cgroup": "0::/pods/a\n", "sys/fs/cgroup/pods/a/memory.max": "4000\n", "sys/fs/cgroup/pods/memory.max": "3000\n",
		}, 3000},
		{"a container that sees the host's path", map[string]string{
			"proc/self/cgroup": "0::/../../kubepods/x\n", "sys/fs/cgroup/memory.max": "2000\n",
		}, 2000},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/b\n4:memory:/b\n0::/\n",
			"sys/fs/cgroup/memory/b/memory.limit_in_bytes":      "1000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":        "9223372036854771712\n",
			"sys/fs/cgroup/cpu,cpuacct/b/memory.limit_in_bytes": "1\n",
		}, 1000},
		{"nonsense", map[string]string{"proc/self/cgroup": "nonsense\n:\n0::\n", "sys/fs/cgroup/memory.max": "12 apples"}, 0},
	} {
		files := fstest.MapFS{}
		for name, text := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := cgroupMemory(files); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

func TestPlanMemory(t *testing.T) {
	const memory = 1000
	for _, c := range []struct {
		name string
		o    MemoryOptions
		want int64
		bad  bool
	}{
		{"a part of what there is", MemoryOptions{Fraction: 0.4, TaskManagers: 1}, 400, false},
		{"shared by two", MemoryOptions{Fraction: 0.4, TaskManagers: 2}, 200, false},
		{"no part of it", MemoryOptions{Fraction: 0, TaskManagers: 1}, 0, true},
		{"all of it", MemoryOptions{Fraction: 1, TaskManagers: 1}, 0, true},
		{"so much", MemoryOptions{Managed: 800, Fraction: 0.4, TaskManagers: 1}, 800, false},
		{"more than there is room for", MemoryOptions{Managed: 801, Fraction: 0.4, TaskManagers: 1}, 0, true},
		{"more than there is room for twice", MemoryOptions{Managed: 401, Fraction: 0.4, TaskManagers: 2}, 0, true},
	} {
		got, err := planMemory(c.o, memory)
		if got != c.want || (err != nil) != c.bad || c.bad && failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: %d bytes, %v", c.name, got, err)
		}
	}
}
