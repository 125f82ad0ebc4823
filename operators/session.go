package operators

import (
	"fmt"
	"hash/fnv"

	"millrace/expr/kernel"
)

// Session gives expressions the job's time zone, the task's time, and chance that no other task has.
func (c *Context) Session() kernel.Session {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s", c.Task, c.Operator)
	return kernel.Session{Zone: c.Zone, Now: c.Time.Now, Seed: h.Sum64() + uint64(c.Time.Now())}
}
