package sdktest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators/watermark"
	"millrace/stream"
	"millrace/types"
)

// source is what stands in for a source: what was pushed into its splits, which no crash forgets.
type source struct {
	spec    *jobgraph.SourceSpec
	splits  []*split
	ended   bool
	readers []*reader // of the attempt
}

// split is the items of a split, of which readers see the first few.
type split struct {
	items    []item
	released int
	rows     int // of all items
}

// push adds a batch, which the split takes over.
func (s *split) push(b *stream.Batch) {
	s.items = append(s.items, item{batch: b, first: s.rows})
	s.rows += b.Rows()
}

// item is a batch, or event time.
type item struct {
	batch *stream.Batch // the split's
	first int           // how many rows of the split are in front of it
	at    int64         // without a batch: event time, in milliseconds
}

func (p *Pipeline) useSource(spec *jobgraph.SourceSpec) {
	uid := string(spec.UID)
	s := p.sources[uid]
	if s == nil {
		s = &source{}
		p.sources[uid] = s
		statement, _, _ := strings.Cut(uid, ".source-")
		for range max(p.o.Splits[uid], p.o.Splits[statement], 1) {
			s.splits = append(s.splits, &split{})
		}
	}
	s.spec = spec
}

func (s *source) wake() {
	for _, r := range s.readers {
		r.waker.Wake()
	}
}

func (s *source) close() {
	for _, split := range s.splits {
		for _, i := range split.items {
			i.batch.Release()
		}
		split.items = nil
	}
}

// assignments returns what each reader is given: the splits by turns, each where the checkpoint says.
func (s *source) assignments(restored []connectors.SplitState, parallelism int) [][]connectors.SplitState {
	at := make(map[connectors.SplitID]connectors.SplitState)
	for _, r := range restored {
		at[r.ID] = r
	}
	out := make([][]connectors.SplitState, parallelism)
	for i := range s.splits {
		id := connectors.SplitID(fmt.Sprintf("%s-%d", s.spec.UID, i))
		state, ok := at[id]
		if !ok {
			state = connectors.SplitState{ID: id, State: position{split: i}.append(nil), Watermark: stream.NoWatermark}
		}
		out[i%parallelism] = append(out[i%parallelism], state)
	}
	return out
}

// position is where a reader is in a split.
type position struct{ split, item int }

func (p position) append(to []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(to, positionVersion), uint64(p.split)), uint64(p.item))
}

const positionVersion = 1

// reader implements connectors.Reader.
type reader struct {
	source    *source
	pool      *stream.Pool
	waker     exchange.Waker
	generator *watermark.Generator // nil: the source has no event time
	at        []position           // by ordinal
	told      []bool               // that the split is at its end
	turn      int
	noMore    bool
	began     string
}

// Assign implements connectors.Reader.
func (r *reader) Assign(splits []connectors.SplitState) error {
	for _, s := range splits {
		in := connectors.NewStateReader(s.State, positionVersion)
		at := position{split: int(in.Uvarint(splitsMax)), item: int(in.Uvarint(1 << 40))}
		if err := in.Close("split " + string(s.ID)); err != nil {
			return err
		}
		if at.split >= len(r.source.splits) {
			return failure.Internalf("there is no split %s", s.ID)
		}
		r.at, r.told = append(r.at, at), append(r.told, false)
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	for range r.at {
		ordinal := r.turn % len(r.at)
		r.turn++
		at := &r.at[ordinal]
		s := r.source.splits[at.split]
		if at.item >= s.released {
			continue
		}
		i := s.items[at.item]
		at.item++
		if i.batch == nil {
			return nil, connectors.More, r.advance(int32(ordinal), i.at)
		}
		b := i.batch.Share()
		b.Split = int32(ordinal)
		r.began = fmt.Sprintf("source %s, split %d, row %d", r.source.spec.UID, at.split, i.first)
		return b, connectors.More, nil
	}
	if r.source.ended && r.noMore {
		return nil, connectors.Done, nil
	}
	return nil, connectors.Dry, nil
}

// advance moves the event time of a split as a row would that makes it.
func (r *reader) advance(ordinal int32, at int64) error {
	w := r.source.spec.Watermark
	var b stream.Builder
	b.Init(r.pool, r.source.spec.Output().Fields[w.Column].Type, 1)
	b.AppendInt64(at + w.Delay.Milliseconds() + 1)
	v := b.Finish()
	defer v.Release()
	_, err := r.generator.Cut(ordinal, &v, nil, 0)
	return err
}

// Began implements connectors.Locator.
func (r *reader) Began() string { return r.began }

// Finished implements connectors.Reader.
func (r *reader) Finished() (out []int32) {
	for i, at := range r.at {
		if !r.told[i] && r.source.ended && at.item >= r.source.splits[at.split].released {
			r.told[i] = true
			out = append(out, int32(i))
		}
	}
	return out
}

// Positions implements connectors.Reader.
func (r *reader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	for _, at := range r.at {
		dst = append(dst, connectors.SplitState{
			ID: connectors.SplitID(fmt.Sprintf("%s-%d", r.source.spec.UID, at.split)), State: at.append(nil), Watermark: stream.NoWatermark,
		})
	}
	return dst
}

// CheckpointComplete implements connectors.Reader.
func (*reader) CheckpointComplete(types.CheckpointID) {}

// Close implements connectors.Reader.
func (*reader) Close() error { return nil }

// Watermark says that rows of a source that are to come are later than a time, as far as that is not known of its rows: event time of all its splits moves
// there. Rows that are not later all the same are late.
func (p *Pipeline) Watermark(source string, at time.Time) {
	p.t.Helper()
	s := p.source(source)
	if s == nil {
		return
	}
	if s.spec.Watermark == nil {
		p.t.Fatalf("the source %q has no event time: tag a field of its rows with `millrace:\",rowtime\"`", source)
		return
	}
	for i := range s.splits {
		s.splits[i].items = append(s.splits[i].items, item{at: at.UnixMilli()})
		p.moments = append(p.moments, moment{source: s, split: i, items: 1})
		p.moments[len(p.moments)-1].release()
	}
	p.check(p.attempt.settle())
}

// End ends the input of the sources of these uids; without any, of all. When all have ended, so has the job, behind a last checkpoint: everything is committed.
func (p *Pipeline) End(sources ...string) {
	p.t.Helper()
	if len(sources) == 0 {
		for i := range p.program.graph.Vertices {
			if s := p.program.graph.Vertices[i].Source; s != nil && !p.sources[string(s.UID)].ended {
				sources = append(sources, string(s.UID))
			}
		}
	}
	for _, uid := range sources {
		if s := p.source(uid); s == nil || !p.happen(moment{source: s, ends: true}) {
			return
		}
	}
}

// source returns the source of a uid, or of the statement of SQL that has it, into which something may come; nil where the job has failed as it should.
func (p *Pipeline) source(uid string) *source {
	p.t.Helper()
	if !p.runs() {
		return nil
	}
	var uids []string
	for i := range p.program.graph.Vertices {
		if s := p.program.graph.Vertices[i].Source; s != nil {
			uids = append(uids, string(s.UID))
		}
	}
	s := p.sources[p.resolve("source", uid, uids)]
	if s != nil && s.ended {
		p.t.Fatalf("the input of the source %q has ended", uid)
	}
	return s
}
