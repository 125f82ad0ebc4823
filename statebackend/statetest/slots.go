package statetest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"millrace/statebackend"
)

// slotStep does one random thing to the rows of a multimap or an ordered map by their slots.
func (w *world) slotStep(c choice, k kind, n int) {
	w.t.Helper()
	switch c.IntN(5) {
	case 0:
		w.removeSlots(c, k, n)
	case 1:
		w.touch(c, k, n)
	case 2:
		w.takeOrders(c, k, n)
	case 3:
		w.addBehind(c, k, n)
	default:
		w.takeEqual(c, k, n)
	}
}

// slotsOf returns the slots of a key's rows, read a few at a time.
func (w *world) slotsOf(c choice, t statebackend.SlotRows, k kind, key int) []statebackend.Slot {
	w.t.Helper()
	it := statebackend.SlotIterator{Keys: cloneKeys(w.spaces[k].keys([]int{key}))}
	var slots []statebackend.Slot
	for {
		n := 1 + c.IntN(4)
		got, positions := t.Slots(&it, n, nil, nil)
		if len(got) != len(positions) || len(got) > n {
			w.t.Fatalf("%d slots at %d positions, asked for %d", len(got), len(positions), n)
		}
		slots = append(slots, got...)
		if len(got) < n {
			return slots
		}
	}
}

// amountsAt reads rows by their slots, in words and in columns.
func (w *world) amountsAt(t statebackend.SlotRows, slots []statebackend.Slot) []int {
	w.t.Helper()
	out := w.sortedBuilders()
	t.Gather(slots, []int{0, 1, 2, 3, 4, 5, 6, 7}, out)
	amounts := w.amounts(out)
	rows := t.Rows()
	for i, s := range slots {
		if got := int(rows.At(s)[0]); got != amounts[i] {
			w.t.Fatalf("the words of a row say %d, its columns %d", got, amounts[i])
		}
	}
	return amounts
}

// removeSlots removes some rows of a multimap.
func (w *world) removeSlots(c choice, k kind, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, min(n, 20)) {
		slices.Sort(numbers)
		for _, key := range slices.Compact(numbers) {
			t, rows := w.tasks[i].multis[k], w.now.multis[k][key]
			slots := w.slotsOf(c, t, k, key)
			got := w.amountsAt(t, slots)
			if !slices.EqualFunc(got, rows, func(a int, x arrival) bool { return a == x.amount }) {
				w.t.Fatalf("slots of key %d have %v, want %v", key, got, rows)
			}
			var gone []statebackend.Slot
			var kept []arrival
			for j, s := range slots {
				if c.IntN(3) == 0 {
					gone = append(gone, s)
				} else {
					kept = append(kept, rows[j])
				}
			}
			t.Remove(gone)
			if w.now.multis[k][key] = kept; len(kept) == 0 {
				delete(w.now.multis[k], key)
			}
		}
	}
}

// touch counts rows as changed, which changes nothing.
func (w *world) touch(c choice, k kind, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, min(n, 20)) {
		for _, key := range numbers {
			for _, t := range []statebackend.SlotRows{w.tasks[i].multis[k], w.tasks[i].orders[k]} {
				t.Touch(w.slotsOf(c, t, k, key))
			}
		}
	}
}

// takeOrders takes rows of an ordered map, of which some are there.
func (w *world) takeOrders(c choice, k kind, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, min(n, 20)) {
		var orders statebackend.Orders
		var names []string
		for _, key := range numbers {
			o := orderText(c.IntN(100))
			if mine := w.sortedOrders(k, key); len(mine) > 0 && c.IntN(3) > 0 {
				o = mine[c.IntN(len(mine))]
			}
			names = append(names, o)
			orders.Append([]byte(o))
		}
		slots := make([]statebackend.Slot, len(numbers))
		t := w.tasks[i].orders[k]
		t.FindSlots(w.spaces[k].keys(numbers), &orders, slots)
		for j, key := range numbers {
			if _, there := w.now.orders[k][key][names[j]]; there != (slots[j] != statebackend.NoSlot) {
				w.t.Fatalf("order %q of key %d was found: %v", names[j], key, !there)
			}
		}
		w.newest(k, i, numbers)
		t.TakeSlots(w.spaces[k].keys(numbers), &orders, slots)
		for j, key := range numbers {
			amount, there := w.now.orders[k][key][names[j]]
			if there != (slots[j] != statebackend.NoSlot) {
				w.t.Fatalf("order %q of key %d was taken: %v", names[j], key, !there)
			}
			if there && int(t.Rows().At(slots[j])[0]) != amount {
				w.t.Fatalf("order %q of key %d had %d, want %d", names[j], key, t.Rows().At(slots[j])[0], amount)
			}
			w.forget(k, key, names[j])
		}
	}
}

