package kernel

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// likeTwin is LIKE by trying everything.
func likeTwin(text, pattern []rune, escape rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	switch c := pattern[0]; {
	case c == escape:
		return len(text) > 0 && text[0] == pattern[1] && likeTwin(text[1:], pattern[2:], escape)
	case c == '%':
		for i := range len(text) + 1 {
			if likeTwin(text[i:], pattern[1:], escape) {
				return true
			}
		}
		return false
	case len(text) == 0 || c != '_' && c != text[0]:
		return false
	}
	return likeTwin(text[1:], pattern[1:], escape)
}

func TestLikeEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "b", "é", "日", "%", "_", "!%", "!_", "!!"})
		pattern := strings.Join(rapid.SliceOfN(piece, 0, 7).Draw(t, "pattern"), "")
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "é", "日", "%", "_", "!"}), 0, 7).Draw(t, "text"), "")
		var l likePattern
		if err := l.of([]byte(pattern), []byte("!"), true); err != nil {
			t.Fatal(err)
		}
		if got, want := l.match([]byte(text)), likeTwin([]rune(text), []rune(pattern), '!'); got != want {
			t.Fatalf("%q LIKE %q is %v", text, pattern, got)
		}
	})
}

// FuzzLike: no bytes make LIKE or SPLIT_INDEX panic; a text is like itself,
// and like itself between %.
func FuzzLike(f *testing.F) {
	f.Add([]byte("a%b"), []byte("a_%b"), []byte("\\"))
	f.Add([]byte("\xff日"), []byte("_\xff%"), []byte(""))
	f.Fuzz(func(t *testing.T, text, pattern, escape []byte) {
		var l likePattern
		if l.of(pattern, escape, len(escape) > 0) == nil {
			l.match(text)
		}
		if !bytes.ContainsAny(text, "%_") {
			for _, p := range [][]byte{text, slicesOf("%", text, "%"), slicesOf(text, "%"), slicesOf("%", text)} {
				if err := l.of(p, nil, false); err != nil || !l.match(text) {
					t.Errorf("%q is not like %q (%v)", text, p, err)
				}
			}
		}
	})
}

func slicesOf(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func FuzzSplitIndex(f *testing.F) {
	f.Add("a,b,,c", ",", 2)
	f.Add("", "", 0)
	f.Add("a b", "", 1)
	f.Fuzz(func(t *testing.T, text, delimiter string, index int) {
		got, ok := splitPart([]byte(text), []byte(delimiter), index)
		if text == "" || delimiter == "" {
			return
		}
		parts := strings.Split(text, delimiter)
		if want := index >= 0 && index < len(parts); ok != want || ok && string(got) != parts[index] {
			t.Errorf("part %d of %q by %q is %q, %v", index, text, delimiter, got, ok)
		}
	})
}
