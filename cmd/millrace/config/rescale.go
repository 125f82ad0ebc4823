package config

import (
	"millrace/jobmanager"
	"millrace/jobmanager/lifecycle"
)

// Rescale returns how readily jobs change their parallelism by themselves.
func (c Config) Rescale() jobmanager.RescaleOptions {
	return jobmanager.RescaleOptions{
		RescaleSpec: lifecycle.RescaleSpec{
			Wait: c.Duration(ResourceWait), Settle: c.Duration(ResourceSettle), Cooldown: c.Duration(RescaleCooldown),
		},
		MinIncrease: int(c.Int(MinIncrease)),
	}
}
