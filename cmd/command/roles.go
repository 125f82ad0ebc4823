package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"millrace/cmd/cluster"
	"millrace/cmd/command/admin"
	"millrace/cmd/command/config"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobmanager"
	"millrace/jobmanager/coord/etcd"
	"millrace/scheduler"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/taskmanager"
	"millrace/types"
)

// roleFlags are those of both commands, with their keys.
func roleFlags(cmd *cobra.Command) map[string]string {
	flags := cmd.Flags()
	flags.String("cluster-id", "", "name of the cluster (default default)")
	flags.String("checkpoints", "", "where checkpoints go: a folder that all machines share, or s3://bucket/prefix?region=...")
	flags.String("admin-address", "", "where to serve metrics, profiles and reflection (default 127.0.0.1 and any free port)")
	flags.Bool("insecure-bind", false, "allow addresses beyond loopback, without encryption and authentication")
	flags.String("log-level", "", "debug, info, warn or error")
	return map[string]string{
		"cluster-id": config.ClusterID, "checkpoints": config.CheckpointDir, "admin-address": config.AdminAddress,
		"insecure-bind": config.InsecureBind, "log-level": config.LogLevel,
	}
}

func newJobManager(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "jobmanager", Short: "Run a job manager until it is interrupted",
		Long: "Runs a job manager. Job managers of one cluster-id elect a leader among them through etcd; the others wait, and tell\n" +
			"whoever asks who leads.",
		Args: exactly(0, "jobmanager [flags]"),
	}
	keys := roleFlags(cmd)
	flags := cmd.Flags()
	flags.String("etcd", "", "servers of etcd, separated by semicolons")
	flags.String("bind-address", "", "address to serve clients and task managers on (default 127.0.0.1)")
	flags.Int("port", 0, "port to serve them on (default 8081, 0 for any that is free)")
	flags.String("advertised-address", "", "address under which they reach it (default the one that is bound)")
	keys["etcd"], keys["bind-address"], keys["port"], keys["advertised-address"] =
		config.EtcdEndpoints, config.BindAddress, config.Port, config.Advertised
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.jobManager(cmd, keys) }
	return cmd
}

func newTaskManager(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "taskmanager", Short: "Run a task manager until it is interrupted",
		Long: "Runs a task manager. Told to end (SIGTERM, ctrl-C), it hands its tasks over to others first, for as long as\n" +
			config.DrainTimeout + " says; told again, it ends at once.",
		Args: exactly(0, "taskmanager [flags]"),
	}
	keys := roleFlags(cmd)
	flags := cmd.Flags()
	flags.String("job-managers", "", "addresses of the cluster's job managers, separated by semicolons")
	flags.String("id", "", "id of the task manager (default the host's name and random digits)")
	flags.Int("slots", 0, "number of slots (default 2)")
	flags.String("data-address", "", "where to take rows from other task managers (default 127.0.0.1 and any free port)")
	flags.String("advertised-data-address", "", "address under which they reach that (default the one that is bound)")
	flags.String("dir", "", "folder for files that need not outlive the process")
	keys["job-managers"], keys["id"], keys["slots"] = config.JobManagers, config.TaskManagerID, config.TaskSlots
	keys["data-address"], keys["advertised-data-address"], keys["dir"] = config.DataBind, config.DataAdvertised, config.WorkingDir
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.taskManager(cmd, keys) }
	return cmd
}

// role is what job managers and task managers have in common.
type role struct {
	config  config.Config
	log     *slog.Logger
	metrics *metrics.Registry
	wiring  *cluster.Wiring
	storage *cluster.Storage
}

