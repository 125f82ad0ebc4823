package lint

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const goldenImports = "testdata/imports"

// room is the folder that a package counts as in the picture: two levels, and all of proto as one.
func room(p string) string {
	elements := strings.Split(strings.TrimPrefix(p, ownMark), "/")
	if elements[0] == "proto" {
		return "proto"
	}
	return strings.Join(elements[:min(2, len(elements))], "/")
}

// arrows returns "a -> b" for every room a that imports room b, sorted. Arrows into the ground are left out: it is for
// everybody, and they would hide the others. So are the rooms of tests and of floor 5, which may import anything.
func arrows(packages []pkg) []string {
	var out []string
	for _, p := range packages {
		from := room(p.ImportPath)
		if isTestRoom(p.ImportPath) || floors[top(p.ImportPath)] == 5 {
			continue
		}
		for _, imported := range p.Imports {
			if to := room(imported); isOwn(imported) && to != from && (!isGround(imported) || isGround(p.ImportPath)) {
				out = append(out, from+" -> "+to)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compare returns a line for each arrow that is new or gone.
func compare(golden, found []string) []string {
	var out []string
	for _, a := range found {
		if !slices.Contains(golden, a) {
			out = append(out, "+ "+a)
		}
	}
	for _, a := range golden {
		if !slices.Contains(found, a) {
			out = append(out, "- "+a)
		}
	}
	return out
}

func TestImportsAreAsDrawn(t *testing.T) {
	found := arrows(packages(t))
	if *rewrite {
		if err := os.WriteFile(goldenImports, []byte(strings.Join(found, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenImports)
	if err != nil {
		t.Fatal(err)
	}
	if diff := compare(strings.Split(strings.TrimSpace(string(golden)), "\n"), found); len(diff) > 0 {
		t.Errorf("the graph of folders has changed; go test ./internal/lint -rewrite, and say why in the commit:\n%s", strings.Join(diff, "\n"))
	}
}

func TestArrowsOfAPlantedGraph(t *testing.T) {
	found := arrows([]pkg{
		{ImportPath: "./operators/window/pane", Imports: []string{"./stream", "./operators", "./failure", "./internal/clock", "fmt", "./operators/window"}},
		{ImportPath: "./operators/operatortest", Imports: []string{"./statebackend/columnar"}},
		{ImportPath: "./jobgraph/codec", Imports: []string{"./proto/millrace/job/v1"}},
		{ImportPath: "./internal/metrics", Imports: []string{"./internal/clock"}},
		{ImportPath: "./cmd/millrace", Imports: []string{"./statebackend/badger"}},
	})
	expectComplaints(t, found, "internal/metrics -> internal/clock", "jobgraph/codec -> proto",
		"operators/window -> operators", "operators/window -> stream")
	expectComplaints(t, compare([]string{"a -> b", "a -> c"}, []string{"a -> b", "b -> c"}), "+ b -> c", "- a -> c")
}
