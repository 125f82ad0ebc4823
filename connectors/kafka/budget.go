package kafka

import (
	"time"

	"millrace/failure"
	"millrace/jobgraph"
)

// restartAllowance is what a restart is counted for in the budget: finding the
// failure, placing the tasks, restoring their state.
const restartAllowance = time.Minute

// CheckBudget refuses, at submit, an exactly-once sink whose transactions could
// time out though everything goes as well as the job says it may: (failures
// tolerated + 1) × interval + checkpoint timeout + restart must fit into half of
// the transaction timeout. It also refuses to tolerate more failed checkpoints
// than a subtask has transactional ids for. Sinks of other guarantees pass.
func (c *Connector) CheckBudget(spec jobgraph.CheckpointSpec, given map[string]string) error {
	v, err := c.parse(sinkSpec, given)
	if err != nil {
		return err
	}
	opts, err := parseSink(v)
	if err != nil || opts.guarantee != guaranteeExactlyOnce {
		return err
	}
	if spec.Interval <= 0 {
		return failure.Userf("%s = %s: transactions are committed by checkpoints, and the job takes none", keyGuarantee, guaranteeExactlyOnce)
	}
	if most := poolSize - poolSlack; spec.TolerableFailures > most {
		return failure.Userf("%d failed checkpoints are tolerated in a row, an exactly-once sink holds at most %d", spec.TolerableFailures, most)
	}
	need := time.Duration(spec.TolerableFailures+1)*spec.Interval + spec.TimeoutOrDefault() + restartAllowance
	if half := time.Duration(opts.timeoutMillis) * time.Millisecond / 2; need >= half {
		return failure.User(failure.Message{
			Field:   keyTimeout,
			Primary: "transactions may time out before they are committed",
			Detail:  "a transaction may wait for " + need.String() + ", half of the timeout is " + half.String(),
			Hint:    "shorten the checkpoint timeout or interval, or raise the transaction timeout here and on the brokers",
		})
	}
	return nil
}
