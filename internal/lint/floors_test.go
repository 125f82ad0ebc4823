package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// floors says on which floor a top folder lives. What is missing here has no place yet.
var floors = map[string]int{
	"internal": 0, "failure": 0, "options": 0, "proto": 0,
	"types": 1, "stream": 1, "expr": 1, "jobgraph": 1,
	"blobstore": 2, "formats": 2, "exchange": 2, "catalog": 2, "statebackend": 2, "web": 2,
	"operators": 3, "connectors": 3, "scheduler": 3, "checkpoint": 3, "sql": 3,
	"taskmanager": 4, "jobmanager": 4,
	"cmd": 5, "sdk": 5, "sim": 5, "tests": 5, "bench": 5, "examples": 5, "deploy": 5, "docs": 5,
}

// level is an arrow that is allowed on one floor.
type level struct{ from, to string }

var levels = []level{
	{"expr", "types"},
	{"jobgraph", "types"},
	{"jobgraph", "expr"},
	{"stream", "types"},
	{"expr/kernel", "stream"},
	{"statebackend", "blobstore"},
	{"connectors", "operators"},
}

// libraries are sub-folders that others may name: parts of a contract that stand on their own, not implementations of
// it. Codecs are among them, watermark generators, since a source task runs one a split, how results of queries lie in
// the store, since a sink writes and the job manager gives them, and the texts of scalars, which stand in the names of directories
// as in records.
var libraries = []string{"internal", "proto", "expr/kernel", "exchange/align", "exchange/frame", "exchange/inflight", "jobgraph/codec", "checkpoint/codec", "operators/watermark", "blobstore/results", "formats/scalar"}

func TestEveryFolderHasAFloor(t *testing.T) { report(t, checkKnown(packages(t))) }

func checkKnown(packages []pkg) (out []string) {
	for _, p := range packages {
		if _, ok := floors[top(p.ImportPath)]; !ok && p.ImportPath != module {
			out = append(out, fmt.Sprintf("%s: the folder %s has no floor", p.ImportPath, top(p.ImportPath)))
		}
	}
	return out
}

// Rule 1.
func TestImportsGoDownwards(t *testing.T) { report(t, checkDownwards(packages(t))) }

func checkDownwards(packages []pkg) (out []string) {
	eachArrow(packages, func(from, to string) {
		a, b := floors[top(from)], floors[top(to)]
		if a == 5 || b < a || (a == b && mayStayLevel(from, to)) {
			return
		}
		out = append(out, fmt.Sprintf("%s (floor %d) imports %s (floor %d)", from, a, to, b))
	})
	return out
}

func mayStayLevel(from, to string) bool {
	if isGround(from) && isGround(to) {
		return true
	}
	return slices.ContainsFunc(levels, func(l level) bool { return within(from, l.from) && within(to, l.to) })
}

// isGround tells what everybody may stand on: internal, and beside it what programs of other modules name too.
func isGround(p string) bool {
	return slices.Contains([]string{"internal", "failure", "options"}, top(p))
}

// eachArrow runs f for each import among our own packages that crosses a top folder or, within one, leaves a room.
func eachArrow(packages []pkg, f func(from, to string)) {
	for _, p := range packages {
		for _, imported := range p.Imports {
			if isOwn(imported) && (top(imported) != top(p.ImportPath) || top(imported) == "internal") {
				f(p.ImportPath, imported)
			}
		}
	}
}

// Rule 2.
func TestOnlyWiringNamesImplementations(t *testing.T) { report(t, checkRoots(packages(t))) }

func checkRoots(packages []pkg) (out []string) {
	for _, p := range packages {
		if floors[top(p.ImportPath)] == 5 || isTestRoom(p.ImportPath) {
			continue
		}
		isRoot := !strings.Contains(strings.TrimPrefix(p.ImportPath, ownMark), "/")
		for _, imported := range p.Imports {
			switch {
			case !isOwn(imported) || !strings.Contains(strings.TrimPrefix(imported, ownMark), "/"):
			case isTestRoom(imported):
				out = append(out, fmt.Sprintf("%s imports %s, which is for tests", p.ImportPath, imported))
			case withinAny(imported, libraries):
			case top(imported) != top(p.ImportPath):
				out = append(out, fmt.Sprintf("%s names the implementation %s", p.ImportPath, imported))
			case isRoot && !isPartOfShell(p.ImportPath, imported):
				out = append(out, fmt.Sprintf("the root %s imports its own %s", p.ImportPath, imported))
			}
		}
	}
	return out
}