func (a *app) role(cmd *cobra.Command, keys map[string]string) (*role, error) {
	c, err := a.load(cmd, keys)
	if err != nil {
		return nil, err
	}
	r := &role{config: c, log: logger(cmd, c, slog.LevelInfo)}
	for _, warning := range c.Warnings() {
		r.log.Warn(warning)
	}
	place, err := c.CheckpointPlace()
	if err != nil {
		return nil, err
	}
	if place == "" {
		return nil, missing(config.CheckpointDir, "--checkpoints", "where checkpoints go, the same for every process of the cluster")
	}
	r.wiring = cluster.NewWiring(r.log)
	if r.metrics, err = metrics.New(clock.System()); err != nil {
		return nil, err
	}
	if r.storage, err = cluster.OpenStorage(cmd.Context(), place, clock.System(), nil); err == nil {
		r.wiring.UseStore(r.storage)
	}
	return r, err
}

func missing(key, flag, what string) error {
	return failure.User(failure.Message{Field: key, Primary: "is missing: " + what, Hint: "give " + flag})
}

// admin serves operators where the configuration says.
func (r *role) admin(ctx context.Context, register func(grpc.ServiceRegistrar)) (*admin.Server, error) {
	address, err := r.config.AdminAddress()
	if err != nil {
		return nil, err
	}
	return admin.Start(ctx, address, r.metrics.Handler(), register, r.log)
}

func (a *app) jobManager(cmd *cobra.Command, keys map[string]string) error {
	r, err := a.role(cmd, keys)
	if err != nil {
		return err
	}
	defer func() { _ = r.storage.Close() }()
	c := r.config
	listen, err := c.ServeAddress()
	if err != nil {
		return err
	}
	if len(c.List(config.EtcdEndpoints)) == 0 {
		return missing(config.EtcdEndpoints, "--etcd", "the servers of etcd that elect the leader")
	}
	coord, err := etcd.Open(etcd.Options{
		Endpoints: c.List(config.EtcdEndpoints), Cluster: c.Text(config.ClusterID),
		Username: c.Text(config.EtcdUser), Password: c.Secret(config.EtcdPassword).Reveal(),
	})
	if err != nil {
		return err
	}
	defer func() { _ = coord.Close() }()
	j, err := cluster.StartJobManager(cmd.Context(), listen, jobmanager.Options{
		Cluster: c.Text(config.ClusterID), Address: c.Text(config.Advertised), Version: a.version, Coord: coord,
		Store: r.storage, Place: r.storage.Place, Probe: r.storage.Probe, Known: r.wiring.Known(), CheckJob: r.wiring.CheckJob, Tables: r.wiring.Tables(r.storage),
		Policy: scheduler.Policy{Adaptive: true, AllowLower: true}, Rescale: c.Rescale(),
		Retention: jobmanager.Retention{EndedJobs: int(c.Int(config.EndedJobs))}, Scrub: c.Scrub(),
		Metrics: r.metrics, Clock: clock.System(), Log: r.log,
	})
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	adm, err := r.admin(cmd.Context(), j.Register)
	if err != nil {
		return err
	}
	defer func() { _ = adm.Close() }()
	fmt.Fprintf(cmd.OutOrStdout(), "millrace %s: a job manager of cluster %s\n", a.version, c.Text(config.ClusterID))
	_ = table(cmd.OutOrStdout(), []string{"  jobs", j.Address()}, []string{"  metrics", "http://" + adm.Address() + "/metrics"})
	select {
	case <-cmd.Context().Done():
		return nil
	case <-j.Ended():
		return j.Err()
	}
}

