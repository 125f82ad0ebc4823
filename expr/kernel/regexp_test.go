package kernel

import (
	"regexp"
	"strings"
	"testing"
)

// TestRegexpMeansWhatJavaMeans: where RE2 reads a pattern otherwise, or not at all.
func TestRegexpMeansWhatJavaMeans(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{`a.b`, "a\rb", false},
		{`a.b`, "a\u2028b", false},
		{`a.b`, "axb", true},
		{`(?s)a.b`, "a\nb", true},
		{`(?s:a.)b.c`, "a\nb\nc", false},
		{`(?s)a(?-s:.)b`, "a\nb", false},
		{`(a(?s))b.`, "ab\n", false},
		{`^\s$`, "\v", true},
		{`^[\s]$`, "\v", true},
		{`^\S$`, "\v", false},
		{`^[\S]$`, "\v", false},
		{`^[\S]$`, "日", true},
		{`^\h$`, "\u00a0", true},
		{`^\H$`, "\u00a0", false},
		{`^\v$`, "\n", true},
		{`^\V$`, "\n", false},
		{`^[\h]$`, "\t", true},
		{`^\R$`, "\r\n", true},
		{`^\Qa.b\E.$`, "a.bc", true},
		{`^\Qa.b\E.$`, "axbc", false},
		{`\Qa[`, "a[", true},
		{`^\u0041$`, "A", true},
		{`^\0101$`, "A", true},
		{`^\x41$`, "A", true},
		{`^\x{1F600}$`, "😀", true},
		{`^\e$`, "\x1b", true},
		{`^\p{Alpha}$`, "a", true},
		{`^\p{Alpha}$`, "é", false},
		{`^\P{Alpha}$`, "1", true},
		{`^[\p{Digit}x]$`, "7", true},
		{`^\p{L}$`, "é", true},
		{`^\pL$`, "é", true},
		{`^\p{IsLatin}$`, "é", true},
		{`a{2}`, "aa", true},
		{`a{2,}?`, "aa", true},
		{`a+?`, "a", true},
		{`a??b`, "b", true},
		{`(?<year>\d{4})`, "2024", true},
		{`(?i)ABC`, "abc", true},
		{`(?:a|b)c`, "bc", true},
		{`(?m)^b$`, "a\nb", true},
		{`[]a]`, "]", true},
		{`[^]a]`, "]", false},
		{`[a\]]`, "]", true},
		{`[a\-z]`, "-", true},
		{`\é`, "é", true},
		{`[\[]`, "[", true},
	} {
		re, err := compileRegexp([]byte(c.pattern))
		if err != nil {
			t.Error(err)
			continue
		}
		if l := literalOfRegexp(re); c.want && !strings.Contains(c.text, string(l)) {
			t.Errorf("%s matches %q, which lacks %q", c.pattern, c.text, l)
		}
		if got := re.MatchString(c.text); got != c.want {
			t.Errorf("%s on %q is %v, want %v (compiled to %s)", c.pattern, c.text, got, c.want, re)
		}
	}
}

func TestRegexpRefusesWhatItCantMean(t *testing.T) {
	for _, pattern := range []string{
		`a++`, `a?+`, `a{1}+`, `(?=a)`, `(?!a)`, `(?<=a)`, `(?<!a)`, `(?>a)`, `\1`, `(?<n>a)\k<n>`, `[a&&b]`, `[a[b]]`, `[\H]`, `[\R]`, `(?u)a`, `(?U)a`, `(?a`,
		`\uD83D\uDE00`, `\u12`, `\08`, `\p{`, `\p{javaLowerCase}`, `a{x}`, `{1}`, `[a`, `a\`, `(a`, `a)`, `\Z`, `\G`, `*`, `\p`, `\cA`,
	} {
		if re, err := compileRegexp([]byte(pattern)); err == nil {
			t.Errorf("%s was compiled to %s", pattern, re)
		}
	}
}

// FuzzRegexp: no pattern makes the translation panic, and what has neither
// escapes nor classes nor groups means what RE2 says.
func FuzzRegexp(f *testing.F) {
	for _, s := range []string{`a+b`, `[^\s]*`, `(?i)x|y`, `\Q`, `[`, `(?`, `\p{L`, `a{1,2}`, `\u00e9`} {
		f.Add(s, "aab")
	}
	simple := regexp.MustCompile(`^[a-z|*?]*$`)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := compileRegexp([]byte(pattern))
		if err == nil && re.MatchString(text) && !strings.Contains(text, string(literalOfRegexp(re))) {
			t.Errorf("%q matches %q, which lacks %q", pattern, text, literalOfRegexp(re))
		}
		if err != nil || !simple.MatchString(pattern) {
			return
		}
		if twin, err := regexp.Compile(pattern); err == nil && twin.MatchString(text) != re.MatchString(text) {
			t.Errorf("%q on %q is %v", pattern, text, re.MatchString(text))
		}
	})
}
