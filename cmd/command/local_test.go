package command

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"

	"millrace/cmd/command/client"
	apiv1 "millrace/proto/millrace/api/v1"
)

// endless is a job that runs until it is cancelled.
const endless = `{
  "name": "endless", "parallelism": 2, "checkpoint": {"interval": "0.2s"},
  "vertices": [{
    "id": "bids",
    "source": {
      "uid": "bids-source", "connector": "nexmark", "options": {"event-type": "bid", "first-event.rate": "1000", "rate.limited": "true"},
      "schema": {"fields": [{"name": "auction", "type": {"kind": "TYPE_KIND_BIGINT"}}]}
    },
    "sink": {"uid": "bids-sink", "connector": "kafka", "options": {
      "topic": "bids", "format": "json", "sink.delivery-guarantee": "at-least-once", "properties.bootstrap.servers": "BROKERS"
    }}
  }]
}`

// local is a millrace local that runs.
type local struct {
	cmd                  *exec.Cmd
	jobs, kafka, metrics string
	processes            map[string]int // with --processes, by role
}

// startLocal runs millrace local and returns when it has said where it serves.
func startLocal(t *testing.T, args ...string) *local {
	t.Helper()
	l := &local{processes: map[string]int{}, cmd: exec.CommandContext(t.Context(), "millrace", append([]string{"local", "--port", "0", "--log-level", "error"}, args...)...)}
	l.cmd.Stderr = os.Stderr
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() })
	said, runs := regexp.MustCompile(`^  (\w+)\s+(\S+)`), regexp.MustCompile(`^(etcd|[jt]m-\d+)\s+(\d+) `)
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "try:"); {
		if m := runs.FindStringSubmatch(lines.Text()); m != nil {
			l.processes[m[1]], _ = strconv.Atoi(m[2])
		}
		m := said.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		switch m[1] {
		case "jobs":
			l.jobs = m[2]
		case "kafka":
			l.kafka = m[2]
		case "metrics":
			l.metrics = m[2]
		}
	}
	if l.jobs == "" || l.kafka == "" || l.metrics == "" {
		t.Fatalf("millrace local said too little: %+v", l)
	}
	return l
}

// millrace runs a command to its end and returns its output.
func millrace(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "millrace", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("millrace %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// awaitCheckpoint returns when the job has completed a checkpoint from now on.
func awaitCheckpoint(t *testing.T, address, job string) {
	t.Helper()
	c, err := client.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := context.Canceled
	_, err = c.Await(ctx, job, func(e *apiv1.WatchJobResponse) error {
		if e.GetCheckpointCompleted() != nil {
			return done
		}
		return nil
	})
	if err != done { //nolint:errorlint // that very value
		t.Fatalf("no checkpoint: %v", err)
	}
}

// A cluster that is killed goes on with its jobs when it is started again on its folder.
func TestLocalSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "endless.json")
	first := startLocal(t, "--dir", data, "--topics", "bids")
	_, port, _ := strings.Cut(first.kafka, ":")
	if err := os.WriteFile(file, []byte(strings.Replace(endless, "BROKERS", first.kafka, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(millrace(t, "run", "--cluster", first.jobs, "--detached", file))
	awaitCheckpoint(t, first.jobs, id)
	if list := millrace(t, "job", "list", "--cluster", first.jobs); !strings.Contains(list, id+"  endless  RUNNING") {
		t.Errorf("job list:\n%s", list)
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait()

	second := startLocal(t, "--dir", data, "-D", "kafka.embedded.port="+port)
	awaitCheckpoint(t, second.jobs, id)
	if show := millrace(t, "job", "show", id, "--cluster", second.jobs); !strings.Contains(show, "bids-source: nexmark") {
		t.Errorf("job show:\n%s", show)
	}
	probeAdmin(t, second.metrics)
	millrace(t, "job", "cancel", id, "--cluster", second.jobs)
	watch := exec.CommandContext(t.Context(), "millrace", "job", "watch", id, "--cluster", second.jobs)
	if out, err := watch.CombinedOutput(); err == nil || watch.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "CANCELED") {
		t.Errorf("watch of a cancelled job: %v\n%s", err, out)
	}
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("a terminated cluster ends with %v", err)
	}
}

// probeAdmin looks at what is served to whoever operates the process.
func probeAdmin(t *testing.T, metrics string) {
	t.Helper()
	for url, want := range map[string]string{
		metrics: "millrace_taskmanager_job_task_numRecordsOut",
		strings.Replace(metrics, "/metrics", "/debug/pprof/goroutine?debug=1", 1): "goroutine profile",
	} {
		if body := get(t, url); !strings.Contains(body, want) {
			t.Errorf("%s has no %s", url, want)
		}
	}
	address := strings.TrimSuffix(strings.TrimPrefix(metrics, "http://"), "/metrics")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if jobs, err := apiv1.NewJobServiceClient(conn).ListJobs(t.Context(), &apiv1.ListJobsRequest{}); err != nil || len(jobs.Jobs) != 1 {
		t.Errorf("jobs by the port for operators: %v, %v", jobs, err)
	}
	if names := services(t, conn); !strings.Contains(names, "millrace.api.v1.JobService") {
		t.Errorf("reflection lists %s", names)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func services(t *testing.T, conn *grpc.ClientConn) string {
	t.Helper()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}
