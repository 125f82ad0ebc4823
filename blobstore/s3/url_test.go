package s3

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
)

func TestParametersAreDeclaredWell(t *testing.T) {
	if err := Parameters.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseURL(t *testing.T) {
	defaults := location{partBytes: 8 << 20, concurrency: 4, checksumsAlways: true, timeout: 30 * time.Second}
	with := func(change func(*location)) location { l := defaults; change(&l); return l }
	cases := map[string]location{
		"s3://b":                     with(func(l *location) { l.bucket = "b" }),
		"s3://my.bucket/":            with(func(l *location) { l.bucket = "my.bucket" }),
		"s3://b/team/prod/":          with(func(l *location) { l.bucket, l.prefix = "b", "team/prod/" }),
		"s3://b?region=eu-central-1": with(func(l *location) { l.bucket, l.region = "b", "eu-central-1" }),
		"s3://b?endpoint=http://127.0.0.1:9000": with(func(l *location) {
			l.bucket, l.endpoint, l.pathStyle = "b", "http://127.0.0.1:9000", true
		}),
		"s3://b?endpoint=https%3A%2F%2Fs3.example.org&path-style=false": with(func(l *location) {
			l.bucket, l.endpoint = "b", "https://s3.example.org"
		}),
		"s3://b?part-size=64mb&upload-concurrency=8&checksums=when-required&request-timeout=5s": with(func(l *location) {
			l.bucket, l.partBytes, l.concurrency, l.checksumsAlways, l.timeout = "b", 64<<20, 8, false, 5*time.Second
		}),
	}
	for text, want := range cases {
		got, err := parseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(want, got, cmp.AllowUnexported(location{})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", text, diff)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	cases := map[string][]string{
		"":                                   {"scheme:"},
		"://":                                {"want s3://"},
		"gs://b":                             {`scheme: "gs"`},
		"s3:///prefix":                       {"bucket:"},
		"s3://b:80/x":                        {"bucket:"},
		"s3://key:hunter2@b/x":               {"credentials do not belong"},
		"s3://b/a//b":                        {"prefix:"},
		"s3://b/../x":                        {"prefix:"},
		"s3://b/" + strings.Repeat("x", 300): {"prefix:"},
		"s3://b?regoin=x":                    {"regoin: unknown option", `did you mean "region"`},
		"s3://b?region=a&region=b":           {"region: given 2 times"},
		"s3://b?endpoint=127.0.0.1:9000":     {"endpoint:"},
		"s3://b?endpoint=ftp://x":            {"endpoint:"},
		"s3://b?path-style=maybe":            {"path-style:"},
		"s3://b?part-size=1mb":               {"part-size:", "less than"},
		"s3://b?a=%zz":                       {"parameters:"},
		"s3://b#x":                           {"fragment:"},
		"s3:///a//b?regoin=x&part-size=1b":   {"bucket:", "prefix:", "regoin:", "part-size:"},
		"s3://" + strings.Repeat("b", 5000):  {"at most 4096"},
	}
	for text, words := range cases {
		_, err := parseURL(text)
		if err == nil {
			t.Errorf("%.40q: accepted", text)
			continue
		}
		if failure.ClassOf(err).Domain != failure.DomainUser || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.40q: %v: want an error of the user's without secrets", text, err)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%.40q: no %q in %q", text, word, err)
			}
		}
	}
}

// FuzzParseURL: no URL panics, and what is accepted is within bounds.
func FuzzParseURL(f *testing.F) {
	f.Add("s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=x&part-size=64mb")
	f.Add("s3://u:p@b/..//?a=%zz&a=b#x")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseURL(text)
		if err != nil {
			return
		}
		if l.bucket == "" || len(l.prefix) > prefixBytesMax+1 || l.prefix != "" && !strings.HasSuffix(l.prefix, "/") ||
			l.partBytes < 5<<20 || l.concurrency < 1 || l.timeout < time.Second {
			t.Errorf("%q gives %+v", text, l)
		}
	})
}