// isPartOfShell: the two shells of floor 4 are put together from their parts by their roots. What is below a part, such as
// an implementation of the coordination store, is chosen by wiring.
func isPartOfShell(root, imported string) bool {
	return floors[top(root)] == 4 && ownMark+path.Dir(imported) == root
}

// Rule 3 follows from rule 1 as long as both are on one floor; it is here by name so that it survives a change of floors.
func TestManagersMeetInContractsOnly(t *testing.T) { report(t, checkManagers(packages(t))) }

func checkManagers(packages []pkg) (out []string) {
	for _, p := range packages {
		for _, pair := range []level{{"jobmanager", "taskmanager"}, {"taskmanager", "jobmanager"}} {
			if !within(p.ImportPath, pair.from) {
				continue
			}
			for _, d := range p.Deps {
				if isOwn(d) && within(d, pair.to) {
					out = append(out, fmt.Sprintf("%s depends on %s", p.ImportPath, d))
				}
			}
		}
	}
	return out
}

// Rule 4.
var (
	control    = []string{"jobmanager", "scheduler", "checkpoint", "sql", "jobgraph"}
	rows       = []string{"stream", "operators", "connectors", "exchange", "expr/kernel"}
	data       = []string{"operators", "connectors", "exchange", "statebackend", "formats", "blobstore", "stream"}
	notForData = []string{"jobmanager", "scheduler", "checkpoint", "sql", "catalog"}
)

func TestControlTouchesNoRowAndDataKnowsNoControl(t *testing.T) { report(t, checkControl(packages(t))) }

func checkControl(packages []pkg) (out []string) {
	for _, p := range packages {
		for _, d := range p.Deps {
			arrow := strings.HasPrefix(d, "github.com/apache/arrow-go")
			if withinAny(p.ImportPath, control) && (arrow || (isOwn(d) && withinAny(d, rows))) {
				out = append(out, fmt.Sprintf("%s is control and depends on %s", p.ImportPath, d))
			}
			if withinAny(p.ImportPath, data) && isOwn(d) && withinAny(d, notForData) {
				out = append(out, fmt.Sprintf("%s is data and depends on %s", p.ImportPath, d))
			}
		}
	}
	return out
}

// Rule 6. A library that is not here has no room yet. Floor 5 may import anything, and so may the rooms of tests.
var quarantine = map[string][]string{
	"github.com/twmb/franz-go":            {"connectors/kafka", "catalog/kafka"},
	"github.com/dgraph-io/badger":         {"statebackend/badger"},
	"go.etcd.io/etcd":                     {"jobmanager/coord/etcd"},
	"go.uber.org/zap":                     {"jobmanager/coord/etcd"},
	"gocloud.dev":                         {"blobstore/s3"},
	"github.com/aws":                      {"blobstore/s3"},
	"github.com/apache/arrow-go":          {"connectors/files", "formats/arrow", "formats/parquet", "statebackend", "sdk"},
	"go.opentelemetry.io/otel":            {"internal/metrics"},
	"github.com/prometheus/client_golang": {"internal/metrics"},
	"google.golang.org/grpc":              {"proto", "exchange/remote", "jobmanager", "taskmanager"},
	"google.golang.org/protobuf":          {"proto", "jobgraph/codec", "checkpoint/codec", "exchange/remote", "jobmanager", "taskmanager", "connectors", "formats/protobuf"},
	"github.com/cockroachdb/apd":          {"stream", "expr", "formats"},
	"github.com/klauspost/compress":       {"connectors", "formats", "statebackend", "exchange/remote"},
	"github.com/tetratelabs/wazero":       {"operators/wasm"},
	"github.com/twmb/avro":                {"formats/avro"},
	"golang.org/x/sync":                   {"taskmanager", "jobmanager", "connectors", "blobstore"},
	"golang.org/x/sys":                    {"blobstore/localfs", "statebackend", "taskmanager", "internal/testutil/netns"},
}

