package statetest

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// sortedColumns are the columns of multimaps and ordered maps. Every value of a
// row follows from the first one.
func sortedColumns() []statebackend.ColumnSpec {
	return []statebackend.ColumnSpec{
		{Name: "amount", Type: types.Of(types.BigInt)},
		{Name: "text", Type: types.StringType()},
		{Name: "wide", Type: types.DecimalOf(30, 2)},
		{Name: "flag", Type: types.Of(types.Boolean)},
		{Name: "small", Type: types.Of(types.SmallInt)},
		{Name: "tiny", Type: types.Of(types.TinyInt)},
		{Name: "day", Type: types.Of(types.Date)},
		{Name: "ratio", Type: types.Of(types.Float)},
	}
}

// appendCell appends the value of a column in the row of an amount. Every column but the
// amount is NULL in some rows.
func appendCell(b *stream.Builder, column, amount int) {
	if column > 0 && (amount+column)%5 == 0 {
		b.AppendNull()
		return
	}
	switch column {
	case 0:
		b.AppendInt64(int64(amount))
	case 1:
		b.AppendString(fmt.Sprintf("%0*d", amount%40, amount))
	case 2:
		stream.AppendFixed(b, types.Int128{Lo: uint64(amount), Hi: int64(-amount)})
	case 3:
		b.AppendBool(amount%2 == 0)
	case 4:
		stream.AppendFixed(b, int16(-amount))
	case 5:
		stream.AppendFixed(b, int8(-amount))
	case 6:
		stream.AppendFixed(b, int32(-amount))
	default:
		stream.AppendFixed(b, float32(amount)/3)
	}
}

// sortedRows returns a batch that means rows of these amounts, among others.
func (w *world) sortedRows(amounts []int) *stream.Batch {
	columns := sortedColumns()
	schema := &types.Schema{}
	for _, c := range columns {
		schema.Fields = append(schema.Fields, types.Field{Name: c.Name, Type: c.Type})
	}
	b := w.pool.NewBatch(schema, 2*len(amounts))
	for c := range columns {
		bu := stream.NewBuilder(w.pool, columns[c].Type, 2*len(amounts))
		for _, x := range amounts {
			appendCell(bu, c, x+1)
			appendCell(bu, c, x)
		}
		b.Columns[c] = bu.Finish()
	}
	if len(amounts) > 0 {
		sel := w.pool.Get(len(amounts) * 4)
		for i := range amounts {
			stream.Int32s(sel)[i] = int32(2*i + 1)
		}
		b.SetSel(sel, len(amounts))
	}
	return b
}

// sortedBuilders returns builders for rows that come out.
func (w *world) sortedBuilders() []*stream.Builder {
	var out []*stream.Builder
	for _, c := range sortedColumns() {
		out = append(out, stream.NewBuilder(w.pool, c.Type, 1))
	}
	return out
}

// amounts reads rows back, and compares every column with what follows from the amount.
func (w *world) amounts(out []*stream.Builder) []int {
	w.t.Helper()
	got := make([]stream.Vector, len(out))
	for c, b := range out {
		got[c] = b.Finish()
		defer got[c].Release()
	}
	amounts := make([]int, got[0].Len())
	for i := range amounts {
		amounts[i] = int(stream.Value[int64](&got[0], i))
	}
	for c := range out {
		bu := stream.NewBuilder(w.pool, sortedColumns()[c].Type, 1)
		for _, x := range amounts {
			appendCell(bu, c, x)
		}
		want := bu.Finish()
		defer want.Release()
		for i := range amounts {
			if want.IsNull(i) != got[c].IsNull(i) || !want.IsNull(i) && cell(&want, i) != cell(&got[c], i) {
				w.t.Fatalf("column %d of the row of amount %d is %s, want %s", c, amounts[i], cell(&got[c], i), cell(&want, i))
			}
		}
	}
	return amounts
}

// cell prints a value.
func cell(v *stream.Vector, i int) string {
	switch v.Type.Layout() {
	case types.LayoutBit:
		return fmt.Sprint(v.Bool(i))
	case types.LayoutBytes:
		return string(v.Bytes(i))
	case types.LayoutInt128:
		return fmt.Sprint(stream.Value[types.Int128](v, i))
	case types.LayoutInt8:
		return fmt.Sprint(stream.Value[int8](v, i))
	case types.LayoutInt16:
		return fmt.Sprint(stream.Value[int16](v, i))
	case types.LayoutInt32:
		return fmt.Sprint(stream.Value[int32](v, i))
	case types.LayoutFloat32:
		return fmt.Sprint(stream.Value[float32](v, i))
	default:
		return fmt.Sprint(stream.Value[int64](v, i))
	}
}

// arrival is a row of a multimap in the model.
type arrival struct{ number, amount int }

