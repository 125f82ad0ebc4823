package chaos

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// schedule returns n faults in the order in which they strike: every kind as often as every other, or once more. Kinds that are
// early strike in the first third only, so that there are processes that live from then to the end.
func schedule(r *rand.Rand, kinds []fault, n int) []fault {
	var out []fault
	for len(out) < n {
		for _, i := range r.Perm(len(kinds)) {
			if len(out) < n {
				out = append(out, kinds[i])
			}
		}
	}
	r.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	for i, f := range out {
		if !f.early || i < n/3 {
			continue
		}
		j := slices.IndexFunc(out[:n/3], func(f fault) bool { return !f.early })
		if j >= 0 {
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}

// TestSchedule: it follows from the seed, has every kind, and early ones early.
func TestSchedule(t *testing.T) {
	kinds := []fault{{name: "a"}, {name: "b"}, {name: "c", early: true}, {name: "d"}}
	names := func(seed uint64) (out []string) {
		for _, f := range schedule(rand.New(rand.NewPCG(seed, 0)), kinds, 10) {
			out = append(out, f.name)
		}
		return out
	}
	for seed := range uint64(100) {
		all := names(seed)
		if again := names(seed); !slices.Equal(all, again) {
			t.Fatalf("seed %d: %v, then %v", seed, all, again)
		}
		count := make(map[string]int)
		for i, name := range all {
			count[name]++
			if name == "c" && i >= 3 {
				t.Errorf("seed %d: c strikes late: %v", seed, all)
			}
		}
		for _, k := range kinds {
			if count[k.name] < 2 || count[k.name] > 3 {
				t.Errorf("seed %d: %d of %s, want 2 or 3: %v", seed, count[k.name], k.name, all)
			}
		}
	}
}
