// Package cluster runs a whole cluster in one process: an embedded etcd with
// fsync, a blob store on local disk, a job manager and task managers that speak
// gRPC over loopback, as they would between hosts. It is what the local command,
// the demonstration, benchmarks and tests stand on.
//
// The parts own their goroutines; Close ends them in the order client, task
// managers, job manager, stores, and waits for all.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"millrace/blobstore"
	"millrace/cmd/leader"
	"millrace/exchange/local"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobmanager"
	"millrace/jobmanager/coord/etcd/embedded"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/taskmanager"
	"millrace/types"
)

// Options say what a local cluster is made of. The zero value, with a Dir, is
// one of two task managers with two slots each.
type Options struct {
	// Dir is where everything durable is. A cluster that is started on the
	// folder of another goes on with its jobs.
	Dir string
	// Remote has task managers exchange rows through gRPC, as between hosts.
	Remote bool
	// Reach returns where task managers find the job manager that serves at an
	// address; nil is there.
	Reach func(address string) string
	// Blobs is where the blob store is, as of OpenStorage; "" means below Dir.
	Blobs string
	// SessionTTL is how long a leader may be silent before another may lead, 5 to
	// 10 s; 0 means etcd.Options' default. A cluster that is started on the folder of
	// one that died does not wait for it.
	SessionTTL time.Duration
	// Address is where the job manager serves; "" means any port of loopback.
	Address string
	Cluster string
	// JobManagers is how many there are; 0 means one. All but the first serve on any port
	// of loopback.
	JobManagers int
	// TaskManagers is how many there are from the start; NoTaskManagers for none.
	TaskManagers int
	Slots        int
	Policy       scheduler.Policy
	Rescale      jobmanager.RescaleOptions
	// Retention bounds what is kept of ended jobs.
	Retention jobmanager.Retention
	// Scrub says how often files of checkpoints are examined.
	Scrub   jobmanager.Scrub
	Version string
	// RowsMax is the largest batch; 0 means stream.RowsMax.
	RowsMax int
	// CreditBytes is the credit of a channel; 0 means exchange.DefaultCreditBytes.
	CreditBytes int
	// StateBytes bounds the state of a task manager; 0 is no bound.
	StateBytes int64
	// State says where it lives beyond that.
	State StateOptions
	// CancellationTimeout is how long cancelled tasks may take to end before the log says that they don't; 0: it never does.
	CancellationTimeout time.Duration
	// LocalStateBytes bounds the state files that each task manager keeps on its own
	// disk; 0 keeps none.
	LocalStateBytes int64
	// Wiring has what jobs may name; nil means NewWiring(nil).
	Wiring *Wiring
	// Program is what every task manager carries; nil: nothing.
	Program taskmanager.Program
	// WrapStore puts something around the blob store, beneath the retries; nil
	// leaves it as it is.
	WrapStore func(blobstore.Store) blobstore.Store
	Clock     clock.Clock
	Log       *slog.Logger
}

// NoTaskManagers leaves task managers to other processes.
const NoTaskManagers = -1

func (o *Options) ensureDefaults() {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Cluster == "" {
		o.Cluster = "local"
	}
	if o.Blobs == "" {
		o.Blobs = filepath.Join(o.Dir, "blobs")
	}
	o.JobManagers = max(o.JobManagers, 1)
	if o.TaskManagers == 0 {
		o.TaskManagers = 2
	}
	if o.Slots == 0 {
		o.Slots = 2
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Wiring == nil {
		o.Wiring = NewWiring(nil)
	}
	if o.Reach == nil {
		o.Reach = func(address string) string { return address }
	}
}

// Cluster is a running cluster. It is safe for concurrent use.
type Cluster struct {
	Options
	etcd    *embedded.Server
	store   *Storage
	metrics *metrics.Registry
	network *local.Network
	pool    stream.Pool
	finder  *leader.Finder
	mu      struct {
		sync.Mutex
		candidates []*candidate
		managers   map[types.TaskManagerID]*TaskManager
	}
}

// Start runs a cluster. It serves when Start returns; a leader may take a
// moment more.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	o.ensureDefaults()
	c := &Cluster{Options: o, network: local.NewNetwork()}
	c.mu.managers = make(map[types.TaskManagerID]*TaskManager)
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start local cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.metrics, err = metrics.New(c.Clock); err != nil {
		return err
	}
	if err := c.openStores(ctx); err != nil {
		return err
	}
	for i := range c.JobManagers {
		listen := c.Options.Address
		if i > 0 {
			listen = "127.0.0.1:0"
		}
		if err := c.startJobManager(ctx, listen); err != nil {
			return err
		}
	}
	if c.finder, err = leader.New(c.addresses()); err != nil {
		return err
	}
	for i := range c.TaskManagers {
		if err := c.StartTaskManager(types.TaskManagerID(fmt.Sprintf("tm-%d", i+1))); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) openStores(ctx context.Context) (err error) {
	if c.etcd, err = embedded.Start(ctx, embedded.Options{Dir: filepath.Join(c.Dir, "etcd")}); err != nil {
		return err
	}
	if c.store, err = OpenStorage(ctx, c.Blobs, c.Clock, c.WrapStore); err == nil {
		c.Wiring.UseStore(c.store)
	}
	return err
}

// Address returns where the first job manager serves.
func (c *Cluster) Address() string { return c.addresses()[0] }

// Register offers what clients call of the first job manager, on another server as well.
func (c *Cluster) Register(s grpc.ServiceRegistrar) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.candidates[0].Register(s)
}

