package statetest

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"millrace/statebackend"
	"millrace/stream"
)

// step does one random thing to the state and to the model.
func (w *world) step(c choice) {
	w.t.Helper()
	k := kind(c.IntN(int(numKinds)))
	namespace := int64(c.IntN(4)*10 - 10)
	n := w.batches[c.IntN(len(w.batches))]
	switch c.IntN(21) {
	case 0, 1, 2:
		w.upsert(c, k, namespace, n)
	case 3:
		w.remove(c, k, namespace, n)
	case 4:
		w.drop(k, namespace)
	case 5:
		w.lookup(c, k, namespace, n)
	case 6, 7:
		w.register(c, k, namespace, n)
	case 8:
		w.unregister(c, k, n)
	case 9:
		w.pop(c, k, n)
	case 10:
		w.setLists(c)
	case 11:
		w.complete(w.freeze(c), w.now.clone())
	case 12:
		w.abort(c)
	case 13:
		switch c.IntN(3) {
		case 0:
			w.merge()
		case 1:
			w.crash(1 + c.IntN(4))
		default:
			w.compare()
		}
	default:
		w.sortedStep(c, k, n)
	}
}

// upsert changes or adds rows.
func (w *world) upsert(c choice, k kind, namespace int64, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, n) {
		if len(numbers) == 0 {
			continue
		}
		p := w.tasks[i].values[k].Part(namespace, true)
		slots := make([]statebackend.Slot, len(numbers))
		if _, err := p.Upsert(w.spaces[k].keys(numbers), slots); err != nil {
			w.t.Fatalf("upsert: %v", err)
		}
		x := c.IntN(1000)
		for j, s := range slots {
			w.change(p, s, k, rowID{namespace, numbers[j]}, x+j)
		}
	}
}

func (w *world) change(p statebackend.Part, s statebackend.Slot, k kind, id rowID, x int) {
	w.t.Helper()
	r := w.now.values[k][id]
	r.count += int64(x) - 300
	r.wideLo, r.wideHi = r.wideLo+uint64(x), r.wideHi-1
	r.flag = x%2 == 0
	r.fraction = float32(x) / 8
	if x%3 != 0 {
		r.text = fmt.Sprint(r.text[:len(r.text)/2], x)
		if err := p.SetBytes(1, s, []byte(r.text)); err != nil {
			w.t.Fatalf("set bytes: %v", err)
		}
	}
	words := p.Rows().At(s)
	words[0] += uint64(int64(x) - 300)
	words[2], words[3] = words[2]+uint64(x), words[3]-1
	words[4] = uint64(1 - x%2)
	words[5] = uint64(math.Float32bits(r.fraction))
	w.now.values[k][id] = r
}

func rowAt(p statebackend.Part, s statebackend.Slot) row {
	words := p.Rows().At(s)
	return row{
		count: int64(words[0]), text: string(p.Bytes(1, s)), wideLo: words[2], wideHi: words[3],
		flag: words[4] != 0, fraction: math.Float32frombits(uint32(words[5])),
	}
}

func (w *world) remove(c choice, k kind, namespace int64, n int) {
	for i, numbers := range w.pick(c, k, n) {
		p := w.tasks[i].values[k].Part(namespace, false)
		if p == nil || len(numbers) == 0 {
			continue
		}
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		slots := make([]statebackend.Slot, len(numbers))
		p.Find(w.spaces[k].keys(numbers), slots)
		p.Delete(slices.DeleteFunc(slots, func(s statebackend.Slot) bool { return s == statebackend.NoSlot }))
		for _, key := range numbers {
			delete(w.now.values[k], rowID{namespace, key})
		}
	}
}

func (w *world) drop(k kind, namespace int64) {
	for _, t := range w.tasks {
		t.values[k].Drop(namespace)
	}
	for id := range w.now.values[k] {
		if id.namespace == namespace {
			delete(w.now.values[k], id)
		}
	}
}

func (w *world) lookup(c choice, k kind, namespace int64, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, n) {
		p := w.tasks[i].values[k].Part(namespace, false)
		if p == nil || len(numbers) == 0 {
			continue
		}
		slots := make([]statebackend.Slot, len(numbers))
		p.Find(w.spaces[k].keys(numbers), slots)
		for j, s := range slots {
			want, there := w.now.values[k][rowID{namespace, numbers[j]}]
			if there != (s != statebackend.NoSlot) {
				w.t.Fatalf("key %d of namespace %d: slot %d, in the model %v", numbers[j], namespace, s, there)
			}
			if there && rowAt(p, s) != want {
				w.t.Fatalf("key %d of namespace %d: %+v, want %+v", numbers[j], namespace, rowAt(p, s), want)
			}
		}
	}
}

