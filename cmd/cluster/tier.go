package cluster

import (
	"fmt"
	"path/filepath"

	"millrace/failure"
	"millrace/statebackend/badger"
	"millrace/taskmanager"
)

// StateOptions say where the state of a task manager lives. The zero value keeps it
// in memory, whatever that needs.
type StateOptions struct {
	// Badger has state live on disk, and in memory what was asked for since the last
	// barrier. It goes before Spill.
	Badger bool
	// Spill has state live in memory, and on disk what has no room there.
	Spill bool
	// Dir is where a folder is made for each task manager; "" takes its own.
	Dir string
	// DiskBytes bounds what a task manager's state takes on disk; 0: a tenth of the disk
	// that stays free does.
	DiskBytes int64
}

// OpenTier gives a task manager whose memory for state is set the tier that it is to
// have, whose own memory it takes out of that. Little memory, or an unknown amount,
// has no tier; where the state is to live there, that is an error of the user.
func OpenTier(s StateOptions, o *taskmanager.Options) error {
	if !s.Badger && !s.Spill {
		return nil
	}
	plan := badger.PlanMemory(o.StateBytes)
	switch {
	case plan == 0 && s.Badger:
		return failure.User(failure.Message{
			Field:   "taskmanager.memory.managed.size",
			Primary: fmt.Sprintf("state.backend.type = badger does not fit into %d bytes of memory for state", o.StateBytes),
			Hint:    fmt.Sprintf("set it to %d bytes or more", badger.ManagedMin),
		})
	case plan == 0:
		o.Log.Info("state stays in memory: there is too little of it for a database beside it", "bytes", o.StateBytes)
		return nil
	}
	dir := o.Dir
	if s.Dir != "" {
		dir = filepath.Join(s.Dir, string(o.ID))
	}
	tier, err := badger.Open(badger.Options{
		Dir: filepath.Join(dir, "tier"), Managed: o.StateBytes, DiskBytes: s.DiskBytes, Clock: o.Clock,
		Pressure: func(trouble string) {
			if trouble == "" {
				o.Log.Info("state leaves memory again", "task manager", o.ID)
				return
			}
			o.Log.Warn("state can't leave memory", "task manager", o.ID, "cause", trouble)
		},
	})
	if err != nil {
		return err
	}
	o.StateBytes -= plan
	o.Tier, o.TierIsHome = tier, s.Badger
	return nil
}

// closeTier ends the tier of a task manager that runs no longer.
func closeTier(o *taskmanager.Options) error {
	if tier, ok := o.Tier.(*badger.Tier); ok {
		return tier.Close()
	}
	return nil
}
