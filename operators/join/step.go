package join

import (
	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
)

// step looks at the next tile of candidates. The pairs among them become output, and rows whose last candidate was
// among them are finished.
func (j *Join) step() error {
	if j.from > 0 && j.from == j.out.len() {
		j.out.reset()
		j.from = 0
	}
	other := j.sides[1-j.input]
	j.others, j.positions = other.table.Slots(&j.it, pairsMax, j.others[:0], j.positions[:0])
	complete := j.it.Key // rows before it have no candidate left
	if len(j.others) < pairsMax {
		complete = j.batch.Rows()
	}
	j.others, j.positions = other.live(j.others, j.positions)
	j.dropIdle()
	if err := j.meet(j.ctx.Pool, j.condition, j.batch, j.input, tableRows{other.table}); err != nil {
		return err
	}
	if other.matches >= 0 {
		other.table.Touch(j.others)
	}
	j.pair(complete)
	return nil
}

// dropIdle leaves out the candidates of rows that were to be taken back and aren't there.
func (j *Join) dropIdle() {
	if j.sides[j.input].appendOnly {
		return
	}
	n := 0
	for i, p := range j.positions {
		if j.slots[p] != statebackend.NoSlot {
			j.others[n], j.positions[n] = j.others[i], p
			n++
		}
	}
	j.others, j.positions = j.others[:n], j.positions[:n]
}

// pair makes output of the tile's pairs, row by row, and finishes the rows before complete.
func (j *Join) pair(complete int) {
	r := j.sides[1-j.input].table.Rows()
	at, n := 0, len(j.positions)
	for row := j.done; row < complete || at < n; row++ {
		from := at
		for at < n && int(j.positions[at]) == row {
			at++
		}
		if at > from {
			j.matches[row] += int32(at - from)
			j.emit(row, &r, j.others[from:at])
		}
		if row < complete {
			j.finish(row)
		}
	}
	j.done = complete
}

// emit makes output of pairs of one row of the batch.
func (j *Join) emit(row int, r *statebackend.Rows, others []statebackend.Slot) {
	if j.spec.Type.LeftOnly() {
		j.emitLeft(row, r, others)
		return
	}
	physical := j.batch.Row(row)
	kind := j.batch.Kind(physical)
	mine := int32(physical)
	other := j.sides[1-j.input]
	outer := j.spec.Type.Outer(1 - j.input)
	retracts := kind.Retracts()
	switch {
	case retracts && j.spec.Type.Outer(j.input):
		kind = stream.Delete
	case !retracts && (outer || j.spec.Type.Outer(j.input)):
		kind = stream.Insert
	}
	if outer && !retracts {
		for _, s := range others {
			if other.matched(r, s, 1) == 0 {
				j.out.add(stream.Delete, j.input, none, s)
			}
		}
	}
	for _, s := range others {
		j.out.add(kind, j.input, mine, s)
	}
	if outer && retracts {
		for _, s := range others {
			if other.matched(r, s, -1) == 1 {
				j.out.add(stream.Insert, j.input, none, s)
			}
		}
	}
}

func (j *Join) isAnti() bool { return j.spec.Type == jobgraph.AntiJoin }

// emitLeft makes output of the left rows that a right row is, or was, the first match of.
func (j *Join) emitLeft(row int, r *statebackend.Rows, others []statebackend.Slot) {
	if j.input == 0 {
		return // as soon as the number of its matches is known
	}
	kind := j.batch.Kind(j.batch.Row(row))
	by, first := int64(1), int64(0)
	if kind.Retracts() {
		by, first = -1, 1
	}
	if j.isAnti() {
		kind = [...]stream.RowKind{stream.Delete, stream.Insert}[first]
	}
	for _, s := range others {
		if j.sides[0].matched(r, s, by) == first {
			j.out.add(kind, j.input, none, s)
		}
	}
}

// finish makes output of a row of the batch whose matches are known, and keeps their number.
func (j *Join) finish(row int) {
	slot, own := j.slots[row], j.sides[j.input]
	if slot == statebackend.NoSlot || own.matches < 0 {
		return
	}
	physical := j.batch.Row(row)
	kind := j.batch.Kind(physical)
	n := j.matches[row]
	switch {
	case j.spec.Type.LeftOnly():
		if (n == 0) == j.isAnti() {
			j.out.add(kind, j.input, int32(physical), none)
		}
	case n == 0 && kind.Retracts():
		j.out.add(stream.Delete, j.input, int32(physical), none)
	case n == 0:
		j.out.add(stream.Insert, j.input, int32(physical), none)
	}
	if slot >= 0 && !kind.Retracts() {
		// Maybe the row is gone, taken back later in the batch. Then nobody reads the word, or the row that has
		// the slot now writes its own here when it is finished.
		r := own.table.Rows()
		r.At(slot)[own.matches] = uint64(n)
	}
}
