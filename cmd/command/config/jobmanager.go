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

// Scrub returns how often files of checkpoints are examined.
func (c Config) Scrub() jobmanager.Scrub {
	s := jobmanager.Scrub{Interval: c.Duration(ScrubInterval), BytesPerSecond: c.Bytes(ScrubRate)}
	if s.Interval == 0 {
		s.Interval = -1
	}
	return s
}