// Registry returns the metrics of every part.
func (c *Cluster) Registry() *metrics.Registry { return c.metrics }

// Pool returns the buffers of every task, for leak checks.
func (c *Cluster) Pool() *stream.Pool { return &c.pool }

// Jobs returns a client of the job service.
func (c *Cluster) Jobs() apiv1.JobServiceClient { return apiv1.NewJobServiceClient(c.finder) }

// Describe returns a client of the cluster service.
func (c *Cluster) Describe() apiv1.ClusterServiceClient {
	return apiv1.NewClusterServiceClient(c.finder)
}

// StartTaskManager starts a task manager of that id.
func (c *Cluster) StartTaskManager(id types.TaskManagerID) error {
	dir := filepath.Join(c.Dir, "taskmanager", string(id))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.managers[id] != nil {
		return fmt.Errorf("task manager %s runs already", id)
	}
	o := taskmanager.Options{
		Cluster: c.Cluster, ID: id, Slots: c.Slots, Version: c.Version, Program: c.Program,
		Operators: c.Wiring.Operators, Functions: c.Wiring.Functions, Connectors: c.Wiring.Connectors, Backend: columnar.New(), Network: c.network,
		Store: c.store, Pool: &c.pool, Metrics: c.metrics, Clock: c.Clock, Log: c.Log, Dir: dir, RowsMax: c.RowsMax, CreditBytes: c.CreditBytes,
		CancellationTimeout: c.CancellationTimeout, StateBytes: c.StateBytes, Cache: OpenCache(dir, c.LocalStateBytes, c.Clock, c.Log),
	}
	if err := OpenTier(c.State, &o); err != nil {
		return err
	}
	m, err := c.startTaskManager(o)
	if err == nil {
		c.mu.managers[id] = m
	}
	return err
}

func (c *Cluster) startTaskManager(o taskmanager.Options) (*TaskManager, error) {
	jobManagers := c.addressesLocked()
	for i := range jobManagers {
		jobManagers[i] = c.Reach(jobManagers[i])
	}
	if c.Remote {
		return StartRemoteTaskManager(context.Background(), jobManagers, "127.0.0.1:0", "", o)
	}
	return StartTaskManager(jobManagers, o)
}

// take removes a task manager.
func (c *Cluster) take(id types.TaskManagerID) (*TaskManager, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mu.managers[id]
	delete(c.mu.managers, id)
	if m == nil {
		return nil, fmt.Errorf("no task manager %s runs", id)
	}
	return m, nil
}

// KillTaskManager ends a task manager without a goodbye: its tasks stop where
// they are and its stream breaks.
func (c *Cluster) KillTaskManager(id types.TaskManagerID) error {
	m, err := c.take(id)
	if err != nil {
		return err
	}
	return m.Kill()
}

// DrainTaskManager has a task manager hand its tasks over, and ends it.
func (c *Cluster) DrainTaskManager(ctx context.Context, id types.TaskManagerID) error {
	m, err := c.take(id)
	if err != nil {
		return err
	}
	return m.Drain(ctx)
}

// Close ends the cluster and waits for every part of it.
func (c *Cluster) Close() error {
	var errs []error
	if c.finder != nil {
		errs = append(errs, c.finder.Close())
	}
	c.mu.Lock()
	candidates := c.mu.candidates
	c.mu.candidates = nil
	managers := slices.Collect(maps.Values(c.mu.managers))
	clear(c.mu.managers)
	c.mu.Unlock()
	for _, j := range candidates {
		j.Resign() // so that nobody takes the task managers' end for a loss
	}
	for _, m := range managers {
		errs = append(errs, m.Kill())
	}
	for _, j := range candidates {
		errs = append(errs, j.Close())
	}
	if c.etcd != nil {
		errs = append(errs, c.etcd.Close())
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	return errors.Join(errs...)
}
