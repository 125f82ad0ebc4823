package codec_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/failure"
	"millrace/jobgraph/codec"
)

func mainJob(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../testdata/bids-per-auction.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGraphFileReadsBack(t *testing.T) {
	g, err := codec.ParseJSON(mainJob(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := codec.FormatJSON(g)
	if err != nil {
		t.Fatal(err)
	}
	again, err := codec.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, again, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the graph changed on its way through JSON (-before +after):\n%s", diff)
	}
}

func TestWrongGraphFiles(t *testing.T) {
	whole := string(mainJob(t))
	cases := []struct {
		name, text string
		want       failure.Message
	}{
		{
			"an unknown field has its nearest name", strings.Replace(whole, `"max_parallelism"`, `"max_paralelism"`, 1),
			failure.Message{Primary: `unknown field "max_paralelism"`, Field: "max_paralelism", Hint: "did you mean max_parallelism?", Position: failure.Position{Line: 3, Column: 3}},
		},
		{
			"a type that does not exist", strings.Replace(whole, `"TYPE_KIND_BIGINT"`, `"BIGINT"`, 1),
			failure.Message{Primary: `invalid value for enum field kind: "BIGINT"`, Position: failure.Position{Line: 30, Column: 50}},
		},
		{
			"a duration without a unit", strings.Replace(whole, `"delay": "4s"`, `"delay": 4`, 1),
			failure.Message{Primary: `syntax error unexpected token 4`, Position: failure.Position{Line: 39, Column: 45}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := codec.ParseJSON([]byte(c.text))
			var got failure.Message
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a message", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, text := range []string{"", "[]", "{", "null", whole[:len(whole)/2], strings.Repeat(" ", codec.BytesMax+1)} {
		if _, err := codec.ParseJSON([]byte(text)); err == nil {
			t.Errorf("a broken file was read: %.20q", text)
		} else if failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%.20q: %v is not the user's", text, err)
		}
	}
}
