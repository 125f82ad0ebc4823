package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"millrace/tests/platformtest"
)

// results are queries whose rows somebody reads while something dies.
var results = []scenario{
	{"leader-killed", func(t *testing.T) { readThrough(t, func(p *reading) { p.killLeader() }) }},
	{"task-manager-killed", func(t *testing.T) { readThrough(t, func(p *reading) { p.killTaskManager() }) }},
	{"leader-and-task-manager-killed", func(t *testing.T) {
		readThrough(t, func(p *reading) {
			p.killTaskManager()
			p.killLeader()
		})
	}},
	{"leader-paused", func(t *testing.T) { readThrough(t, func(p *reading) { p.pauseLeader() }) }},
}

// TestRowsOfQueries: each row of a query comes once, whatever dies.
func TestRowsOfQueries(t *testing.T) { sample(t, 1, results) }

const (
	queryRows      = 12_000
	queryPerSecond = 1_000
)

// reading is a platform with a query of which the rows are read.
type reading struct {
	*platform
	managers [jobManagersMax]*part
	first    *part // the task manager that has the job
	out      lines
}

// lines collects what a process writes. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

// readThrough runs a query, and strikes when some of its rows have come.
func readThrough(t *testing.T, strike func(*reading)) {
	t.Helper()
	p := &reading{platform: newPlatform(t, true)}
	p.managers[0] = p.jobManager(0)
	p.first = p.taskManager(0)
	p.awaitTaskManagers(1)
	p.managers[1] = p.jobManager(1) // behind the first, which leads
	c := exec.CommandContext(p.ctx, binary(t, thisVersion), "sql", "--cluster", strings.Join(p.jobManagers(), ","), "-o", "csv", "-e", fmt.Sprintf(`
		SET 'execution.checkpointing.interval' = '200 ms';
		SET 'restart-strategy.type' = 'fixed-delay';
		SET 'restart-strategy.fixed-delay.attempts' = '1000';
		SET 'restart-strategy.fixed-delay.delay' = '100 ms';
		CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '%d',
		  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '%d');
		SELECT id FROM numbers`, queryPerSecond, queryRows))
	c.Env = p.environment("PATH=" + os.Getenv("PATH"))
	said := new(lines)
	c.Stdout, c.Stderr = &p.out, said
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the query said:\n%s", strings.Join(said.all(), "\n"))
		}
	})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.awaitRows(queryRows / 10)
	strike(p)
	if err := c.Wait(); err != nil {
		t.Fatalf("the query ended with %v", err)
	}
	p.check()
}

// awaitRows waits until so many more have been read than now.
func (p *reading) awaitRows(n int) {
	p.t.Helper()
	from := len(p.out.all())
	platformtest.Await(p.ctx, p.t, "rows", func() bool { return len(p.out.all()) >= from+n })
}

func (p *reading) killLeader() {
	p.managers[0].Kill()
	p.says(p.managers[1], "msg=leads")
	p.awaitRows(1)
}

func (p *reading) pauseLeader() {
	p.managers[0].Pause()
	p.says(p.managers[1], "msg=leads")
	p.managers[0].Resume()
	p.awaitRows(1)
}

// killTaskManager kills the one that has the job; another comes.
func (p *reading) killTaskManager() {
	p.taskManager(1)
	p.awaitTaskManagers(2)
	p.first.Kill()
	p.awaitRows(1)
}

// check compares the rows that were read with those that there are.
func (p *reading) check() {
	p.t.Helper()
	all := p.out.all()
	times := make(map[string]int)
	for _, row := range all[1:] { // behind the names
		times[row]++
	}
	missing, again := 0, 0
	for i := 1; i <= queryRows; i++ {
		switch n := times[fmt.Sprint(i)]; {
		case n == 0:
			missing++
		case n > 1:
			again++
		}
	}
	if all[0] != "id" || len(all)-1 != queryRows || missing+again > 0 {
		p.t.Errorf("%d rows behind %q, %d are missing and %d came more than once", len(all)-1, all[0], missing, again)
	}
}