// sortedStep does one random thing to a multimap or an ordered map.
func (w *world) sortedStep(c choice, k kind, n int) {
	w.t.Helper()
	switch c.IntN(14) {
	case 0, 1:
		w.append(c, k, n)
	case 2:
		w.deleteOne(c, k, n)
	case 3:
		w.iterate(c, k)
	case 4, 5:
		w.put(c, k, n)
	case 6:
		w.deleteOrders(c, k, n)
	case 7:
		w.scan(c, k, n)
	case 8:
		w.deleteAll(c, k, c.IntN(min(n, 10)))
	case 9:
		w.broadcast(c)
	default:
		w.slotStep(c, k, n)
	}
}

// draw draws up to n keys, with an amount each.
func (w *world) draw(c choice, k kind, n int) (numbers, amounts [][]int) {
	numbers = w.pick(c, k, n)
	amounts = make([][]int, len(numbers))
	for i := range numbers {
		from := c.IntN(20)
		for j := range numbers[i] {
			amounts[i] = append(amounts[i], (from+j*7)%60)
		}
	}
	return numbers, amounts
}

func (w *world) append(c choice, k kind, n int) {
	w.t.Helper()
	numbers, amounts := w.draw(c, k, n)
	for i := range numbers {
		w.appendTo(i, k, numbers[i], amounts[i])
	}
}

func (w *world) appendTo(task int, k kind, numbers, amounts []int) {
	w.t.Helper()
	b := w.sortedRows(amounts)
	defer b.Release()
	if err := w.tasks[task].multis[k].Append(w.spaces[k].keys(numbers), b); err != nil {
		w.t.Fatalf("append: %v", err)
	}
	for j, key := range numbers {
		w.arrivals++
		w.now.multis[k][key] = append(slices.Clip(w.now.multis[k][key]), arrival{w.arrivals, amounts[j]})
	}
}

func (w *world) deleteOne(c choice, k kind, n int) {
	w.t.Helper()
	numbers, amounts := w.draw(c, k, n)
	for i := range numbers {
		w.deleteOneOf(i, k, numbers[i], amounts[i])
	}
}

func (w *world) deleteOneOf(task int, k kind, numbers, amounts []int) {
	w.t.Helper()
	b := w.sortedRows(amounts)
	defer b.Release()
	found := make(stream.Bitmap, stream.Words(len(numbers)))
	found.Fill(true)
	if err := w.tasks[task].multis[k].DeleteOne(w.spaces[k].keys(numbers), b, found); err != nil {
		w.t.Fatalf("delete one: %v", err)
	}
	for j, key := range numbers {
		rows := w.now.multis[k][key]
		at := slices.IndexFunc(rows, func(x arrival) bool { return x.amount == amounts[j] })
		if found.Get(j) != (at >= 0) {
			w.t.Fatalf("row %d of key %d was found: %v, among %v", amounts[j], key, found.Get(j), rows)
		}
		if at >= 0 {
			w.now.multis[k][key] = slices.Delete(slices.Clone(rows), at, at+1)
		}
		if len(w.now.multis[k][key]) == 0 {
			delete(w.now.multis[k], key)
		}
	}
}

// deleteAll empties keys of both shapes.
func (w *world) deleteAll(c choice, k kind, n int) {
	for i, numbers := range w.pick(c, k, n) {
		w.tasks[i].multis[k].DeleteAll(w.spaces[k].keys(numbers))
		w.tasks[i].orders[k].DeleteAll(w.spaces[k].keys(numbers))
		for _, key := range numbers {
			delete(w.now.multis[k], key)
			delete(w.now.orders[k], key)
		}
	}
}

// iterate goes over one key's rows, a few at a time, and changes them meanwhile.
func (w *world) iterate(c choice, k kind) {
	w.t.Helper()
	key := c.IntN(w.universe)
	task := w.owner(k, key)
	keys := cloneKeys(w.spaces[k].keys([]int{key}))
	it := statebackend.MultimapIterator{Keys: keys}
	last := 0
	for {
		n := 1 + c.IntN(3)
		out := w.sortedBuilders()
		positions, err := w.tasks[task].multis[k].Next(&it, n, out, nil)
		if err != nil {
			w.t.Fatalf("next: %v", err)
		}
		var want []int
		for _, x := range w.now.multis[k][key] {
			if x.number > last && len(want) < n {
				want = append(want, x.amount)
				last = x.number
			}
		}
		if got := w.amounts(out); !slices.Equal(got, want) || len(positions) != len(want) {
			w.t.Fatalf("rows of key %d are %v at %v, want %v", key, got, positions, want)
		}
		if len(want) < n {
			return
		}
		switch c.IntN(4) {
		case 0:
			w.deleteOneOf(task, k, []int{key}, []int{w.now.multis[k][key][c.IntN(len(w.now.multis[k][key]))].amount})
		case 1:
			w.appendTo(task, k, []int{key}, []int{c.IntN(60)})
		}
		if len(w.now.multis[k][key]) == 0 {
			return
		}
	}
}

