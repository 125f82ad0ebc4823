package files

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/types"
)

// layout says which columns of a table stand in its records and which in the
// names of directories, as in Hive: dt=2024-01-01/hm=12%3A00.
type layout struct {
	schema  *types.Schema // the columns of the table, or those that are asked for
	record  *types.Schema // those of schema that stand in a record
	columns []int         // where those of record stand in schema
	keys    []key         // in the order of directories
	absent  string        // what stands for NULL, and for text of no length
}

// key is a column that stands in the names of directories.
type key struct {
	name      string
	directory string // what the names of its directories begin with
	column    int    // where it stands in the schema, or notAsked
}

// notAsked is the column of a key that a job does not read.
const notAsked = -1

// layoutOf divides the columns. Columns that are keys must be ones whose values
// have a text.
func layoutOf(schema *types.Schema, keys []string, absent string) (layout, error) {
	l := layout{schema: schema, absent: absent}
	var problems failure.Problems
	isKey := make([]bool, schema.Len())
	seen := make(map[string]bool, len(keys))
	for _, name := range keys {
		if seen[name] {
			problems.Addf("", connectors.PartitionKeys.Key, "names %s twice", name)
		}
		seen[name] = true
		k := key{name: name, directory: escapeName(name) + "=", column: notAsked}
		if c := schema.Index(name); c >= 0 {
			k.column, isKey[c] = c, true
			if t := schema.Fields[c].Type; !hasText(t) {
				problems.Addf("", connectors.PartitionKeys.Key, "column %s is %s, which can't stand in the name of a directory", name, t)
			}
		}
		l.keys = append(l.keys, k)
	}
	if len(keys) > keysMax {
		problems.Addf("", connectors.PartitionKeys.Key, "names %d columns, at most %d", len(keys), keysMax)
	}
	if absent == "" || absent == "." || absent == ".." {
		problems.Addf("", keyDefaultName, "%q can't stand in the name of a directory", absent)
	}
	var fields []types.Field
	for c, f := range schema.Fields {
		if !isKey[c] {
			l.columns, fields = append(l.columns, c), append(fields, f)
		}
	}
	l.record = types.NewSchema(fields...)
	if len(keys) == 0 {
		l.record = schema
	}
	return l, problems.Err()
}

// leaves returns the directories of a table below root that have its files,
// sorted; of a table without keys that is the root. What else lies above them is
// not of the table.
func (l *layout) leaves(ctx context.Context, root fs.FS) ([]string, error) {
	at := []string{"."}
	for i := range l.keys {
		prefix := l.keys[i].directory
		var below []string
		for _, dir := range at {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			entries, err := fs.ReadDir(root, dir)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
					below = append(below, path.Join(dir, e.Name()))
				}
			}
		}
		at = below
	}
	return at, nil
}

// texts returns the texts of the keys in the name of a leaf, or of a file below it; nil for
// NULL.
func (l *layout) texts(name string) ([]*string, error) {
	parts := strings.Split(name, "/")
	out := make([]*string, len(l.keys))
	for i := range l.keys {
		if i >= len(parts) || !strings.HasPrefix(parts[i], l.keys[i].directory) {
			return nil, failure.Userf("%s lies in no directory of the column %s (%s...)", name, l.keys[i].name, l.keys[i].directory)
		}
		if text := unescapeName(strings.TrimPrefix(parts[i], l.keys[i].directory)); text != l.absent {
			out[i] = &text
		}
	}
	return out, nil
}

// special are the characters that Hive, and Flink with it, escape in the name of
// a directory, beside control characters.
const special = "\"#%'*/:=?\\{[]^\x7f"

// escapeName writes a text so that it can be the name of a directory or a part of
// it.
func escapeName(s string) string { return string(appendEscaped(nil, s)) }

func appendEscaped[T ~string | ~[]byte](dst []byte, s T) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c < ' ' || strings.IndexByte(special, c) >= 0 {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// unescapeName is the inverse of escapeName. A percent sign without two digits behind it
// stands for itself, as in Hive.
func unescapeName(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
