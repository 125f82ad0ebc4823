package failure_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
)

var (
	userNever       = failure.Class{Domain: failure.DomainUser, Retry: failure.Never}
	externalBackoff = failure.Class{Domain: failure.DomainExternal, Retry: failure.Backoff}
	internalRestart = failure.Class{Domain: failure.DomainInternal, Retry: failure.Restart}
)

func TestClassOf(t *testing.T) {
	broker := failure.External(io.ErrUnexpectedEOF, failure.Backoff)
	option := failure.Userf("option %q is wrong", "x")
	var problems failure.Problems
	problems.Addf("v", "f", "bad")
	cases := []struct {
		name string
		err  error
		want failure.Class
	}{
		{"nil", nil, internalRestart},
		{"unclassified", io.EOF, internalRestart},
		{"user", option, userNever},
		{"external", broker, externalBackoff},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", broker)), externalBackoff},
		{"outermost wins", failure.Internal(fmt.Errorf("a: %w", option)), internalRestart},
		{"joined: never beats backoff", errors.Join(broker, option), userNever},
		{
			"joined: the first among equals", errors.Join(failure.With(io.EOF, failure.Class{Domain: failure.DomainExternal, Retry: failure.Never}), option),
			failure.Class{Domain: failure.DomainExternal, Retry: failure.Never},
		},
		{"joined: restart beats backoff", errors.Join(broker, failure.Internalf("bug")), internalRestart},
		{"joined: unclassified parts do not count", errors.Join(io.EOF, broker), externalBackoff},
		{"joined: nothing classified", errors.Join(io.EOF, io.ErrNoProgress), internalRestart},
		{"two %w", fmt.Errorf("%w, %w", io.EOF, broker), externalBackoff},
		{"message", fmt.Errorf("parse: %w", failure.Message{Primary: "p"}), userNever},
		{"problems", fmt.Errorf("check: %w", problems.Err()), userNever},
		{"message made external", failure.External(failure.Message{Primary: "p"}, failure.Backoff), externalBackoff},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := failure.ClassOf(c.err); got != c.want {
				t.Errorf("ClassOf = %v, want %v", got, c.want)
			}
		})
	}
}

func TestClassifyingKeepsTextAndChain(t *testing.T) {
	err := fmt.Errorf("read: %w", failure.Externalf(failure.Restart, "fetch: %w", io.ErrUnexpectedEOF))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("errors.Is lost the sentinel")
	}
	if got, want := err.Error(), "read: fetch: unexpected EOF"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	var m failure.Message
	wrapped := failure.User(fmt.Errorf("x: %w", failure.Message{Primary: "p", Field: "f"}))
	if !errors.As(wrapped, &m) || m.Field != "f" {
		t.Errorf("errors.As lost the message: %+v", m)
	}
}

func TestNilStaysNil(t *testing.T) {
	for name, err := range map[string]error{
		"User":     failure.User(nil),
		"External": failure.External(nil, failure.Backoff),
		"Internal": failure.Internal(nil),
		"With":     failure.With(nil, userNever),
	} {
		if err != nil {
			t.Errorf("%s(nil) = %v", name, err)
		}
	}
}

func TestMessageText(t *testing.T) {
	cases := []struct {
		m    failure.Message
		want string
	}{
		{failure.Message{Primary: "empty graph"}, "empty graph"},
		{
			failure.Message{Primary: "no column c", Hint: "did you mean d?", Position: failure.Position{Line: 3, Column: 14}},
			"at 3:14: no column c; hint: did you mean d?",
		},
		{
			failure.Message{Primary: "parallelism too high", Detail: "300 > 128", Vertex: "window", Field: "parallelism"},
			"vertex window, field parallelism: parallelism too high (300 > 128)",
		},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, c.m.Error()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestProblems(t *testing.T) {
	var p failure.Problems
	if p.Err() != nil {
		t.Fatalf("no problem, yet %v", p.Err())
	}
	p.Addf("", "topic", "missing")
	if got := p.Err().Error(); got != "field topic: missing" {
		t.Errorf("one problem printed as %q", got)
	}
	p.AddError(nil)
	p.AddError(fmt.Errorf("wrapped: %w", failure.Message{Primary: "m", Field: "f"}))
	p.AddError(io.EOF)
	var q failure.Problems
	q.AddError(fmt.Errorf("source: %w", p.Err()))
	q.Within("v1")
	want := "3 problems:\n  vertex v1, field topic: missing\n  vertex v1, field f: m\n  vertex v1: EOF"
	if diff := cmp.Diff(want, q.Err().Error()); diff != "" {
		t.Error(diff)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var p, q failure.Problems
	for i := range failure.ProblemsMax + 7 {
		p.Addf("", "", "n %d", i)
	}
	q.Addf("", "", "first")
	q.AddError(p.Err())
	if len(q.All()) != failure.ProblemsMax || q.Len() != failure.ProblemsMax+8 {
		t.Errorf("kept %d of %d", len(q.All()), q.Len())
	}
	if !strings.HasSuffix(q.Error(), "and 8 more") {
		t.Errorf("the text does not tell what was left out: ...%s", q.Error()[len(q.Error())-40:])
	}
}
