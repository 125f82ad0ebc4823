package command

import (
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/crash"
	"millrace/internal/invariant"
)

// armCrashPoint arms the crash point that the environment names. Only invariant builds let a variable end the process;
// any other refuses to start, lest a test take a process that never crashed for one that survived.
func armCrashPoint(text string) error {
	if text != "" && !invariant.Enabled {
		return failure.Userf("%s is set, but this binary has its crash points disarmed; hint: build it with -tags invariants", crash.Env)
	}
	if err := crash.Arm(text); err != nil {
		return failure.User(err)
	}
	return nil
}

// setClockWrong makes the clock wrong as the environment says, under the same rule.
func setClockWrong(text string) error {
	if text != "" && !invariant.Enabled {
		return failure.Userf("%s is set, but this binary keeps to the machine's clock; hint: build it with -tags invariants", clock.OffsetEnv)
	}
	return failure.User(clock.Offset(text))
}
