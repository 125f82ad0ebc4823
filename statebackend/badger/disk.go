package badger

import (
	"fmt"

	"millrace/failure"
)

// admit refuses n bytes more while the disk is too full, or the files have what they
// may have.
func (t *Tier) admit(n int) error {
	problem, err := t.pressure(int64(n))
	if err != nil {
		return failure.Externalf(failure.Backoff, "ask for the free space of the state tier: %w", err)
	}
	t.say(problem)
	if problem == "" {
		return nil
	}
	return failure.External(failure.Message{
		Primary: problem,
		Hint:    "free space there, or put state.backend.badger.localdir on a larger disk",
	}, failure.Backoff)
}

// pressure says what speaks against n bytes more, "" for nothing.
func (t *Tier) pressure(n int64) (string, error) {
	free, total, err := t.free(t.opts.Dir)
	if err != nil {
		return "", err
	}
	if least := max(total/freeShare, uint64(4*memtables*t.plan.memtable)); free < least {
		return fmt.Sprintf("DISK_PRESSURE: the disk of the state tier in %s has %d bytes free, it needs %d", t.opts.Dir, free, least), nil
	}
	if size := t.size(n); t.opts.DiskBytes > 0 && size > t.opts.DiskBytes {
		return fmt.Sprintf("DISK_PRESSURE: the state tier in %s has %d bytes, it may have %d", t.opts.Dir, size, t.opts.DiskBytes), nil
	}
	return "", nil
}

// size returns about how much the files take with n bytes more. They are asked now and
// then, and while they are too large, so that deletions show.
func (t *Tier) size(n int64) int64 {
	db, done, err := t.use(false)
	if err != nil {
		return 0
	}
	defer done()
	t.mu.Lock()
	t.mu.unseen += n
	look := t.mu.unseen > levelsEvery || t.opts.DiskBytes > 0 && t.mu.size+t.mu.unseen > t.opts.DiskBytes
	t.mu.Unlock()
	if look && db != nil {
		size := int64(0)
		for _, l := range db.Levels() {
			size += l.Size
		}
		t.mu.Lock()
		t.mu.size, t.mu.unseen = size, n
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.size + t.mu.unseen
}

// say keeps what the trouble is, and tells of it when it begins and ends.
func (t *Tier) say(problem string) {
	t.mu.Lock()
	changed := (t.mu.trouble == "") != (problem == "")
	t.mu.trouble = problem
	t.mu.Unlock()
	if changed && t.opts.Pressure != nil {
		t.opts.Pressure(problem)
	}
}

// Trouble says what keeps rows from leaving memory, "" when nothing does.
func (t *Tier) Trouble() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.trouble
}
