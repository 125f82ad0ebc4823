package standalone

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"millrace/cmd/cluster"
	"millrace/cmd/command/admin"
	"millrace/cmd/command/client"
	"millrace/cmd/command/config"
	"millrace/scheduler"
	"millrace/taskmanager"
)

// Options say what runs.
type Options struct {
	// Dir is where everything is kept.
	Dir string
	// Address is where clients are served.
	Address string
	// AdminAddress is where metrics, profiles and reflection are served; "" serves none.
	AdminAddress string
	// Config has the rest.
	Config config.Config
	// Durable keeps the topics of the broker inside the process on disk.
	Durable bool
	Version string
	// Program is what the task managers carry; nil: nothing.
	Program taskmanager.Program
	Log     *slog.Logger
}

// Standalone is a running cluster. Use Start.
type Standalone struct {
	*cluster.Cluster
	brokers string
	broker  *Broker
	admin   *admin.Server
}

// Start runs everything and returns when it serves.
func Start(ctx context.Context, o Options) (*Standalone, error) {
	s := &Standalone{brokers: o.Config.Text(config.Brokers)}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Standalone) start(ctx context.Context, o Options) (err error) {
	if s.brokers == "" {
		if s.broker, err = StartBroker(o); err != nil {
			return err
		}
		s.brokers = strings.Join(s.broker.Addresses(), ",")
	}
	options := cluster.Options{
		Dir: o.Dir, Address: o.Address, TaskManagers: int(o.Config.Int(config.TaskManagers)), Slots: int(o.Config.Int(config.TaskSlots)),
		// A job that names no parallelism has the whole machine, and one that lost a task manager goes on with what is left.
		Policy:  scheduler.Policy{Adaptive: true, AllowLower: true},
		Rescale: o.Config.Rescale(), Scrub: o.Config.Scrub(),
		Version: o.Version, Program: o.Program, Log: o.Log, LocalStateBytes: o.Config.LocalStateBytes(), CancellationTimeout: o.Config.Duration(config.CancelTimeout), State: o.Config.State(),
	}
	options.Retention.EndedJobs = int(o.Config.Int(config.EndedJobs))
	if options.Blobs, err = o.Config.CheckpointPlace(); err != nil {
		return err
	}
	if options.StateBytes, err = cluster.PlanMemory(o.Config.Memory(options.TaskManagers)); err != nil {
		return err
	}
	if s.Cluster, err = cluster.Start(ctx, options); err != nil {
		return err
	}
	if o.AdminAddress != "" {
		s.admin, err = admin.Start(ctx, o.AdminAddress, s.Registry().Handler(), s.Register, o.Log)
	}
	return err
}

// Brokers returns the brokers that jobs use, separated by commas.
func (s *Standalone) Brokers() string { return s.brokers }

// OwnsBroker tells whether the broker is inside this process.
func (s *Standalone) OwnsBroker() bool { return s.broker != nil }

// AdminAddress returns where metrics, profiles and reflection are served, "" if nowhere.
func (s *Standalone) AdminAddress() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Address()
}

// Client returns a client of the cluster that lives as long as it.
func (s *Standalone) Client() *client.Client { return client.Over(s.Jobs()) }

// Close ends everything that was started.
func (s *Standalone) Close() error {
	var errs []error
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	if s.Cluster != nil {
		errs = append(errs, s.Cluster.Close())
	}
	if s.broker != nil {
		s.broker.Close()
	}
	return errors.Join(errs...)
}
