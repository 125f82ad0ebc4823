package sdktest

// moment is a call by which something came in.
type moment struct {
	source *source
	split  int
	items  int // how many of the split's items it brought
	ends   bool
}

// happen makes something come in, and waits until nothing moves.
func (p *Pipeline) happen(m moment) bool {
	p.t.Helper()
	p.moments = append(p.moments, m)
	m.release()
	return p.check(p.attempt.settle())
}

// release lets the source's readers see it.
func (m moment) release() {
	m.source.splits[m.split].released += m.items
	m.source.ended = m.source.ended || m.ends
	m.source.wake()
}

// rewind hides from readers what came in behind a moment.
func (p *Pipeline) rewind(to int) {
	for _, s := range p.sources {
		s.ended, s.readers = false, nil
		for _, split := range s.splits {
			split.released = 0
		}
	}
	for _, m := range p.moments[:to] {
		m.release()
	}
}
