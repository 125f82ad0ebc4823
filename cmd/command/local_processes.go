package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millrace/cmd/command/config"
	"millrace/cmd/command/standalone"
	"millrace/cmd/command/supervise"
	"millrace/failure"
	"millrace/internal/clock"
)

// Bounds of the end of a cluster of processes.
const (
	// jobManagerPatience is for giving the leadership up, so that the next start need not wait for it.
	jobManagerPatience = 5 * time.Second
	etcdPatience       = 10 * time.Second
)

// The labels under which roles say where they serve.
const (
	jobsLabel    = "jobs"
	etcdLabel    = "etcd"
	rowsLabel    = "rows"
	metricsLabel = "metrics"
)

// anyPort is where a role serves of which nobody said where.
const anyPort = "127.0.0.1:0"

// platform is a local cluster whose roles are processes. The broker, if it has one of its own, is in this one.
type platform struct {
	*supervise.Supervisor
	app    *app
	cmd    *cobra.Command
	config config.Config
	dir    string
	blobs  string

	broker       *standalone.Broker // nil where others are named
	etcd         *supervise.Role
	jobManagers  []*supervise.Role
	taskManagers []*supervise.Role
}

// localProcesses is local with a process for each role.
func (a *app) localProcesses(cmd *cobra.Command, c config.Config, dir string) (err error) {
	_, serve := c.ServeAddress()
	_, admin := c.AdminAddress()
	if err := errors.Join(serve, admin); err != nil {
		return err // before anything runs; the first job manager would say the same
	}
	p := &platform{app: a, cmd: cmd, config: c, dir: dir}
	if p.blobs, err = c.CheckpointPlace(); err != nil {
		return err
	}
	if p.blobs == "" {
		p.blobs = filepath.Join(dir, "blobs")
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program of every role: %w", err)
	}
	p.Supervisor, err = supervise.New(supervise.Options{
		Program: program, Env: a.environ, Dir: filepath.Join(dir, "logs"), Out: cmd.ErrOrStderr(), Clock: clock.System(),
	})
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.start(cmd.Context()); err != nil {
		if errors.Is(cmd.Context().Err(), context.Canceled) {
			return context.Canceled
		}
		return err
	}
	p.announce()
	select {
	case <-cmd.Context().Done():
		fmt.Fprintln(cmd.ErrOrStderr(), "ends")
		return nil
	case err := <-p.Failed():
		return failure.External(err, failure.Never)
	}
}

// start runs every role, each when those are there that it needs.
func (p *platform) start(ctx context.Context) (err error) {
	if p.config.Text(config.Brokers) == "" {
		if p.broker, err = standalone.StartBroker(standalone.Options{Config: p.config, Dir: p.dir, Durable: true}); err != nil {
			return err
		}
	}
	if p.etcd, err = p.Start(ctx, p.etcdSpec()); err != nil {
		return err
	}
	for i := range int(p.config.Int(config.LocalJobManagers)) {
		j, err := p.Start(ctx, p.jobManagerSpec(i))
		if err != nil {
			return err
		}
		p.jobManagers = append(p.jobManagers, j)
	}
	for i := range int(p.config.Int(config.TaskManagers)) {
		t, err := p.Start(ctx, p.taskManagerSpec(i))
		if err != nil {
			return err
		}
		p.taskManagers = append(p.taskManagers, t)
	}
	return nil
}

// arguments are those of a role: what this process was told, and what is the role's own.
func (p *platform) arguments(role string, own ...string) []string {
	out := []string{role}
	if p.app.configFile != "" {
		out = append(out, "--config", p.app.configFile)
	}
	for _, d := range p.app.dynamic {
		out = append(out, "--define", d)
	}
	if level := p.config.Text(config.LogLevel); level != "" {
		out = append(out, "--define", config.LogLevel+"="+level)
	}
	return append(out, own...)
}