func TestThirdPartiesStayInTheirRooms(t *testing.T) { report(t, checkQuarantine(packages(t))) }

func checkQuarantine(packages []pkg) (out []string) {
	for _, p := range packages {
		if floors[top(p.ImportPath)] == 5 || isTestRoom(p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			if !isThirdParty(imported) {
				continue
			}
			library, rooms := roomsOf(imported)
			switch {
			case within(p.ImportPath, "types"):
				out = append(out, fmt.Sprintf("%s imports %s: the standard library only", p.ImportPath, imported))
			case library == "":
				out = append(out, fmt.Sprintf("%s imports %s, which has no room yet", p.ImportPath, imported))
			case !withinAny(p.ImportPath, rooms):
				out = append(out, fmt.Sprintf("%s imports %s, which lives in %s", p.ImportPath, imported, strings.Join(rooms, ", ")))
			}
		}
	}
	return out
}

func roomsOf(imported string) (library string, rooms []string) {
	for l, r := range quarantine {
		if within(imported, l) && len(l) > len(library) {
			library, rooms = l, r
		}
	}
	return library, rooms
}

func TestRulesOfFloorsFindViolations(t *testing.T) {
	one := func(from string, to ...string) []pkg { return []pkg{{ImportPath: from, Imports: to, Deps: to}} }
	expectComplaints(t, checkKnown(one("./utils/x")), "./utils/x: the folder utils has no floor")
	expectComplaints(t, checkDownwards(one("./stream", "./operators", "./types", "./expr", "fmt")),
		"./stream (floor 1) imports ./operators (floor 3)", "./stream (floor 1) imports ./expr (floor 1)")
	expectComplaints(t, checkDownwards(one("./expr/kernel", "./stream")))
	expectComplaints(t, checkDownwards(one("./expr", "./stream")), "./expr (floor 1) imports ./stream (floor 1)")
	expectComplaints(t, checkRoots(one("./operators", "./operators/window", "./statebackend/badger", "./expr/kernel", "./stream/streamtest")),
		"the root ./operators imports its own ./operators/window", "./operators names the implementation ./statebackend/badger",
		"./operators imports ./stream/streamtest, which is for tests")
	expectComplaints(t, checkRoots(one("./cmd/millrace", "./statebackend/badger")))
	expectComplaints(t, checkRoots(one("./jobmanager", "./jobmanager/coord", "./jobmanager/coord/etcd")),
		"the root ./jobmanager imports its own ./jobmanager/coord/etcd")
	expectComplaints(t, checkManagers(one("./taskmanager/task", "./jobmanager")), "./taskmanager/task depends on ./jobmanager")
	expectComplaints(t, checkControl(one("./checkpoint", "./stream", "github.com/apache/arrow-go/v18/arrow", "./types")),
		"./checkpoint is control and depends on ./stream",
		"./checkpoint is control and depends on github.com/apache/arrow-go/v18/arrow")
	expectComplaints(t, checkControl(one("./formats/json", "./catalog")), "./formats/json is data and depends on ./catalog")
	expectComplaints(t, checkQuarantine(one("./operators", "github.com/twmb/franz-go/pkg/kgo", "example.org/x", "fmt")),
		"./operators imports github.com/twmb/franz-go/pkg/kgo, which lives in connectors/kafka, catalog/kafka",
		"./operators imports example.org/x, which has no room yet")
	expectComplaints(t, checkQuarantine(one("./connectors/kafka", "github.com/twmb/franz-go/pkg/kgo")))
	expectComplaints(t, checkQuarantine(one("./types", "github.com/cockroachdb/apd/v3")),
		"./types imports github.com/cockroachdb/apd/v3: the standard library only")
}