func (w *world) register(c choice, k kind, namespace int64, n int) {
	w.t.Helper()
	at := int64(c.IntN(50))
	for i, numbers := range w.pick(c, k, n) {
		namespaces, times := make([]int64, len(numbers)), make([]int64, len(numbers))
		for j, key := range numbers {
			namespaces[j], times[j] = namespace, at+int64(j%3)
			w.now.timers[k][timer{times[j], namespace, key}] = true
		}
		if err := w.tasks[i].timers[k].Register(w.spaces[k].keys(numbers), namespaces, times); err != nil {
			w.t.Fatalf("register: %v", err)
		}
	}
}

// unregister removes some timers that are there, and one that is not.
func (w *world) unregister(c choice, k kind, n int) {
	all := w.sortedTimers(k)
	gone := []timer{{-1, -1, 1}}
	for range min(n, len(all)) {
		gone = append(gone, all[c.IntN(len(all))])
	}
	for _, x := range gone {
		w.tasks[w.owner(k, x.key)].timers[k].Unregister(w.spaces[k].keys([]int{x.key}), []int64{x.namespace}, []int64{x.time})
		delete(w.now.timers[k], x)
	}
}

// sortedTimers returns the model's timers in the order of the contract.
func (w *world) sortedTimers(k kind) []timer {
	all := make([]timer, 0, len(w.now.timers[k]))
	canonical := map[int][]byte{}
	for x := range w.now.timers[k] {
		all = append(all, x)
		if k == byteKeys {
			canonical[x.key] = bytes.Clone(w.spaces[k].keys([]int{x.key}).Bytes(0))
		}
	}
	slices.SortFunc(all, func(a, b timer) int {
		byKey := cmp.Compare(a.key, b.key)
		if k == byteKeys {
			byKey = bytes.Compare(canonical[a.key], canonical[b.key])
		}
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.namespace, b.namespace), byKey)
	})
	return all
}

func (w *world) pop(c choice, k kind, n int) {
	w.t.Helper()
	upTo := int64(c.IntN(60))
	all := w.sortedTimers(k)
	for i, t := range w.tasks {
		mine := slices.DeleteFunc(slices.Clone(all), func(x timer) bool { return w.owner(k, x.key) != i })
		if next, ok := t.timers[k].Next(); ok != (len(mine) > 0) || ok && next != mine[0].time {
			w.t.Fatalf("next timer of task %d is %d, %v", i, next, ok)
		}
		var want []timer
		for _, x := range mine {
			if x.time <= upTo && len(want) < n {
				want = append(want, x)
				delete(w.now.timers[k], x)
			}
		}
		if diff := gocmp.Diff(want, w.popTask(t, k, upTo, n), gocmp.AllowUnexported(timer{})); diff != "" {
			w.t.Fatalf("timers of task %d, -want +got:\n%s", i, diff)
		}
		if got := t.timers[k].Len(); got != len(mine)-len(want) {
			w.t.Fatalf("task %d has %d timers left, want %d", i, got, len(mine)-len(want))
		}
	}
}

func (w *world) popTask(t *task, k kind, upTo int64, n int) []timer {
	w.t.Helper()
	due := statebackend.Due{Keys: stream.NewKeyBuilder(w.pool, w.spaces[k].types, 1)}
	got, err := t.timers[k].Pop(upTo, n, &due)
	if err != nil || got != len(due.Times) || got != len(due.Namespaces) {
		w.t.Fatalf("pop: %d timers, %d times, %v", got, len(due.Times), err)
	}
	numbers := w.spaces[k].numbers(due.Keys)
	if want := w.spaces[k].keys(numbers); !slices.Equal(want.Hashes, due.Raw.Hashes) || due.Raw.Layout != want.Layout {
		w.t.Fatalf("raw keys of timers have other hashes")
	} else if got > 0 {
		for i := range numbers {
			if want.Layout == stream.Key64 && (want.Fixed[i] != due.Raw.Fixed[i] || want.IsNull(i) != due.Raw.IsNull(i)) ||
				want.Layout == stream.KeyBytes && !bytes.Equal(want.Bytes(i), due.Raw.Bytes(i)) {
				w.t.Fatalf("raw key %d of timers differs", i)
			}
		}
	}
	var out []timer
	for i, key := range numbers {
		out = append(out, timer{due.Times[i], due.Namespaces[i], key})
	}
	return out
}

