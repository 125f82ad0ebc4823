package exactlyonce

import "millrace/tests/platformtest"

// lateness tells, row by row of one partition, which rows are late: those whose window has ended at or before the
// watermark that the rows before them make.
type lateness struct {
	highest int64
	any     bool
}

func (l *lateness) late(b platformtest.Bid) bool {
	late := l.any && b.Window()+platformtest.WindowMillis-1 <= l.highest-platformtest.DelayMillis-1
	l.highest, l.any = max(l.highest, b.Millis), true
	return late
}
