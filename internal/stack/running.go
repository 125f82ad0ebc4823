package stack

import (
	"runtime"
	"strings"
)

const (
	// goroutinesBytesMax bounds the text of all goroutines that is looked into, runningMax how many of them are told.
	goroutinesBytesMax = 16 << 20
	runningMax         = 4
)

// Running returns the stacks of goroutines that a function of the engine's called and that are in code of the user's, each from where it is to the last function
// of the user's. The function is named as the runtime does: millrace/taskmanager.(*attempt).runTask. At most runningMax stacks of at most BytesMax.
func Running(function string) (out []string) {
	text := make([]byte, 1<<20)
	n := runtime.Stack(text, true)
	for n == len(text) && n < goroutinesBytesMax {
		text = make([]byte, 2*len(text))
		n = runtime.Stack(text, true)
	}
	for g := range strings.SplitSeq(string(text[:n]), "\n\n") {
		if s := under(g, function); s != "" {
			out = append(out, s)
		}
		if len(out) == runningMax {
			break
		}
	}
	return out
}

// under returns what the goroutine does in code of the user's; "" if it is not under the function or in none.
func under(goroutine, function string) string {
	_, rest, _ := strings.Cut(goroutine, "\n") // "goroutine 7 [running]:"
	var all []runtime.Frame
	found := false
	lines := strings.Split(rest, "\n")
	for i := 0; i+1 < len(lines); i += 2 { // a call, and where it stands
		name := lines[i]
		if strings.HasPrefix(name, "created by ") {
			break
		}
		if end := strings.LastIndexByte(name, '('); end > 0 { // its arguments
			name = name[:end]
		}
		found = found || name == function
		all = append(all, runtime.Frame{Function: name, File: strings.TrimSpace(lines[i+1])})
	}
	if !found {
		return ""
	}
	own := shown(all)
	if len(own) == 0 || !users(own[len(own)-1].Function) {
		return ""
	}
	var text strings.Builder
	for _, f := range own {
		at, _, _ := strings.Cut(f.File, " +0x")
		line := "\n" + f.Function + "\n    " + at
		if text.Len()+len(line) > BytesMax {
			break
		}
		text.WriteString(line)
	}
	return strings.TrimPrefix(text.String(), "\n")
}
