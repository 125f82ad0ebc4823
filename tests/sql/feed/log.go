package feed

import (
	"sync"

	"millrace/exchange"
	"millrace/stream"
)

// Logs are the logs of a process, by name. They are safe for concurrent use.
type Logs struct {
	mu struct {
		sync.Mutex
		logs map[string]*Log
	}
}

// Log returns the log of that name, which is made where there is none.
func (l *Logs) Log(name string) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.logs == nil {
		l.mu.logs = make(map[string]*Log)
	}
	if l.mu.logs[name] == nil {
		l.mu.logs[name] = &Log{}
	}
	return l.mu.logs[name]
}

// Log is the rows of a table.
type Log struct {
	mu struct {
		sync.Mutex
		rows   []row
		closed bool
		// read is how many rows of a split have been read, by the reader that has it now.
		read   map[int]int
		wakers map[*reader]exchange.Waker
		splits int
	}
}

// row is a row of a batch, which the log keeps.
type row struct {
	batch *stream.Batch
	at    int
}

// Put appends the selected rows of a batch, which the log takes over.
func (l *Log) Put(b *stream.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range b.Rows() {
		l.mu.rows = append(l.mu.rows, row{b, b.Row(i)})
	}
	l.wake()
}

// Close says that no row follows.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closed = true
	l.wake()
}

// Read tells whether a job has read all rows that were put.
func (l *Log) Read() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for split := range l.mu.splits {
		if l.mu.read[split] < l.share(split, l.mu.splits) {
			return false
		}
	}
	return l.mu.splits > 0
}

// wake tells readers to look again. Wakers only leave a note.
func (l *Log) wake() {
	for _, w := range l.mu.wakers {
		w.Wake()
	}
}

// share is how many rows a split has.
func (l *Log) share(split, splits int) int {
	return (len(l.mu.rows) - split + splits - 1) / splits
}

// take returns at most n rows of a split from the one of that number on, and whether the split is at its end.
func (l *Log) take(split, splits, from, n int) (rows []row, end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.share(split, splits)
	for ; from < have && len(rows) < n; from++ {
		rows = append(rows, l.mu.rows[from*splits+split])
	}
	return rows, l.mu.closed && from == have
}

// began notes that a reader has a split, and where it begins.
func (l *Log) began(r *reader, split, splits, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.read == nil {
		l.mu.read = make(map[int]int)
		l.mu.wakers = make(map[*reader]exchange.Waker)
	}
	l.mu.splits = splits
	l.mu.read[split] = at
	l.mu.wakers[r] = r.ctx.Waker
}

func (l *Log) reached(split, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.read[split] = at
}

func (l *Log) left(r *reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.wakers, r)
}
