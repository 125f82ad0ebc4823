package program

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// often is a configuration with which a job shows quickly what it does.
var often = []string{
	"-D", "execution.checkpointing.interval=200ms", "-D", "restart-strategy.exponential-delay.initial-backoff=20ms",
	"-D", "restart-strategy.exponential-delay.max-backoff=20ms",
}

func with(flags ...string) []string { return append(slices.Clone(often), flags...) }

func expect(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

// TestPrograms goes through the life of a cluster with a program: nobody carries it, somebody does, alone, beside another job; its task manager
// dies, and so does the job manager.
func TestPrograms(t *testing.T) {
	p := start(t)
	p.taskManager("tm-1", "millrace", 2)
	p.taskManager("tm-2", "other", 2)
	for _, flag := range []string{"--detached", "--dry-run"} {
		_, messages, code := p.command("doubler", "submit", "--cluster", p.jobs, flag)
		if code != 2 {
			t.Errorf("submit %s of what nobody carries: exit code %d", flag, code)
		}
		expect(t, "the refusal", messages, "no task manager carries build ", " of program doubler plain", "tm-1 carries no program; tm-2 carries build ",
			"doubler taskmanager --job-managers "+p.jobs)
	}

	p.taskManager("tm-3", "doubler", 2)
	out := filepath.Join(p.dir, "out")
	native := p.submit(with("--parallelism", "1", "--", "-out", out, "-rate", "2000")...)
	p.awaitJob(native, "the program's job", runs)
	expect(t, "job show", p.must("millrace", "job", "show", native, "--cluster", p.jobs), "doubler plain, build ")
	plain := p.plain(4)
	p.awaitJob(plain, "a job beside it", runs)
	waits := p.plain(1)
	waiting := func(d *apiv1.DescribeJobResponse) bool { return d.WaitingFor != "" }
	d := p.awaitJob(waits, "a job that waits", waiting)
	expect(t, "what it waits for", d.WaitingFor, "the job needs a slot, none is free (tm-3 is job "+native+"'s alone)")
	if got := p.on(native); !slices.Equal(got, []string{"tm-3"}) {
		t.Errorf("the program's job is on %v", got)
	}
	status := p.must("millrace", "cluster", "status", "--cluster", p.jobs)
	expect(t, "the cluster's status", status, "CARRIES", "no program", "job "+native+"'s alone", "build ")

	// Another leader takes over what it finds.
	p.jobManager.Kill()
	p.startJobManager()
	p.awaitMembers()
	if d := p.awaitJob(native, "the program's job, under another leader", runs); d.Attempt != 1 {
		t.Errorf("it is in attempt %d", d.Attempt)
	}
	p.awaitJob(waits, "the job that waits, under another leader", waiting)
	if got := p.on(native); !slices.Equal(got, []string{"tm-3"}) {
		t.Errorf("behind a takeover the program's job is on %v", got)
	}
	p.must("millrace", "job", "cancel", waits, "--cluster", p.jobs)

	// Its last task manager dies; another of its build comes.
	p.kill("tm-3")
	d = p.awaitJob(native, "the loss", func(d *apiv1.DescribeJobResponse) bool { // at first it says that tm-3 is lost
		return strings.Contains(d.WaitingFor, "no task manager carries build ")
	})
	expect(t, "what it waits for", d.WaitingFor, "doubler taskmanager --job-managers "+p.jobs)
	p.taskManager("tm-4", "doubler", 2)
	restarted := p.awaitJob(native, "the program's job again", func(d *apiv1.DescribeJobResponse) bool {
		return d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && d.Attempt > 1
	})
	before := restarted.CheckpointsCompleted
	p.awaitJob(native, "a checkpoint", func(d *apiv1.DescribeJobResponse) bool { return d.CheckpointsCompleted > before })
	p.must("millrace", "job", "stop", native, "--cluster", p.jobs)
	p.awaitJob(native, "the end", func(d *apiv1.DescribeJobResponse) bool { return d.Summary.State == apiv1.JobState_JOB_STATE_STOPPED })
	found := numbers(t, out)
	for n := range int64(len(found)) {
		if found[2*n+2] != 1 {
			t.Fatalf("%d numbers, of which %d is there %d times", len(found), 2*n+2, found[2*n+2])
		}
	}
	if d := p.job(plain); d.Summary.Restarts != 0 || len(found) == 0 {
		t.Errorf("the other job was restarted %d times; %d numbers", d.Summary.Restarts, len(found))
	}
}

// TestFunctionsGoWrong: what a function does to its process, and a description that is not the same twice, end their own job and nothing else.
func TestFunctionsGoWrong(t *testing.T) {
	p := start(t)
	p.taskManager("tm-1", "millrace", 1)
	plain := p.plain(1)
	p.awaitJob(plain, "another job", runs)

	p.taskManager("tm-2", "doubler", 1, "WHIM=again")
	failed := func(d *apiv1.DescribeJobResponse) bool { return d.Summary.State == apiv1.JobState_JOB_STATE_FAILED }
	d := p.awaitJob(p.submit(with()...), "the refusal of another job", failed)
	expect(t, "the failure", d.Summary.Failure, "the program builds another job here than at its submit (operator double of vertex numbers differs)",
		"env.Require")
	if d.Summary.Restarts != 0 {
		t.Errorf("it was restarted %d times", d.Summary.Restarts)
	}
	p.kill("tm-2")

	p.taskManager("tm-3", "doubler", 1)
	d = p.awaitJob(p.submit(with("--", "-panic", "300")...), "the panic", failed)
	expect(t, "the failure", d.Summary.Failure, "poison record at split datagen-0/1, row ", "operator double: panic: 300 is an unlucky number",
		"main.(*operator).double\n", "operator.go:")
	if strings.Contains(d.Summary.Failure, "millrace/taskmanager") {
		t.Errorf("the failure shows frames of the engine:\n%s", d.Summary.Failure)
	}

	exits := p.submit(with("--", "-exit", "300")...)
	p.awaitJob(exits, "the end of its process", func(d *apiv1.DescribeJobResponse) bool { return d.WaitingFor != "" && d.Summary.Restarts > 0 })
	delete(p.managers, "tm-3")
	p.awaitMembers()
	p.must("millrace", "job", "cancel", exits, "--cluster", p.jobs)

	// A function that never returns: the end of its process lets the job be cancelled.
	p.taskManager("tm-4", "doubler", 1, "MILLRACE_TASK_CANCELLATION_TIMEOUT=1s")
	hangs := p.submit(with("--", "-hang", "300")...)
	said := func() string {
		text, err := os.ReadFile(filepath.Join(p.dir, "tm-4.log"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	platformtest.Await(p.ctx, t, "the function that hangs", func() bool { return strings.Contains(said(), "hangs at 300") })
	p.must("millrace", "job", "cancel", hangs, "--cluster", p.jobs)
	p.awaitJob(hangs, "its end", func(d *apiv1.DescribeJobResponse) bool { return d.Summary.State == apiv1.JobState_JOB_STATE_CANCELED })
	stuck := p.managers["tm-4"]
	platformtest.Await(p.ctx, t, "the end of the process", stuck.HasEnded)
	if stuck.Err == nil {
		t.Error("the process ended as if nothing were the matter")
	}
	delete(p.managers, "tm-4")
	p.awaitMembers()
	expect(t, "what the task manager says", said(), "tasks [numbers/0] of job "+hangs+" have not ended within 1s of being cancelled", "main.(*operator).double", "operator.go:", "hint: have functions return")
	if d := p.job(plain); d.Summary.Restarts != 0 || d.Attempt != 1 || !runs(d) {
		t.Errorf("the other job is in attempt %d after %d restarts: %s", d.Attempt, d.Summary.Restarts, d.Summary.State)
	}
}

// TestEnvironmentOfThePlan: what a description asks its environment for goes with the job to where it has another value, or none.
func TestEnvironmentOfThePlan(t *testing.T) {
	p := start(t)
	p.taskManager("tm-1", "doubler", 1, "FACTOR=5")
	out := filepath.Join(p.dir, "out")
	_, messages, code := p.commandWith([]string{"FACTOR=3"}, "doubler", append([]string{"submit", "--cluster", p.jobs}, with("--", "-rows", "100", "-out", out)...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, messages)
	}
	if found := numbers(t, out); len(found) != 100 || found[300] != 1 || found[3] != 1 {
		t.Errorf("got %v", found)
	}
}

// TestCommandsOfAProgram: a program's binary explains its job, runs it in its own process, and is millrace besides.
func TestCommandsOfAProgram(t *testing.T) {
	p := &processes{T: t, ctx: t.Context(), dir: t.TempDir()}
	expect(t, "the explanation", p.must("doubler", "explain", "--parallelism", "3", "--", "-rows", "10"), "number-of-rows = 10", "native double", "parallelism 3")
	out := filepath.Join(p.dir, "out")
	expect(t, "the outcome", p.must("doubler", append([]string{"run"}, with("--", "-rows", "100", "-out", out)...)...), "FINISHED")
	if found := numbers(t, out); len(found) != 100 || found[200] != 1 {
		t.Errorf("got %v", found)
	}
	expect(t, "a query", p.must("doubler", "sql", "-e", "SELECT 1 + 1"), "2")
	for name, test := range map[string]struct {
		arguments []string
		says      []string
	}{
		"an argument before the dashes": {[]string{"submit", "rows"}, []string{"doubler: rows is no argument of this command's", "doubler submit [flags] [-- ARGUMENT...]"}},
		"a file and arguments":          {[]string{"run", "job.json", "--", "-rows", "1"}, []string{"job.json is no argument"}},
		"a panic of the description":    {[]string{"explain", "--", "-out", "nowhere"}, []string{"describe the job: panic: there is no such place", "main.program.Describe"}},
		"an error of it":                {[]string{"explain", "--", "-frob"}, []string{"flag provided but not defined: -frob"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, messages, code := p.command("doubler", test.arguments...)
			if code != 2 {
				t.Errorf("exit code %d", code)
			}
			expect(t, "the message", messages, test.says...)
		})
	}
}
