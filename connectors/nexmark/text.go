package nexmark

import (
	"bytes"
	"fmt"
	"math/bits"
)

const (
	// poolBytes is the size of a pool of text: small enough for a core's cache.
	poolBytes = 1 << 16
	// textBytesMax is the longest text cut from a pool.
	textBytesMax = 1 << 14

	channelsCount = 10_000
)

// hotChannels are those of half of all bids.
var hotChannels = []string{"Google", "Facebook", "Baidu", "Apple"}

// pools are random texts, made once, out of which events cut theirs.
type pools struct {
	padding []byte // letters and signs, backslashes among them
	words   []byte // lower-case words between blanks

	channels, urls texts // hotChannels first
}

// texts are values end to end.
type texts struct {
	data []byte
	ends []int32
}

func (t *texts) add(s string) {
	t.data = append(t.data, s...)
	t.ends = append(t.ends, int32(len(t.data)))
}

func (t *texts) at(i int64) []byte {
	from := int32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.data[from:t.ends[i]]
}

func newPools(s *salts) *pools {
	p := &pools{padding: make([]byte, poolBytes+textBytesMax), words: make([]byte, poolBytes+textBytesMax)}
	w := writer{salts: s}
	for i := range p.padding {
		if i%6 == 0 {
			w.fresh()
		}
		p.padding[i] = w.padding()
	}
	for i := range p.words {
		w.fresh()
		p.words[i] = w.letter(' ')
	}
	for _, name := range hotChannels {
		p.channels.add(name)
		p.urls.add(w.url())
	}
	for i := range channelsCount {
		p.channels.add(fmt.Sprintf("channel-%d", i))
		p.urls.add(w.url() + w.channelID(i))
	}
	return p
}

// writer writes the pools, from one sequence of random numbers.
type writer struct {
	salts *salts
	n     int64
	draw  draw
	signs bool
}

func (w *writer) fresh() {
	w.n++
	w.draw = w.salts.draw(usePools, w.n)
	w.signs = w.draw.pick(2) == 1
}

// padding returns a character of a run of lower-case letters or of one of
// capitals and signs: H to a.
func (w *writer) padding() byte {
	if w.signs {
		return 'a' - byte(w.draw.pick(26))
	}
	return 'a' + byte(w.draw.pick(26))
}

// letter returns a lower-case letter, or the gap once in thirteen.
func (w *writer) letter(gap byte) byte {
	if w.draw.pick(13) == 0 {
		return gap
	}
	return 'a' + byte(w.draw.pick(26))
}

func (w *writer) url() string {
	var parts [3][]byte
	for i := range parts {
		w.fresh()
		for range 3 + w.draw.pick(2) {
			w.fresh()
			parts[i] = append(parts[i], w.letter('_'))
		}
	}
	return fmt.Sprintf("https://www.nexmark.com/%s/%s/%s/item.htm?query=1", parts[0], parts[1], parts[2])
}

// channelID returns what nine of ten urls end with.
func (w *writer) channelID(i int) string {
	w.fresh()
	if w.draw.pick(10) == 0 {
		return ""
	}
	id := int64(int32(bits.Reverse32(uint32(i))))
	return fmt.Sprintf("&channel_id=%d", max(id, -id))
}

// word cuts a text of 3 to bytesMax characters, without blanks at its ends.
func (p *pools) word(d *draw, bytesMax int64) []byte {
	n := 3 + d.pick(bytesMax-3)
	from := d.pick(poolBytes)
	return bytes.TrimSpace(p.words[from : from+n])
}

// padSize is the length of padding: least plus up to spread, exclusive.
type padSize struct{ least, spread int64 }

// padTo returns the size of a padding that brings rows of `have` bytes to an
// average of `average`, give or take a fifth.
func padTo(average, have int64) padSize {
	if have > average {
		return padSize{0, 1}
	}
	delta := (average - have + 2) / 5
	return padSize{average - have - delta, max(2*delta, 1)}
}

func (p *pools) pad(d draw, s padSize) []byte {
	n := s.least + d.pick(s.spread)
	from := d.pick(poolBytes)
	return p.padding[from : from+n]
}
