package badger

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/child"
	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/statebackend/columnar"
	"millrace/statebackend/fault"
	"millrace/statebackend/statetest"
)

// The child of TestKilledInTheMiddle finds its journey here: folder, seed, legs.
const journeyVariable = "MILLRACE_TIER_JOURNEY"

func journey(dir string, seed uint64, legs int, tier *Tier) statetest.Journey {
	return statetest.Journey{
		Seed: seed, Legs: legs, Dir: dir, Plain: columnar.New(), Backend: statetest.Shifting(columnar.New(), tier),
	}
}

// TestMetamorphic does a million random operations, over all shapes, with rows in memory or
// in the tier as it comes, reopened and rescaled behind each leg. A sample, unless everything is asked for.
func TestMetamorphic(t *testing.T) {
	legs := 8
	if matrix.All() {
		legs = 420 // 12 steps each, of about 200 keys on average
	}
	journey(t.TempDir(), matrix.Rand(t).Uint64(), legs, open(t)).Go(t)
}

// TestHomeConformance has the suite over rows that live here, behind faulty twins whose
// plans never fire.
func TestHomeConformance(t *testing.T) {
	b, err := fault.Wrap(columnar.New(), "any prefix=nobody err=unavailable")
	if err != nil {
		t.Fatal(err)
	}
	tier, err := fault.WrapTier(open(t), "put prefix=nobody err=full; get prefix=nobody err=corrupt")
	if err != nil {
		t.Fatal(err)
	}
	run := statetest.RunSample
	if matrix.All() {
		run = statetest.Run
	}
	run(t, statetest.AtHome(b, tier))
}

// TestKilledInTheMiddle kills the process at points in the tier's flush, again and again, and
// has the next one go on from the files: nothing of the tier may matter to it.
func TestKilledInTheMiddle(t *testing.T) {
	if of := os.Getenv(journeyVariable); of != "" {
		beKilled(t, of)
		return
	}
	r := matrix.Rand(t)
	kills, legs := 4, 5
	if matrix.All() {
		kills, legs = 40, 30
	}
	dir, seed := t.TempDir(), r.Uint64()
	t.Logf("seed %d", seed)
	struck := map[string]int{}
	for n := 0; ; n++ {
		point := crash.TierPoints[n%len(crash.TierPoints)]
		arm := fmt.Sprintf("%s@%d", point, 1+r.IntN(20))
		if n >= kills {
			arm = ""
		}
		out, err := runJourney(t, dir, seed, legs, arm)
		if strings.Contains(out, "crash point "+point) && arm != "" {
			struck[point]++
			continue
		}
		if err != nil {
			t.Fatalf("process %d, armed with %q: %v\n%s", n, arm, err, out)
		}
		break
	}
	if len(struck) == 0 {
		t.Error("no crash point was passed")
	}
	t.Logf("struck: %v", struck)
}

func runJourney(t *testing.T, dir string, seed uint64, legs int, arm string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	command := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledInTheMiddle$", "-test.v")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d:%d:%s", journeyVariable, seed, legs, dir), crash.Env+"="+arm)
	command.Stdout, command.Stderr = &out, &out
	p, err := child.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Ended
	return out.String(), p.Err
}

// beKilled is the child.
func beKilled(t *testing.T, of string) {
	t.Helper()
	words := strings.SplitN(of, ":", 3)
	seed, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	legs, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := crash.Arm(os.Getenv(crash.Env)); err != nil {
		t.Fatal(err)
	}
	tier, err := Open(Options{Dir: filepath.Join(words[2], "tier")})
	if err != nil {
		t.Fatal(err)
	}
	journey(words[2], seed, legs, tier).Go(t)
	if err := tier.Close(); err != nil {
		t.Error(err)
	}
}
