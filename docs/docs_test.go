package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"millrace/cmd/cluster"
	"millrace/cmd/command/config"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
)

const root = ".."

// page is a Markdown file.
type page struct {
	path string // from here
	name string // from the root
	text string
}

// pages returns README and its neighbours, and everything in docs.
func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	add := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.ToSlash(filepath.Join("docs", path))
		out = append(out, page{path, name, string(text)})
	}
	top, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range top {
		add(path)
	}
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			add(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// isPlan tells pages that speak of what is to be built, and may name what is not there.
func (p page) isPlan() bool {
	return strings.HasPrefix(p.name, "docs/design/") || strings.HasPrefix(p.name, "docs/checklists/") || p.name == "docs/dependencies.md"
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := p.path
			if target != "" {
				to = filepath.Join(filepath.Dir(p.path), filepath.FromSlash(target))
			}
			text, err := os.ReadFile(to)
			if info, serr := os.Stat(to); serr == nil && info.IsDir() {
				err = nil
			}
			switch {
			case err != nil:
				t.Errorf("%s: the link %s leads nowhere", p.name, m[1])
			case anchor != "" && !slices.Contains(anchors(string(text)), anchor):
				t.Errorf("%s: %s has no heading %s", p.name, target, anchor)
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors returns the headings of a page as links name them.
func anchors(text string) (out []string) {
	for line := range strings.Lines(text) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			heading = notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			out = append(out, strings.ReplaceAll(heading, " ", "-"))
		}
	}
	return out
}

var (
	inline   = regexp.MustCompile("`([^`\n]+)`")
	pathLike = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$`)
)

// code returns what stands in single backticks outside of blocks.
func (p page) code() (out []string) {
	for i, part := range strings.Split(p.text, "```") {
		if i%2 == 1 {
			continue
		}
		for _, m := range inline.FindAllStringSubmatch(part, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// TestNamedFilesAreThere takes for a file what begins with a folder of ours.
func TestNamedFilesAreThere(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]bool{}
	for _, e := range entries {
		folders[e.Name()] = e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin"
	}
	for _, p := range pages(t) {
		if p.isPlan() {
			continue
		}
		for _, name := range p.code() {
			first, _, _ := strings.Cut(name, "/")
			if !strings.Contains(name, "/") || !pathLike.MatchString(name) || !folders[first] {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
				t.Errorf("%s names %s, which is not there", p.name, name)
			}
		}
	}
}

var (
	testName = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
)

func TestNamedTestsAreThere(t *testing.T) {
	known := map[string]bool{}
	for _, text := range goFiles(t, root, "_test.go") {
		for _, m := range testFunc.FindAllStringSubmatch(text, -1) {
			known[m[1]] = true
		}
	}
	for _, p := range pages(t) {
		for _, name := range p.code() {
			if testName.MatchString(name) && !known[name] {
				t.Errorf("%s names the test %s, which is not there", p.name, name)
			}
		}
	}
}

// goFiles returns the texts of the Go files below a folder whose names end so.
func goFiles(t *testing.T, dir, end string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, end) {
			return nil
		}
		text, err := os.ReadFile(path)
		out = append(out, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// commands returns the command lines of a page: the lines of its blocks, and what stands in backticks.
func (p page) commands() []string {
	var out []string
	for i, part := range strings.Split(p.text, "```") {
		if i%2 == 1 {
			out = append(out, strings.Split(part, "\n")...)
			continue
		}
		for line := range strings.Lines(part) {
			if indented, ok := strings.CutPrefix(line, "    "); ok {
				out = append(out, indented)
			}
		}
	}
	return append(out, p.code()...)
}

var (
	makeTarget = regexp.MustCompile(`^make ([a-z][a-z -]*)`)
	target     = regexp.MustCompile(`(?m)^([a-z][a-z -]*):`)
)

func TestMakeTargetsAreThere(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		for name := range strings.FieldsSeq(m[1]) {
			known[name] = true
		}
	}
	for _, p := range pages(t) {
		for _, line := range p.commands() {
			m := makeTarget.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			for name := range strings.FieldsSeq(m[1]) {
				if !known[name] {
					t.Errorf("%s: make has no target %s", p.name, name)
				}
			}
		}
	}
}

var (
	use     = regexp.MustCompile(`(?:Use:\s*|onJob\()"([a-z]+)`)
	words   = regexp.MustCompile(`^(?:bin/)?millrace((?: [a-z]+)*)(.*)`)
	flagged = regexp.MustCompile(` --([a-z-]+)`)
)

// TestCommandsAreThere looks for the words and flags of command lines in the sources of the command: its package gives no
// list of them.
func TestCommandsAreThere(t *testing.T) {
	source := strings.Join(goFiles(t, filepath.Join(root, "cmd", "command"), ".go"), "\n")
	known := map[string]bool{"help": true}
	for _, m := range use.FindAllStringSubmatch(source, -1) {
		known[m[1]] = true
	}
	for _, p := range pages(t) {
		if p.isPlan() {
			continue
		}
		for _, line := range p.commands() {
			m := words.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			for word := range strings.FieldsSeq(m[1]) {
				if !known[word] {
					t.Errorf("%s: millrace has no command %s (%s)", p.name, word, line)
				}
			}
			for _, f := range flagged.FindAllStringSubmatch(m[2], -1) {
				if f[1] != "help" && !strings.Contains(source, `"`+f[1]+`"`) {
					t.Errorf("%s: no command has the flag --%s (%s)", p.name, f[1], line)
				}
			}
		}
	}
}

var graphFile = regexp.MustCompile(`[a-z][\w./-]*\.json\b`)

// TestJobGraphsCanBeSubmitted checks every job graph in a page, and every graph file that a page names.
func TestJobGraphsCanBeSubmitted(t *testing.T) {
	known := cluster.NewWiring(nil).Known()
	found := map[string][]byte{}
	for _, p := range pages(t) {
		for i, part := range strings.Split(p.text, "```") {
			if text, ok := strings.CutPrefix(part, "json\n"); ok && i%2 == 1 && strings.Contains(text, `"vertices"`) {
				found[p.name+", "+strings.TrimSpace(text[:min(40, len(text))])] = []byte(text)
			}
		}
		for _, name := range graphFile.FindAllString(p.text, -1) {
			if text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name))); err == nil {
				found[name] = text
			}
		}
	}
	if len(found) < 2 {
		t.Errorf("%d job graphs in the pages: are they still found?", len(found))
	}
	for name, text := range found {
		g, err := codec.ParseJSON(text)
		if err == nil { // brokers are filled in before a graph is sent
			err = jobgraph.Validate(config.WithBrokers(g, "localhost:9092"), known)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
