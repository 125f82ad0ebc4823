package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// walked are pages that walk through an example.
var walked = []string{"bids", "enrichment", "fraud", "routing", "sessions"}

// programOf returns the files of the program that a page walks through.
func programOf(t *testing.T, page string) (text string) {
	t.Helper()
	folder := filepath.Join(root, "examples", page)
	files := []string{filepath.Join(folder, "main.go")}
	if page == project {
		var err error
		if files, err = filepath.Glob(filepath.Join(root, "tests/program/testdata/shop/*.go")); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		part, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text += string(part)
	}
	return text
}

// project is the page of a program that is a module of its own, whose commands tests/program carries out.
const project = "project"

// TestGoStandsInExamples: the Go that the pages of examples show is theirs, word for word, so it compiles and is run by their tests.
func TestGoStandsInExamples(t *testing.T) {
	for _, name := range append(slices.Clone(walked), project) {
		page, err := os.ReadFile(filepath.Join("sdk", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		program := programOf(t, name)
		parts := strings.Split(string(page), "```go\n")[1:]
		if len(parts) == 0 {
			t.Errorf("the page of %s shows nothing of it", name)
		}
		for _, part := range parts {
			if code, _, _ := strings.Cut(part, "```"); !strings.Contains(program, code) {
				t.Errorf("the page of %s shows what is not in it:\n%s", name, code)
			}
		}
		if lines := strings.Count(program, "\n"); lines >= 100 && name != project {
			t.Errorf("%s has %d lines, and an example should have less than 100", name, lines)
		}
	}
}

var (
	ofSDK     = regexp.MustCompile(`\bsdk\.([A-Z]\w*)`)
	ofSDKTest = regexp.MustCompile(`\bsdktest\.([A-Z]\w*)`)
)

// TestNamesOfTheSDKAreThere: what pages call sdk.X and sdktest.X is exported.
func TestNamesOfTheSDKAreThere(t *testing.T) {
	for of, names := range map[*regexp.Regexp][]string{ofSDK: exported(t, "sdk"), ofSDKTest: exported(t, "sdk/sdktest")} {
		for _, p := range pages(t) {
			if p.isPlan() {
				continue
			}
			for _, m := range of.FindAllStringSubmatch(p.text, -1) {
				if !slices.Contains(names, m[1]) {
					t.Errorf("%s: there is no %s", p.name, m[0])
				}
			}
		}
	}
}

// exported returns the names that a package exports.
func exported(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names = append(names, d.Name.Name)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						names = append(names, s.Name.Name)
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return names
}