func (a *app) taskManager(cmd *cobra.Command, keys map[string]string) error {
	r, err := a.role(cmd, keys)
	if err != nil {
		return err
	}
	defer func() { _ = r.storage.Close() }()
	c := r.config
	if len(c.List(config.JobManagers)) == 0 {
		return missing(config.JobManagers, "--job-managers", "the addresses of the cluster's job managers")
	}
	listen, err := c.DataAddress()
	if err != nil {
		return err
	}
	dir, remove, err := makeDir(c)
	if err != nil {
		return err
	}
	defer remove()
	labels, err := c.TaskManagerLabels()
	if err != nil {
		return err
	}
	o := taskmanager.Options{
		Cluster: c.Text(config.ClusterID), ID: types.TaskManagerID(c.Text(config.TaskManagerID)), Slots: int(c.Int(config.TaskSlots)),
		Labels: labels, Version: a.version, Program: a.program, Operators: r.wiring.Operators, Functions: r.wiring.Functions, Connectors: r.wiring.Connectors,
		Backend: columnar.New(), Store: r.storage, Pool: &stream.Pool{}, Metrics: r.metrics, Clock: clock.System(), Log: r.log, Dir: dir,
	}
	stuck := make(chan error, 1)
	o.CancellationTimeout, o.Stuck = c.Duration(config.CancelTimeout), func(err error) {
		select {
		case stuck <- err:
		default: // the first ends the process
		}
	}
	if o.StateBytes, err = cluster.PlanMemory(c.Memory(1)); err != nil {
		return err
	}
	if o.ID == "" {
		if o.ID, err = ownID(); err != nil {
			return err
		}
	}
	if o.Dir, err = workingFolder(dir, o.ID); err != nil {
		return err
	}
	o.Cache = cluster.OpenCache(o.Dir, c.LocalStateBytes(), o.Clock, r.log)
	if err := cluster.OpenTier(c.State(), &o); err != nil {
		return err
	}
	t, err := cluster.StartRemoteTaskManager(cmd.Context(), c.List(config.JobManagers), listen, c.Text(config.DataAdvertised), o)
	if err != nil {
		return err
	}
	adm, err := r.admin(cmd.Context(), func(grpc.ServiceRegistrar) {})
	if err != nil {
		_ = t.Kill()
		return err
	}
	defer func() { _ = adm.Close() }()
	fmt.Fprintf(cmd.OutOrStdout(), "millrace %s: task manager %s of cluster %s\n", a.version, o.ID, o.Cluster)
	if p := a.program; p != nil {
		_ = table(cmd.OutOrStdout(), []string{"  program", strings.TrimSpace(p.Name() + " " + p.Version())}, []string{"  build", p.Build()})
	}
	_ = table(cmd.OutOrStdout(), []string{"  rows", t.DataAddress}, []string{"  metrics", "http://" + adm.Address() + "/metrics"})
	return a.serve(cmd, t, stuck, c.Duration(config.DrainTimeout), r.log)
}

// serve has a task manager work until somebody ends it, it is refused, or a task in it is stuck: then nothing in it can be waited for.
func (a *app) serve(cmd *cobra.Command, t *cluster.TaskManager, stuck <-chan error, patience time.Duration, log *slog.Logger) error {
	select {
	case <-cmd.Context().Done():
	case err := <-stuck:
		return err
	case <-t.Ended():
		_ = t.Kill()
		return t.Err()
	}
	drained := make(chan error, 1)
	go func() { drained <- a.drain(cmd, t, patience, log) }()
	select {
	case err := <-drained:
		return err
	case err := <-stuck:
		return err
	}
}

// drain hands tasks over before the end. A second signal ends the process by itself.
func (a *app) drain(cmd *cobra.Command, t *cluster.TaskManager, patience time.Duration, log *slog.Logger) error {
	fmt.Fprintln(cmd.ErrOrStderr(), "hands its tasks over; told once more it ends at once")
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(cmd.Context()), patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	if err := t.Drain(ctx); err != nil {
		log.Warn("ends with tasks", "cause", err)
	}
	return nil
}

// ownID names a task manager that nobody named: after its host, and like no other there.
func ownID() (types.TaskManagerID, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name of the host: %w", err)
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return types.TaskManagerID(host + "-" + hex.EncodeToString(b[:])), nil
}

func workingFolder(dir string, id types.TaskManagerID) (string, error) {
	own := filepath.Join(dir, string(id))
	if err := os.MkdirAll(own, 0o750); err != nil {
		return "", fmt.Errorf("working folder: %w", err)
	}
	return own, nil
}
