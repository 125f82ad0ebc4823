package join

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// LookupFactory returns a factory of lookup joins that know the functions and find tables by open.
func LookupFactory(functions *expr.Registry, open operators.LookupOpener) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		spec := o.Body.(*jobgraph.LookupJoinSpec)
		if open == nil {
			return nil, failure.Userf("lookup join %s: this process has no tables to look rows up in", o.UID)
		}
		source, err := open(&spec.Table)
		if err != nil {
			return nil, failure.User(fmt.Errorf("lookup join %s: %w", o.UID, err))
		}
		return &Lookup{spec: spec, functions: functions, source: source}, nil
	}
}

// Lookup is the lookup join: each row leaves at once, with the rows of the table that have its key. The table is read whole
// before the first row is looked up, into an index of the operator's own; neither is state, so that a task that restores reads it anew.
type Lookup struct {
	spec      *jobgraph.LookupJoinSpec
	functions *expr.Registry
	source    operators.LookupSource
	ctx       *operators.Context
	keys      *stream.KeyReader
	table     *index // nil before the first row
	condition *condition
	output    *writer

	// The batch under way, with its keys: the row whose candidates are being found, the next of them where it was begun with,
	// which rows had a match, the first that did not leave.
	batch   *stream.Batch
	asked   *stream.Keys
	row     int
	at      int32
	begun   bool
	matched []bool
	done    int

	out        pairs
	from       int
	candidates candidates
}

// Open compiles the condition.
func (j *Lookup) Open(ctx *operators.Context) error {
	j.ctx = ctx
	if err := j.open(); err != nil {
		return failure.User(fmt.Errorf("lookup join %s: %w", ctx.Operator, err))
	}
	return nil
}

func (j *Lookup) open() (err error) {
	both := *j.ctx
	both.Inputs = []*types.Schema{j.ctx.Inputs[0], j.spec.Table.Schema}
	if j.keys, err = stream.NewKeyReader(j.ctx.Inputs[0], j.spec.Keys.Left); err != nil {
		return err
	}
	if j.condition, err = newCondition(j.spec.Condition, &both, j.functions); err != nil {
		return fmt.Errorf("condition: %w", err)
	}
	j.output = newWriter(&both, false)
	return nil
}

// Process takes a batch. The first one waits for the table.
func (j *Lookup) Process(_ int, b *stream.Batch) error {
	if j.table == nil {
		table, err := loadIndex(j.ctx.Pool, j.source, &j.spec.Table, j.spec.Keys.Right)
		if err != nil {
			return fmt.Errorf("lookup join %s: %w", j.ctx.Operator, err)
		}
		j.table = table
	}
	j.batch, j.asked = b.Retain(), j.keys.Read(b)
	j.row, j.begun, j.done = 0, false, 0
	j.matched = slices.Grow(j.matched[:0], b.Rows())[:b.Rows()]
	clear(j.matched)
	return nil
}

// Advance does nothing: event time passes through.
func (j *Lookup) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (j *Lookup) Flush() error { return nil }

// Next gives rows with those that were found.
func (j *Lookup) Next() (operators.Output, error) {
	if j.batch == nil {
		return operators.Output{}, nil
	}
	for j.done < j.batch.Rows() && j.out.len()-j.from < j.output.rows {
		if err := j.step(); err != nil {
			return operators.Output{}, fmt.Errorf("lookup join %s: %w", j.ctx.Operator, err)
		}
	}
	if j.from < j.out.len() {
		b, n := j.output.batch(&j.out, j.from, batchRows{j.batch}, batchRows{j.table.rows})
		j.from += n
		return operators.Output{Batch: b}, nil
	}
	j.release()
	return operators.Output{}, nil
}

func (j *Lookup) release() {
	j.out.reset()
	j.from = 0
	j.batch.Release()
	j.batch = nil
}

// step looks at the next tile of candidates.
func (j *Lookup) step() error {
	c := &j.candidates
	j.find()
	if err := c.meet(j.ctx.Pool, j.condition, j.batch, 0, batchRows{j.table.rows}); err != nil {
		return err
	}
	at := 0
	for ; j.done < j.row || at < len(c.positions); j.done++ {
		row := j.batch.Row(j.done)
		for ; at < len(c.positions) && int(c.positions[at]) == j.done; at++ {
			j.matched[j.done] = true
			j.out.add(j.batch.Kind(row), 0, int32(row), c.others[at])
		}
		if j.done >= j.row {
			break // more of its candidates follow
		}
		j.finish(j.done)
	}
	return nil
}

// find collects candidates, up to a tile of them.
func (j *Lookup) find() {
	c := &j.candidates
	c.others, c.positions = c.others[:0], c.positions[:0]
	for j.row < j.batch.Rows() && len(c.others) < pairsMax {
		if !j.begun {
			j.at, j.begun = j.table.first(j.asked, j.row), true
		}
		for ; j.at != none && len(c.others) < pairsMax; j.at = j.table.next(j.at, j.asked, j.row) {
			c.others, c.positions = append(c.others, j.at), append(c.positions, int32(j.row))
		}
		if j.at == none {
			j.row, j.begun = j.row+1, false
		}
	}
}

// finish pads a row that had no match, where such rows leave.
func (j *Lookup) finish(i int) {
	row := j.batch.Row(i)
	switch {
	case j.matched[i]:
		j.ctx.Counts.Folded++
	case j.spec.Type == jobgraph.LeftJoin:
		j.out.add(j.batch.Kind(row), 0, int32(row), none)
		j.ctx.Counts.Folded++
	default:
		j.ctx.Counts.Filtered++
	}
}

// Close gives back what is under way, and the table.
func (j *Lookup) Close() error {
	j.release()
	j.table.close()
	j.output.close()
	j.condition.close()
	return nil
}
