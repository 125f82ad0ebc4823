package faultplan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/faultplan"
)

var vocabulary = faultplan.Vocabulary{
	"create": {"err=unavailable", "err=lost-reply", "torn"},
	"read":   {"err=unavailable", "corrupt"},
}

func TestParseAndPrint(t *testing.T) {
	cases := []struct{ text, printed, problem string }{
		{"", "", ""},
		{" ; ", "", ""},
		{"create nth=3 err=unavailable", "create nth=3 err=unavailable", ""},
		{"read corrupt   prefix=job/x times=2;any err=unavailable", "read times=2 prefix=job/x corrupt; any err=unavailable", ""},
		{"delete err=unavailable", "", `no operation "delete"`},
		{"read torn", "", `operation "read" has no action "torn"`},
		{"read nth=0 corrupt", "", "want a number from 1 on"},
		{"read nth=+1 corrupt", "", "want a number from 1 on"},
		{"read nth=1 nth=2 corrupt", "", "said twice"},
		{"read corrupt corrupt", "", "said twice"},
		{"read prefix= corrupt", "", "empty"},
		{"read nth=1", "", "no action"},
		{strings.Repeat("read corrupt;", 65), "", "at most 64"},
		{strings.Repeat(" ", 17<<10), "", "at most 16384"},
		{"x y; z", "", "2 problems"},
	}
	for _, c := range cases {
		plan, err := faultplan.Parse(c.text, vocabulary)
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("Parse(%q): %v", c.text, err)
		case c.problem == "" && plan.String() != c.printed:
			t.Errorf("Parse(%q) prints %q, want %q", c.text, plan.String(), c.printed)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("Parse(%q): %v, want %q", c.text, err, c.problem)
		}
	}
}

func TestCounter(t *testing.T) {
	plan, err := faultplan.Parse("create nth=2 times=2 err=lost-reply; any prefix=x/ err=unavailable; create nth=3 torn", vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	c := faultplan.NewCounter(plan, vocabulary)
	var got []string
	for _, call := range []string{"create a", "create b", "create x/c", "create x/d", "read x/e", "read f", "create g", "delete x/h"} {
		op, key, _ := strings.Cut(call, " ")
		got = append(got, call+": "+c.Action(op, key))
	}
	want := []string{
		"create a: ", "create b: err=lost-reply", "create x/c: err=lost-reply", "create x/d: err=unavailable",
		"read x/e: err=unavailable", "read f: ", "create g: ", "delete x/h: ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 2, 0}, c.Fired()); diff != "" || c.FiredTotal() != 4 {
		t.Errorf("fired %d: %s", c.FiredTotal(), diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("create nth=3 err=unavailable; read prefix=job/x corrupt; any times=2 err=lost-reply")
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := faultplan.Parse(text, vocabulary)
		if err != nil {
			return
		}
		again, err := faultplan.Parse(plan.String(), vocabulary)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", text, plan, err)
		}
		if diff := cmp.Diff(plan, again); diff != "" {
			t.Errorf("%q printed as %q: %s", text, plan, diff)
		}
	})
}