// cloneKeys returns keys that outlive the reader's next ones.
func cloneKeys(k *stream.Keys) *stream.Keys {
	return &stream.Keys{
		Layout: k.Layout, Hashes: slices.Clone(k.Hashes), Fixed: slices.Clone(k.Fixed), Nulls: slices.Clone(k.Nulls),
		Offsets: slices.Clone(k.Offsets), Data: slices.Clone(k.Data),
	}
}

// orderText is an order: short ones are prefixes of longer ones.
func orderText(n int) string {
	return fmt.Sprintf("%.*s", n%14, fmt.Sprintf("order-%d-and-more", n/14)) + fmt.Sprintf("%c", 'a'+n%3)
}

func (w *world) put(c choice, k kind, n int) {
	w.t.Helper()
	numbers, amounts := w.draw(c, k, n)
	for i := range numbers {
		var orders statebackend.Orders
		from := c.IntN(100)
		for j, key := range numbers[i] {
			o := orderText(from + j*3)
			orders.Append([]byte(o))
			if w.now.orders[k][key] == nil {
				w.now.orders[k][key] = map[string]int{}
			}
			w.now.orders[k][key][o] = amounts[i][j]
		}
		b := w.sortedRows(amounts[i])
		if err := w.tasks[i].orders[k].Put(w.spaces[k].keys(numbers[i]), &orders, b); err != nil {
			w.t.Fatalf("put: %v", err)
		}
		b.Release()
	}
}

func (w *world) deleteOrders(c choice, k kind, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, n) {
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
		found := make(stream.Bitmap, stream.Words(len(numbers)))
		w.tasks[i].orders[k].Delete(w.spaces[k].keys(numbers), &orders, found)
		for j, key := range numbers {
			_, there := w.now.orders[k][key][names[j]]
			if there != found.Get(j) {
				w.t.Fatalf("order %q of key %d was found: %v", names[j], key, found.Get(j))
			}
			delete(w.now.orders[k][key], names[j])
			if len(w.now.orders[k][key]) == 0 {
				delete(w.now.orders[k], key)
			}
		}
	}
}

// sortedOrders returns the orders that a key has in the model.
func (w *world) sortedOrders(k kind, key int) []string {
	var out []string
	for o := range w.now.orders[k][key] {
		out = append(out, o)
	}
	slices.Sort(out)
	return out
}

// scan asks for a range of the rows of some keys, a few at a time.
func (w *world) scan(c choice, k kind, n int) {
	w.t.Helper()
	for i, numbers := range w.pick(c, k, min(n, 20)) {
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		s := statebackend.OrderedScan{Keys: cloneKeys(w.spaces[k].keys(numbers)), Descending: c.IntN(2) == 0, Limit: c.IntN(4)}
		var from, to []string
		switch bounds := c.IntN(4); {
		case len(numbers) == 0:
		default:
			for range numbers {
				lo, hi := orderText(c.IntN(100)), orderText(c.IntN(100))
				from, to = append(from, lo), append(to, hi)
				if bounds&1 != 0 {
					s.From.Append([]byte(lo))
				}
				if bounds&2 != 0 {
					s.To.Append([]byte(hi))
				}
			}
		}
		var want []string
		for j, key := range numbers {
			rows := w.sortedOrders(k, key)
			rows = slices.DeleteFunc(rows, func(o string) bool {
				return s.From.Len() > 0 && o < from[j] || s.To.Len() > 0 && o >= to[j]
			})
			if s.Descending {
				slices.Reverse(rows)
			}
			if s.Limit > 0 {
				rows = rows[:min(s.Limit, len(rows))]
			}
			for _, o := range rows {
				want = append(want, fmt.Sprint(j, " ", o, " ", w.now.orders[k][key][o]))
			}
		}
		if got := w.readScan(w.tasks[i].orders[k], &s, 1+c.IntN(5)); !slices.Equal(got, want) {
			w.t.Fatalf("scan of %d keys, descending %v, limit %d:\n%q, want\n%q", len(numbers), s.Descending, s.Limit, got, want)
		}
	}
}

// readScan reads a scan to its end, n rows at a time.
func (w *world) readScan(t statebackend.OrderedMapTable, s *statebackend.OrderedScan, n int) []string {
	w.t.Helper()
	var got []string
	for {
		out := statebackend.OrderedRows{Columns: w.sortedBuilders()}
		if err := t.Next(s, n, &out); err != nil {
			w.t.Fatalf("scan: %v", err)
		}
		amounts := w.amounts(out.Columns)
		if len(amounts) != len(out.Positions) || len(amounts) != out.Orders.Len() || len(amounts) > n {
			w.t.Fatalf("%d rows, %d positions, %d orders, asked for %d", len(amounts), len(out.Positions), out.Orders.Len(), n)
		}
		for i, x := range amounts {
			got = append(got, fmt.Sprint(out.Positions[i], " ", string(out.Orders.At(i)), " ", x))
		}
		if len(amounts) < n {
			return got
		}
	}
}

