package badger

import (
	"sync"

	"millrace/internal/clock"
)

// watch keeps the pages of mapped tables that are resident within a bound, on a
// goroutine of its own from begin to end: reads and compactions map them at a hundred
// megabytes a second, whoever waits for whom.
type watch struct {
	stop  chan struct{}
	wait  sync.WaitGroup
	below int64 // what must be exceeded: what could not be taken back the last time counts
}

func (w *watch) begin(c clock.Clock, dir string) {
	w.stop, w.below = make(chan struct{}), residentMax
	w.wait.Go(func() {
		for {
			select {
			case <-w.stop:
				return
			case <-c.After(watchEvery):
				w.look(dir)
			}
		}
	})
}

func (w *watch) look(dir string) {
	if residentFiles() <= w.below {
		return
	}
	trim(dir)
	// Other mapped files of the process, this program's among them, are not ours to trim.
	w.below = max(residentMax, residentFiles()+residentMax/4)
}

// end stops the goroutine and waits for it.
func (w *watch) end() {
	if w.stop != nil {
		close(w.stop)
	}
	w.wait.Wait()
}