func (w *world) setLists(c choice) {
	w.t.Helper()
	for i, t := range w.tasks {
		w.now.split[i], w.now.union[i] = nil, nil
		for range c.IntN(4) {
			w.now.split[i] = append(w.now.split[i], fmt.Sprint("split", c.IntN(100)))
			w.now.union[i] = append(w.now.union[i], fmt.Sprint("union", c.IntN(100)))
		}
		for list, entries := range map[statebackend.ListTable][]string{t.split: w.now.split[i], t.list: w.now.union[i]} {
			var raw [][]byte
			for _, e := range entries {
				raw = append(raw, []byte(e))
			}
			if err := list.Set(raw); err != nil {
				w.t.Fatalf("set list: %v", err)
			}
		}
	}
}

// abort freezes, goes on, and takes the freeze back.
func (w *world) abort(c choice) {
	w.t.Helper()
	w.meddle(c)
	snaps := w.freeze(c)
	for range c.IntN(3) {
		w.meddle(c)
	}
	for i, s := range snaps {
		if err := w.tasks[i].store.Unfreeze(s); err != nil {
			w.t.Fatalf("unfreeze: %v", err)
		}
		s.Release()
	}
}

// meddle does one of the changes that an aborted freeze could lose.
func (w *world) meddle(c choice) {
	w.t.Helper()
	k, namespace := kind(c.IntN(int(numKinds))), int64(c.IntN(4)*10-10)
	switch c.IntN(9) {
	case 5, 6, 7, 8:
		w.sortedStep(c, k, 5)
	case 0:
		w.upsert(c, k, namespace, 5)
	case 1:
		w.remove(c, k, namespace, 20)
	case 2:
		w.drop(k, namespace)
	case 3:
		w.register(c, k, namespace, 5)
	default:
		w.pop(c, k, 20)
	}
}

// compare compares everything.
func (w *world) compare() {
	w.t.Helper()
	for k := range numKinds {
		got := map[rowID]row{}
		timers := 0
		for i, t := range w.tasks {
			w.collect(t, i, k, got)
			timers += t.timers[k].Len()
		}
		if diff := gocmp.Diff(w.now.values[k], got, gocmp.AllowUnexported(row{}, rowID{})); diff != "" {
			w.t.Fatalf("value table %d, -want +got:\n%s", k, diff)
		}
		if timers != len(w.now.timers[k]) {
			w.t.Fatalf("%d timers, want %d", timers, len(w.now.timers[k]))
		}
		w.compareSorted(k)
	}
	w.compareShared()
	for i, t := range w.tasks {
		w.compareLists(t, i)
	}
}

func (w *world) compareLists(t *task, i int) {
	w.t.Helper()
	for list, want := range map[statebackend.ListTable][]string{t.split: w.now.split[i], t.list: w.now.union[i]} {
		var got []string
		for _, e := range list.Get() {
			got = append(got, string(e))
		}
		if !slices.Equal(got, want) {
			w.t.Fatalf("list of task %d is %q, want %q", i, got, want)
		}
	}
}

// collect scans a Value table into got.
func (w *world) collect(t *task, i int, k kind, got map[rowID]row) {
	w.t.Helper()
	namespaces := t.values[k].Namespaces(nil)
	if !slices.IsSorted(namespaces) {
		w.t.Fatalf("namespaces %v are not sorted", namespaces)
	}
	total := 0
	for _, namespace := range namespaces {
		p := t.values[k].Part(namespace, false)
		slots := make([]statebackend.Slot, 3)
		builder := stream.NewKeyBuilder(w.pool, w.spaces[k].types, 1)
		rows := 0
		for from := statebackend.Slot(0); ; {
			n, next := p.Scan(from, slots)
			if n == 0 {
				break
			}
			if err := p.AppendKeys(slots[:n], builder); err != nil {
				w.t.Fatalf("append keys: %v", err)
			}
			for j, key := range w.spaces[k].numbers(builder) {
				id := rowID{namespace, key}
				if _, twice := got[id]; twice || w.owner(k, key) != i {
					w.t.Fatalf("key %d of namespace %d is there twice or in task %d", key, namespace, i)
				}
				got[id] = rowAt(p, slots[j])
			}
			rows += n
			from = next
		}
		if rows != p.Len() || rows == 0 {
			w.t.Fatalf("namespace %d has %d rows, its length is %d", namespace, rows, p.Len())
		}
		total += rows
	}
	if total != t.values[k].Len() {
		w.t.Fatalf("%d rows, the table's length is %d", total, t.values[k].Len())
	}
}