// newest asks for the last row of keys of an ordered map.
func (w *world) newest(k kind, task int, numbers []int) {
	w.t.Helper()
	t := w.tasks[task].orders[k]
	it := statebackend.SlotIterator{Keys: cloneKeys(w.spaces[k].keys(numbers)), Newest: true}
	slots, positions := t.Slots(&it, len(numbers)+1, nil, nil)
	var want []int
	for j, key := range numbers {
		if mine := w.sortedOrders(k, key); len(mine) > 0 {
			want = append(want, j, w.now.orders[k][key][mine[len(mine)-1]])
		}
	}
	var got []int
	for j, amount := range w.amountsAt(t, slots) {
		got = append(got, int(positions[j]), amount)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("the last rows of keys %v are %v, want %v", numbers, got, want)
	}
}

func (w *world) forget(k kind, key int, order string) {
	delete(w.now.orders[k][key], order)
	if len(w.now.orders[k][key]) == 0 {
		delete(w.now.orders[k], key)
	}
}

// prefixText is an order that stands for a few rows; one has no successor.
func prefixText(n int) string { return []string{"few", "\xff\xff", "p\xff"}[n%3] }

func (w *world) addBehind(c choice, k kind, n int) {
	w.t.Helper()
	numbers, amounts := w.draw(c, k, min(n, 50))
	for i := range numbers {
		var orders statebackend.Orders
		for j, key := range numbers[i] {
			p := prefixText(amounts[i][j])
			orders.Append([]byte(p))
			number := uint32(0)
			if few := w.beginning(k, key, p); len(few) > 0 {
				number = binary.BigEndian.Uint32([]byte(few[len(few)-1][len(p):])) + 1
			}
			if w.now.orders[k][key] == nil {
				w.now.orders[k][key] = map[string]int{}
			}
			w.now.orders[k][key][string(binary.BigEndian.AppendUint32([]byte(p), number))] = amounts[i][j]
		}
		b, slots := w.sortedRows(amounts[i]), make([]statebackend.Slot, len(numbers[i]))
		if err := w.tasks[i].orders[k].AddSlots(w.spaces[k].keys(numbers[i]), &orders, b, slots); err != nil {
			w.t.Fatalf("add: %v", err)
		}
		if got := w.amountsAt(w.tasks[i].orders[k], slots); !slices.Equal(got, amounts[i]) {
			w.t.Fatalf("the slots of new rows have %v, want %v", got, amounts[i])
		}
		b.Release()
	}
}

// beginning returns the orders of a key in the model that begin with a prefix.
func (w *world) beginning(k kind, key int, prefix string) []string {
	return slices.DeleteFunc(w.sortedOrders(k, key), func(o string) bool { return !strings.HasPrefix(o, prefix) })
}

func (w *world) takeEqual(c choice, k kind, n int) {
	w.t.Helper()
	numbers, amounts := w.draw(c, k, min(n, 50))
	for i := range numbers {
		var orders statebackend.Orders
		for _, x := range amounts[i] {
			orders.Append([]byte(prefixText(x)))
		}
		b, slots := w.sortedRows(amounts[i]), make([]statebackend.Slot, len(numbers[i]))
		if err := w.tasks[i].orders[k].TakeEqual(w.spaces[k].keys(numbers[i]), &orders, b, slots); err != nil {
			w.t.Fatalf("take equal: %v", err)
		}
		b.Release()
		for j, key := range numbers[i] {
			first := ""
			for _, o := range w.beginning(k, key, prefixText(amounts[i][j])) {
				if first == "" && w.now.orders[k][key][o] == amounts[i][j] {
					first = o
				}
			}
			if (first != "") != (slots[j] != statebackend.NoSlot) {
				w.t.Fatalf("%s of key %d was taken: %v", fmt.Sprint(amounts[i][j]), key, first == "")
			}
			if first != "" {
				w.forget(k, key, first)
			}
		}
	}
}