// broadcast changes the map of every task alike.
func (w *world) broadcast(c choice) {
	w.t.Helper()
	for range 1 + c.IntN(3) {
		key, value := fmt.Sprint("key", c.IntN(30)), fmt.Sprint("value", c.IntN(1000))
		remove := c.IntN(3) == 0
		for _, t := range w.tasks {
			if remove {
				t.shared.Delete([]byte(key))
			} else if err := t.shared.Put([]byte(key), []byte(value)); err != nil {
				w.t.Fatalf("broadcast: %v", err)
			}
		}
		if remove {
			delete(w.now.shared, key)
		} else {
			w.now.shared[key] = value
		}
	}
}

// compareSorted compares multimaps and ordered maps.
func (w *world) compareSorted(k kind) {
	w.t.Helper()
	numbers := make([][]int, len(w.tasks))
	for key := range w.universe {
		i := w.owner(k, key)
		numbers[i] = append(numbers[i], key)
	}
	rows, ordered := 0, 0
	for i, t := range w.tasks {
		keys := cloneKeys(w.spaces[k].keys(numbers[i]))
		counts := make([]int32, len(numbers[i]))
		t.multis[k].Count(keys, counts)
		var want []arrival // of positions and amounts
		for j, key := range numbers[i] {
			if int(counts[j]) != len(w.now.multis[k][key]) {
				w.t.Fatalf("key %d has %d rows, want %d", key, counts[j], len(w.now.multis[k][key]))
			}
			for _, x := range w.now.multis[k][key] {
				want = append(want, arrival{j, x.amount})
			}
		}
		if got := w.readMultimap(t.multis[k], keys); !slices.Equal(got, want) {
			w.t.Fatalf("multimap %d of task %d: rows %v, want %v", k, i, got, want)
		}
		t.orders[k].Count(keys, counts)
		var wantOrdered []string
		for j, key := range numbers[i] {
			if int(counts[j]) != len(w.now.orders[k][key]) {
				w.t.Fatalf("key %d has %d ordered rows, want %d", key, counts[j], len(w.now.orders[k][key]))
			}
			for _, o := range w.sortedOrders(k, key) {
				wantOrdered = append(wantOrdered, fmt.Sprint(j, " ", o, " ", w.now.orders[k][key][o]))
			}
		}
		s := statebackend.OrderedScan{Keys: keys}
		if got := w.readScan(t.orders[k], &s, 1000); !slices.Equal(got, wantOrdered) {
			w.t.Fatalf("ordered map %d of task %d: rows %v, want %v", k, i, got, wantOrdered)
		}
		rows += t.multis[k].Len() - len(want)
		ordered += t.orders[k].Len() - len(wantOrdered)
	}
	if rows != 0 || ordered != 0 {
		w.t.Fatalf("the lengths are %d and %d too large", rows, ordered)
	}
}

// readMultimap reads all rows of keys: positions and amounts.
func (w *world) readMultimap(t statebackend.MultimapTable, keys *stream.Keys) []arrival {
	w.t.Helper()
	it := statebackend.MultimapIterator{Keys: keys}
	var got []arrival
	for {
		out := w.sortedBuilders()
		positions, err := t.Next(&it, 1000, out, nil)
		if err != nil {
			w.t.Fatalf("next: %v", err)
		}
		for i, x := range w.amounts(out) {
			got = append(got, arrival{int(positions[i]), x})
		}
		if len(positions) < 1000 {
			return got
		}
	}
}

// compareShared compares the broadcast map of every task.
func (w *world) compareShared() {
	w.t.Helper()
	var want [][2]string
	for k, v := range w.now.shared {
		want = append(want, [2]string{k, v})
	}
	slices.SortFunc(want, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	for i, t := range w.tasks {
		var got [][2]string
		t.shared.Each(func(k, v []byte) bool {
			got = append(got, [2]string{string(k), string(v)})
			if found, ok := t.shared.Get(k); !ok || string(found) != string(v) {
				w.t.Fatalf("broadcast key %q of task %d has %q, %v", k, i, found, ok)
			}
			return true
		})
		if !slices.Equal(got, want) || t.shared.Len() != len(want) {
			w.t.Fatalf("broadcast map of task %d is %q (length %d), want %q", i, got, t.shared.Len(), want)
		}
		if _, ok := t.shared.Get([]byte("nobody")); ok {
			w.t.Fatalf("a key that nobody put is there")
		}
	}
}
