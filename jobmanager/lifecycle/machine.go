package lifecycle

import "millrace/jobgraph"

// Config says for which job a Machine works.
type Config struct {
	Restart jobgraph.RestartSpec
	// Seed makes the jitter of delays; give each job another.
	Seed uint64
}

// Machine is the lifecycle of one job. Make it with New. It is owned by one goroutine.
type Machine struct {
	cfg   Config
	state State
}

// New returns a machine in state Created. Its first event is Start or Recovered.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, state: Created} }

// State returns where the job stands.
func (m *Machine) State() State { return m.state }

// Step takes one event in and returns what is to be done, in order. It keeps no reference to the returned slice.
func (m *Machine) Step(ev Event) []Effect { return nil }
