package kernel

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// FuzzCastFromText: no text makes a cast panic; CAST fails exactly where
// TRY_CAST gives NULL for another reason than an overflow; and what a
// value prints casts back to the same value.
func FuzzCastFromText(f *testing.F) {
	for _, s := range []string{"", "1", "-1.5e3", "true", "2024-02-29 12:30:01.123456789", "99999999999999999999999999999999999999999e-3", "\xff", "12:00", "1e", ".", "+", "NaN", "0x1p4"} {
		f.Add(s)
	}
	reg := expr.Builtins()
	s := types.NewSchema(types.Field{Name: "s", Type: types.StringType()})
	var programs []*Program
	for _, t := range columnTypes {
		for _, try := range []bool{false, true} {
			c, err := expr.NewCast(column(s, 0), t, try)
			if err != nil {
				continue
			}
			p, err := Compile(c, s, reg)
			if err != nil {
				f.Fatal(err)
			}
			programs = append(programs, p)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		var pool stream.Pool
		for i := 0; i < len(programs); i += 2 {
			castOnce(t, &pool, s, programs[i], programs[i+1], text)
		}
		if n := pool.Live(); n != 0 {
			t.Errorf("%d buffers leaked", n)
		}
	})
}

func castOnce(t *testing.T, pool *stream.Pool, s *types.Schema, cast, try *Program, text string) {
	first, failed := castText(t, pool, s, cast, text)
	tried, refused := castText(t, pool, s, try, text)
	if refused != nil {
		t.Fatalf("TRY_CAST(%q AS %s): %v", text, try.Type(), refused)
	}
	if failed != nil && tried != "NULL" || failed == nil && tried != first {
		t.Errorf("CAST(%q AS %s) is %s (%v), TRY_CAST %s", text, cast.Type(), first, failed, tried)
	}
	if l := cast.Type().Layout(); failed != nil || first == "NULL" || l == types.LayoutBytes {
		return
	}
	if again, err := castText(t, pool, s, cast, first); err != nil || again != first {
		t.Errorf("CAST(%q AS %s) is %s, and that cast again %s (%v)", text, cast.Type(), first, again, err)
	}
}

func castText(t *testing.T, pool *stream.Pool, s *types.Schema, p *Program, text string) (string, error) {
	t.Helper()
	b := pool.NewBatch(s, 1)
	defer b.Release()
	builder := stream.NewBuilder(pool, s.Fields[0].Type, 1)
	builder.AppendString(text)
	b.Columns[0] = builder.Finish()
	v, err := p.Eval(pool, b)
	if err != nil {
		return "", err
	}
	defer v.Release()
	return show(pool, &v, 0), nil
}

// FuzzJSON: what we take for JSON is what Go does, and a path never panics.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, {"b": "x\u00e9"}]}`, `[]`, `-0.5e+7`, `{"a":1,"a":2}`, `"\`, `[1,]`, "\x00", ` null `} {
		f.Add([]byte(s), `$.a[1]["b"]`)
	}
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		valid := isJSON(text)
		if valid != json.Valid(text) && utf8.Valid(text) {
			t.Errorf("%q is JSON: %v", text, valid)
		}
		p, err := compileJSONPath([]byte(path))
		if err != nil || !valid {
			return
		}
		p.find(text, p.steps, func(value []byte) {
			if end, ok := skipJSON(value, 0, 0); !ok || !json.Valid(value[:end]) {
				t.Errorf("%s of %q is %q", path, text, value)
			}
		})
	})
}

// FuzzURL: no text makes the parts of a URL panic, and they stand in it.
func FuzzURL(f *testing.F) {
	f.Add([]byte("http://u:p@host:80/path?q=1#r"), []byte("q"))
	f.Add([]byte("file:///x"), []byte(""))
	f.Add([]byte("http://[::1"), []byte("="))
	f.Fuzz(func(t *testing.T, text, key []byte) {
		u, ok := parseURL(text)
		if !ok {
			return
		}
		for _, name := range []string{"HOST", "PATH", "QUERY", "REF", "AUTHORITY", "USERINFO"} {
			if part := u.part(name, nil); !bytes.Contains(text, part) {
				t.Errorf("%s of %q is %q", name, text, part)
			}
		}
		queryValue(u.query, key)
	})
}