func (p *platform) etcdSpec() supervise.Spec {
	return supervise.Spec{
		Name: "etcd", Labels: []string{etcdLabel},
		Arguments: func(serves func(string) string) []string {
			return p.arguments("etcd", "--dir", filepath.Join(p.dir, "etcd"), "--address", strings.TrimPrefix(serves(etcdLabel), "http://"))
		},
	}
}

// jobManagerSpec: the first serves where the configuration says, the others anywhere.
func (p *platform) jobManagerSpec(i int) supervise.Spec {
	return supervise.Spec{
		Name: fmt.Sprintf("jm-%d", i+1), Labels: []string{jobsLabel, metricsLabel},
		Arguments: func(serves func(string) string) []string {
			port, admin := "0", anyPort
			if i == 0 {
				port, admin = strconv.FormatInt(p.config.Int(config.Port), 10), p.config.Text(config.AdminAddress)
			}
			if _, before, err := net.SplitHostPort(serves(jobsLabel)); err == nil {
				port = before
			}
			return p.arguments("jobmanager", append(p.common(serves, admin), "--etcd", p.etcd.Serves(etcdLabel),
				"--bind-address", p.config.Text(config.BindAddress), "--port", port)...)
		},
	}
}

func (p *platform) taskManagerSpec(i int) supervise.Spec {
	name := fmt.Sprintf("tm-%d", i+1)
	return supervise.Spec{
		Name: name, Labels: []string{rowsLabel, metricsLabel},
		Arguments: func(serves func(string) string) []string {
			return p.arguments("taskmanager", append(p.common(serves, anyPort), "--id", name, "--job-managers", strings.Join(p.addresses(), ";"),
				"--slots", strconv.FormatInt(p.config.Int(config.TaskSlots), 10), "--dir", filepath.Join(p.dir, "taskmanager"))...)
		},
	}
}

// common are the arguments of job managers and task managers.
func (p *platform) common(serves func(string) string, admin string) []string {
	if before := hostOf(serves(metricsLabel)); before != "" {
		admin = before
	}
	return []string{
		"--cluster-id", localCluster, "--checkpoints", p.blobs, "--admin-address", admin,
		"--insecure-bind=" + strconv.FormatBool(p.config.Bool(config.InsecureBind)),
	}
}

// hostOf returns the address in a URL of metrics.
func hostOf(metrics string) string {
	return strings.TrimSuffix(strings.TrimPrefix(metrics, "http://"), "/metrics")
}

// addresses returns those of the job managers.
func (p *platform) addresses() []string {
	var out []string
	for _, j := range p.jobManagers {
		out = append(out, j.Serves(jobsLabel))
	}
	return out
}

// announce says what local says, and which process is what.
func (p *platform) announce() {
	w := p.cmd.OutOrStdout()
	brokers := p.config.Text(config.Brokers)
	if p.broker != nil {
		brokers = strings.Join(p.broker.Addresses(), ",") + insideThisProcess
	}
	p.app.announceCluster(w, strings.Join(p.addresses(), ","), brokers, hostOf(p.jobManagers[0].Serves(metricsLabel)), p.dir, func() {
		rows := [][]string{{"PROCESS", "ID", "METRICS", "LOG"}}
		for _, r := range append(append([]*supervise.Role{p.etcd}, p.jobManagers...), p.taskManagers...) {
			rows = append(rows, []string{r.Name(), strconv.Itoa(r.PID()), r.Serves(metricsLabel), r.Log()})
		}
		_ = table(w, rows...)
	})
}

// close ends everything, quickly: job managers first, who give their leadership up, so that nobody takes the rest for a
// loss; then task managers, who have nothing that is not in the last checkpoint.
func (p *platform) close() {
	for _, j := range p.jobManagers {
		j.Stop(jobManagerPatience)
	}
	for _, t := range p.taskManagers {
		t.Stop(0)
	}
	if p.etcd != nil {
		p.etcd.Stop(etcdPatience)
	}
	p.Close()
	if p.broker != nil {
		p.broker.Close()
	}
}
