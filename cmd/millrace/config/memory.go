package config

import "millrace/cmd/cluster"

// Memory returns what the state of so many task managers in this process may take.
func (c Config) Memory(taskManagers int) cluster.MemoryOptions {
	return cluster.MemoryOptions{Managed: c.Bytes(ManagedSize), Fraction: c.Double(ManagedFraction), TaskManagers: taskManagers}
}
