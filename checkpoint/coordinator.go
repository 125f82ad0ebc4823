package checkpoint

// Coordinator takes the checkpoints of one attempt of a job. Make it with New. It is owned by one goroutine.
type Coordinator struct {
	cfg Config
}

// New returns a coordinator that waits for TasksRunning.
func New(cfg Config) *Coordinator { return &Coordinator{cfg: cfg} }

// Step takes one event in and returns what is to be done, in order. It keeps no reference to the returned slice.
func (c *Coordinator) Step(ev Event) []Effect { return nil }
