package blobstore

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/types"
)

// parser takes a path apart from left to right. Its steps need not be strict: end builds the path again from what was
// found and compares, so that exactly the paths that the builders make are accepted.
type parser struct {
	path string
	// at is where the rest of the path begins.
	at  int
	bad bool
}

func (p *parser) part() string {
	part, _, more := strings.Cut(p.path[p.at:], "/")
	p.at += len(part)
	if more {
		p.at++
	}
	return part
}

func (p *parser) job() types.JobID { return types.JobID(p.part()) }

func (p *parser) word(want string) {
	p.bad = p.part() != want || p.bad
}

func (p *parser) number() uint64 { return p.parseNumber(p.part()) }

func (p *parser) parseNumber(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	p.bad = err != nil || p.bad
	return n
}

func (p *parser) dash(s string) (before, after string) {
	before, after, ok := strings.Cut(s, "-")
	p.bad = !ok || p.bad
	return before, after
}

// task parses <vertex>.<subtask>-<unique> from the right, since a vertex may contain both dots and dashes.
func (p *parser) task() (types.TaskID, string) {
	part := p.part()
	dash := strings.LastIndexByte(part, '-')
	dot := strings.LastIndexByte(part[:max(dash, 0)], '.')
	if dot < 0 {
		p.bad = true
		return types.TaskID{}, ""
	}
	subtask, err := strconv.ParseInt(part[dot+1:dash], 10, 32)
	p.bad = err != nil || p.bad
	return types.TaskID{Vertex: types.VertexID(part[:dot]), Subtask: int32(subtask)}, part[dash+1:]
}

func (p *parser) savepoint() SavepointKey {
	k := SavepointKey{Job: p.job()}
	p.word("savepoint")
	id, unique := p.dash(p.part())
	k.Savepoint, k.Unique = p.parseNumber(id), unique
	return k
}

func (p *parser) end(kind string, k interface{ Path() (string, error) }) error {
	return p.endWith(kind, k.Path)
}

func (p *parser) endWith(kind string, build func() (string, error)) error {
	if !p.bad {
		if again, err := build(); err == nil && again == p.path {
			return nil
		}
	}
	return fmt.Errorf("%w: %q is not the key of a %s", ErrBadKey, p.path, kind)
}
