package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "millrace"

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files in testdata")

// pkg is what the rules need to know of a package. Paths are import paths; those of our own are relative to the module.
type pkg struct {
	ImportPath string
	Imports    []string // of its non-test files
	Deps       []string // all of them, transitively
}

// listed returns the packages of the module. A package that does not compile is listed with what it imports.
var listed = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var packages []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		p.ImportPath = own(p.ImportPath)
		for _, paths := range [][]string{p.Imports, p.Deps} {
			for i := range paths {
				paths[i] = own(paths[i])
			}
		}
		packages = append(packages, p)
	}
})

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := listed()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return out
}

const root = "../.."

// ownMark stands in front of the paths of our own packages, so that none is mistaken for one of the standard library.
const ownMark = "./"

// own makes the path of one of our packages relative: "./stream" for "millrace/stream".
func own(importPath string) string {
	if rest, ok := strings.CutPrefix(importPath, module+"/"); ok {
		return ownMark + rest
	}
	return importPath
}

func isOwn(p string) bool { return strings.HasPrefix(p, ownMark) }

// isThirdParty: the first element of such a path has a dot.
func isThirdParty(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !isOwn(p) && strings.Contains(first, ".")
}

// within reports whether p is folder or below it.
func within(p, folder string) bool {
	p, folder = strings.TrimPrefix(p, ownMark), strings.TrimPrefix(folder, ownMark)
	return p == folder || strings.HasPrefix(p, folder+"/")
}

func withinAny(p string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return within(p, f) })
}

// top returns the first element of the path of one of our packages.
func top(p string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, ownMark), "/")
	return first
}

// isTestRoom tells packages that exist for tests: xtest folders and internal/testutil.
func isTestRoom(p string) bool {
	return strings.HasSuffix(path.Base(p), "test") || within(p, "internal/testutil")
}

// source is a parsed Go file of ours.
type source struct {
	path      string // relative to the module, with slashes
	fset      *token.FileSet
	file      *ast.File
	lines     int
	generated bool
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// folder is the package's path, as that of pkg without the mark.
func (s source) folder() string { return path.Dir(s.path) }

// at names the place of a node.
func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return s.path + ":" + strconv.Itoa(p.Line)
}

func parse(name, text string) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{name, fset, file, strings.Count(text, "\n"), ast.IsGenerated(file)}, nil
}

// planted parses a file that breaks rules on purpose.
func planted(t *testing.T, name, text string) source {
	t.Helper()
	s, err := parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files returns the texts of the module whose names match, by their path. Folders that hold no source of ours are left out.
func files(match func(name string) bool) (map[string]string, error) {
	out := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != root && (name == "bin" || name == "testdata" || (strings.HasPrefix(name, ".") && name != ".ci")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !match(d.Name()) {
			return nil
		}
		text, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		out[filepath.ToSlash(rel)] = string(text)
		return err
	})
	return out, err
}

// parsed returns every Go file of the module, sorted by path. A file that does not parse is left out: the compiler
// says so better.
var parsed = sync.OnceValues(func() ([]source, error) {
	texts, err := files(func(name string) bool { return strings.HasSuffix(name, ".go") })
	if err != nil {
		return nil, err
	}
	var out []source
	for name, text := range texts {
		if s, err := parse(name, text); err == nil {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b source) int { return strings.Compare(a.path, b.path) })
	return out, nil
})

func sources(t *testing.T) []source {
	t.Helper()
	out, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// imported returns the names under which a file imports paths for which match holds.
func (s source) imported(match func(path string) bool) map[string]string {
	out := map[string]string{}
	for _, spec := range s.file.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		if !match(p) {
			continue
		}
		name := path.Base(p)
		if isVersion(name) {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[name] = p
	}
	return out
}

func isVersion(element string) bool {
	return len(element) > 1 && element[0] == 'v' && strings.Trim(element[1:], "0123456789") == ""
}

// called returns package and function of a call like name.Function, by the name that the file has for the package.
func called(call *ast.CallExpr) (pkgName, function string) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := selector.X.(*ast.Ident)
	if !ok {
		return "", selector.Sel.Name
	}
	return id.Name, selector.Sel.Name
}

// report fails the test with each complaint on a line.
func report(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		t.Error(c)
	}
}

// expectComplaints compares what a checker says about planted violations.
func expectComplaints(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
