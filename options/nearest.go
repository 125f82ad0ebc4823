package options

// Nearest returns the known key that a mistyped one most likely stands for: the one with the smallest edit distance
// (insertions, deletions, replacements, swaps of neighbours), the first of known among equals. It reports false if
// none is near enough to be a mistake of typing.
func Nearest(key string, known []string) (string, bool) {
	if len(key) > KeyBytesMax {
		return "", false
	}
	best, bestDistance := "", max(2, len(key)/4)+1
	for _, candidate := range known {
		if len(candidate) > KeyBytesMax {
			continue
		}
		if d := Distance(key, candidate); d < bestDistance && d < len(candidate) {
			best, bestDistance = candidate, d
		}
	}
	return best, best != ""
}

// Distance returns how many slips of typing lie between two texts: bytes missing, added or replaced, or two neighbours
// swapped.
func Distance(a, b string) int {
	// The optimal string alignment distance, with three rows of its table.
	twoBack, oneBack, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		twoBack, oneBack, row = oneBack, row, twoBack
		row[0] = i + 1
		for j := range len(b) {
			replace := oneBack[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, oneBack[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], twoBack[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
