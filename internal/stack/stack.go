// Package stack knows whose frames a panic's stack has: the user's, who wants to see them, and the engine's, which would only hide
// them.
package stack

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

const (
	// framesMax is how deep a stack is looked into; shownMax how many frames of it are shown.
	framesMax = 256
	shownMax  = 24
	// BytesMax bounds the text of a panic with its stack.
	BytesMax = 4096

	own = "millrace"
)

// Panic describes a panic, for the deferred function that recovered it and has not returned yet: what was thrown, and the stack from
// where it was thrown up to the last function of the user's. What called that is the engine, and left out. Without a function of the
// user's the stack is whole. The text is at most BytesMax long.
func Panic(thrown any) string {
	text := fmt.Sprintf("panic: %v", thrown)
	if n := BytesMax / 2; len(text) > n {
		text = text[:n] + " ..."
	}
	text = strings.ToValidUTF8(text, "")
	for _, f := range shown(frames()) {
		line := fmt.Sprintf("\n%s\n    %s:%d", f.Function, f.File, f.Line)
		if len(text)+len(line) > BytesMax {
			break
		}
		text += line
	}
	return text
}

// frames returns those below the panic, the one that threw first.
func frames() (out []runtime.Frame) {
	pcs := make([]uintptr, framesMax)
	it := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	thrown := false
	for {
		f, more := it.Next()
		switch {
		case f.Function == "runtime.gopanic":
			thrown, out = true, nil // of a panic while panicking the first is the cause
		case thrown && len(out) == 0 && strings.HasPrefix(f.Function, "runtime."): // how the runtime throws
		case thrown && f.Function != "":
			out = append(out, f)
		}
		if !more {
			return out
		}
	}
}

// shown cuts a stack behind the last function of the user's. What calls the engine is the user's again, a main or a test, and not meant.
func shown(all []runtime.Frame) []runtime.Frame {
	if i := slices.IndexFunc(all, func(f runtime.Frame) bool { return runs(packageOf(f.Function)) }); i > 0 {
		all = all[:i]
	}
	for i, f := range slices.Backward(all) {
		if users(f.Function) {
			all = all[:i+1]
			break
		}
	}
	return all[:min(len(all), shownMax)]
}

// runs tells whether a package calls what users write, while a task runs or while a job is described.
func runs(p string) bool {
	return p == own+"/taskmanager" || p == own+"/taskmanager/task" || p == own+"/cmd/command"
}

// users tells whether a function is neither the engine's nor the standard library's.
func users(function string) bool {
	p := packageOf(function)
	if p == "main" || strings.HasSuffix(p, "_test") || strings.HasPrefix(p, own+"/examples/") {
		return true
	}
	if p == own || strings.HasPrefix(p, own+"/") {
		return false
	}
	first, _, _ := strings.Cut(p, "/")
	if strings.Contains(first, ".") {
		return true
	}
	for _, m := range modules() {
		if p == m || strings.HasPrefix(p, m+"/") {
			return true
		}
	}
	return false
}

// packageOf returns the import path in a function's name: a.b/c.(*T).F is in a.b/c.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + strings.ReplaceAll(name, "%2e", ".")
}

// modules are those of the executable whose names have no dot, as only a main module's may.
var modules = sync.OnceValue(func() (out []string) {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" && info.Main.Path != own {
		out = append(out, info.Main.Path)
	}
	return out
})
