package config

import "millrace/cmd/cluster"

// Memory returns what the state of so many task managers in this process may take.
func (c Config) Memory(taskManagers int) cluster.MemoryOptions {
	return cluster.MemoryOptions{Managed: c.Bytes(ManagedSize), Fraction: c.Double(ManagedFraction), TaskManagers: taskManagers}
}

// LocalStateBytes returns what state files on a task manager's disk may take; 0 is none at all.
func (c Config) LocalStateBytes() int64 {
	if !c.Bool(LocalRecovery) {
		return 0
	}
	return c.Bytes(LocalSize)
}

// State returns where the state of task managers lives beyond their memory.
func (c Config) State() cluster.StateOptions {
	return cluster.StateOptions{
		Badger: c.Text(StateBackend) == BackendBadger, Spill: c.Bool(StateSpill), Dir: c.Text(StateDir), DiskBytes: c.Bytes(StateDiskSize),
	}
}
