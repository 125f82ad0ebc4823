package cluster

import (
	"path/filepath"
	"testing"
	"time"

	"millrace/internal/clock"
	"millrace/internal/testutil/matrix"
)

// a scenario is something that is wrong with a cluster of processes.
type scenario struct {
	name string
	run  func(t *testing.T)
}

// refusals are what no waiting mends: the process ends, and says what to change.
var refusals = []scenario{
	{"two-task-managers-with-one-id", twoOfOneID},
	{"another-version", anotherVersion},
	{"clock-an-hour-behind", func(t *testing.T) { wrongClock(t, "-1h") }},
	{"clock-an-hour-ahead", func(t *testing.T) { wrongClock(t, "1h") }},
	{"two-clusters-of-one-name", twoClusters},
}

func TestRefused(t *testing.T) { sample(t, 1, refusals) }

func sample(t *testing.T, n int, all []scenario) {
	if testing.Short() {
		t.Skip("starts a platform")
	}
	for _, s := range matrix.Sample(t, n, all) {
		t.Run(s.name, s.run)
	}
}

// started is a platform with a job that runs on its one task manager.
func started(t *testing.T, lasts time.Duration) (*platform, *counted) {
	t.Helper()
	p := newPlatform(t, false)
	p.jobManager(0)
	p.taskManager(0)
	j := p.run("counted", lasts, 1)
	j.awaitCheckpoints(1)
	return p, j
}

// undisturbed expects that a job goes on as it was.
func (j *counted) undisturbed() {
	j.p.t.Helper()
	if d := j.awaitCheckpoints(2); d.Attempt != 1 || d.Summary.Restarts != 0 {
		j.p.t.Errorf("the job is in attempt %d behind %d restarts: %q", d.Attempt, d.Summary.Restarts, d.RecentFailures)
	}
}

func twoOfOneID(t *testing.T) {
	p, j := started(t, time.Hour)
	p.refused(thisVersion, p.taskManagerArguments("tm-1", p.addresses[jobManagersMax+1]), nil,
		"task manager tm-1 is connected already, from another process; give each its own taskmanager.resource-id")
	j.undisturbed()
}

func anotherVersion(t *testing.T) {
	p, j := started(t, time.Hour)
	p.refused(otherVersion, p.taskManagerArguments("tm-2", p.addresses[jobManagersMax+1]), nil,
		"its version is "+otherVersion+", this job manager's is "+thisVersion, "run one version in a cluster")
	j.undisturbed()
}

func wrongClock(t *testing.T, offset string) {
	p, j := started(t, time.Hour)
	p.refused(thisVersion, p.taskManagerArguments("tm-2", p.addresses[jobManagersMax+1]), []string{clock.OffsetEnv + "=" + offset},
		"its clock says 20", "the clock of job manager "+p.addresses[0]+" says 20", "set the one that is wrong")
	p.taskManager(2, clock.OffsetEnv+"=30s") // is taken in
	p.awaitTaskManagers(2)
	j.undisturbed()
}

// twoClusters: a job manager with another store would lead a cluster whose jobs it can't find. It is refused as soon as it
// would lead, and the cluster goes on when one of its own leads again.
func twoClusters(t *testing.T) {
	p := newPlatform(t, false)
	first := p.jobManager(0)
	p.taskManager(0)
	j := p.run("counted", 20*time.Second, 1)
	j.awaitCheckpoints(1)
	first.Stop() // gives the leadership up
	other := p.jobManagerArguments(1)
	other[len(other)-1] = filepath.Join(p.dir, "others")
	p.refused(thisVersion, other, nil, `cluster "test" keeps its jobs in another blob store`,
		"high-availability.cluster-id", "execution.checkpointing.dir")
	p.restart(first)
	j.awaitCheckpoints(1)
	j.finish()
}
