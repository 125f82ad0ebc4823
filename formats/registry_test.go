package formats

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/options"
	"millrace/types"
)

var declared = Registry{
	"json": {Options: options.Spec{Options: []options.Option{{Key: "json.strict"}}}},
	"csv":  {Options: options.Spec{Options: []options.Option{{Key: "csv.quote"}}}},
}

func TestJoin(t *testing.T) {
	own := options.Spec{Name: "queue", Options: []options.Option{{Key: "format"}, {Key: "key.format"}}}
	for _, c := range []struct {
		name  string
		given map[string]string
		want  []string
	}{
		{"none is asked for", nil, []string{"format", "key.format"}},
		{"one", map[string]string{"format": "json"}, []string{"format", "key.format", "json.strict"}},
		{"two", map[string]string{"format": "json", "key.format": "csv"}, []string{"format", "key.format", "json.strict", "csv.quote"}},
		{"one twice", map[string]string{"format": "json", "key.format": "json"}, []string{"format", "key.format", "json.strict"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec, err := declared.Join(own, c.given, "format", "key.format")
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, o := range spec.Options {
				keys = append(keys, o.Key)
			}
			if diff := cmp.Diff(c.want, keys); diff != "" || spec.Name != own.Name {
				t.Errorf("%s: %s", spec.Name, diff)
			}
		})
	}
	if len(own.Options) != 2 {
		t.Errorf("the connector's own options have grown: %v", own.Options)
	}
}

func TestFormatsThatCannotBeHad(t *testing.T) {
	_, unknown := declared.Join(options.Spec{}, map[string]string{"format": "xml"}, "format")
	_, unread := declared.Decoder("csv", &types.Schema{}, options.Values{})
	_, unwritten := declared.Encoder("csv", &types.Schema{}, options.Values{})
	for _, err := range []error{unknown, unread, unwritten} {
		if err == nil || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%v, want an error of the user", err)
		}
	}
}
