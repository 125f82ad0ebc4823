package operatortest

import (
	"fmt"
	"slices"
	"strings"
)

// Materialize returns the rows that a changelog leaves, without their kinds and
// sorted. A row is taken back by one with the same columns; with keys above 0, by
// one with the same first columns, whose text has no blanks. What a consumer could
// not make sense of is an error: a row taken back that is not there, a key that is
// inserted twice, an update without a row before.
func Materialize(rows []string, keys int) ([]string, error) {
	there := make(map[string][]string) // by key
	for i, r := range rows {
		kind, row, _ := strings.Cut(r, " ")
		key := row
		if keys > 0 {
			key = strings.Join(strings.Fields(row)[:keys], " ")
		}
		have := there[key]
		switch {
		case kind == "+I" && keys > 0 && len(have) > 0, kind == "+U" && keys > 0 && len(have) == 0, (kind == "-D" || kind == "-U") && len(have) == 0:
			return nil, fmt.Errorf("row %d, %q, where %q is there", i, r, have)
		case kind == "+I", kind == "+U" && keys == 0:
			there[key] = append(have, row)
		case kind == "+U":
			there[key] = []string{row}
		default:
			there[key] = have[1:]
		}
	}
	var out []string
	for _, have := range there {
		out = append(out, have...)
	}
	slices.Sort(out)
	return out, nil
}
