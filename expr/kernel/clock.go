package kernel

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var clockBinders = map[string]sessionBinder{
	"CURRENT_TIMESTAMP": bindNow, "NOW": bindNow, "CURRENT_ROW_TIMESTAMP": bindNow, "PROCTIME": bindNow,
	"LOCALTIMESTAMP": bindNow, "CURRENT_DATE": bindNow, "CURRENT_TIME": bindNow, "LOCALTIME": bindNow,
	"UNIX_TIMESTAMP": bindUnixTimestamp,
	"RAND":           bindRandom, "RAND_INTEGER": bindRandomInteger, "UUID": bindUUID,
}

var (
	errNoClock  = errors.New("nothing tells the time here")
	errNotAbove = errors.New("the bound must be above 0")
)

// bindNow binds the functions that tell the time of the batch, each in the
// form of its type.
func bindNow(s *session, e *expr.Call, _ []node) (node, error) {
	if s.clock == nil {
		return nil, errNoClock
	}
	return careful(e, nil, func(_ *call, out *stream.Vector) error {
		millis := s.time()
		switch e.T.Kind {
		case types.TimestampLTZ:
			stream.Values[int64](out)[0] = millis
		case types.Timestamp:
			stream.Values[int64](out)[0] = s.local(millis, 1000)
		case types.Date:
			stream.Values[int32](out)[0] = int32(floorDiv(s.local(millis, 1000), millisPerDay))
		default:
			stream.Values[int32](out)[0] = truncateTime(int32(floorMod(s.local(millis, 1000), millisPerDay)), e.T)
		}
		return nil
	}), nil
}

// notParsed is what UNIX_TIMESTAMP gives for a text that does not fit.
const notParsed = -1 << 63

func bindUnixTimestamp(s *session, e *expr.Call, args []node) (node, error) {
	if len(args) == 0 {
		if s.clock == nil {
			return nil, errNoClock
		}
		return careful(e, nil, func(_ *call, out *stream.Vector) error {
			stream.Values[int64](out)[0] = floorDiv(s.time(), 1000)
			return nil
		}), nil
	}
	p, err := newPatternOf(e, 1, defaultPattern)
	if err != nil {
		return nil, err
	}
	return careful(e, args, func(k *call, out *stream.Vector) error {
		text, o := bytesOperand(&k.args[0]), stream.Values[int64](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			d, err := p.at(k, 1, i)
			if err != nil {
				return k.fail(i, err)
			}
			o[i] = notParsed
			if c, ok := d.parse(text.at(i)); ok {
				seconds, _ := c.ticks(1)
				o[i] = s.utc(seconds, 1)
			}
		}
		return nil
	}), nil
}

// lot is a function that draws a value for every row that counts.
type lot struct {
	callNode
	draw func(f frame, out *stream.Vector) error
}

func (n *lot) guarded() bool { return true }

func (n *lot) eval(f frame) (stream.Vector, error) {
	k := &n.k
	defer k.release()
	for _, a := range n.args {
		v, err := a.eval(f)
		if err != nil {
			return stream.Vector{}, err
		}
		if v.Encoding == stream.Constant && v.IsNull(0) {
			v.Release()
			return stream.NullOf(f.pool, n.typ, 1), nil
		}
		k.args = append(k.args, k.flatten(f, v))
	}
	k.frame, k.outer = f, f
	k.live = k.liveRows()
	out := stream.NewFixed(f.pool, n.typ, f.n)
	k.copyNulls(&out)
	if err := n.draw(f, &out); err != nil {
		out.Release()
		return stream.Vector{}, err
	}
	return out, nil
}

func newLot(e *expr.Call, args []node) *lot {
	n := &lot{}
	n.callNode = callNode{args: args, typ: e.T, careful: true}
	n.k.name = e
	return n
}

// bindRandom binds RAND: from the session's source, or, with a seed, what
// Java's generator gives for it.
func bindRandom(s *session, e *expr.Call, args []node) (node, error) {
	n := newLot(e, args)
	var seeded javaRandom
	n.draw = func(_ frame, out *stream.Vector) error {
		k, o := &n.k, stream.Values[float64](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			if len(k.args) == 0 {
				o[i] = s.random.Float64()
				continue
			}
			seed := operandOf[int32](&k.args[0])
			seeded.sow(int64(seed.at(i)))
			o[i] = seeded.float64()
		}
		return nil
	}
	return n, nil
}

// bindRandomInteger binds RAND_INTEGER([seed,] bound).
func bindRandomInteger(s *session, e *expr.Call, args []node) (node, error) {
	n := newLot(e, args)
	var seeded javaRandom
	n.draw = func(_ frame, out *stream.Vector) error {
		k, o := &n.k, stream.Values[int32](out)
		bounds := operandOf[int32](&k.args[len(k.args)-1])
		for i := range o {
			if !k.alive(i) {
				continue
			}
			bound := bounds.at(i)
			switch {
			case bound <= 0:
				return k.fail(i, errNotAbove)
			case len(k.args) == 1:
				o[i] = s.random.Int32N(bound)
			default:
				seed := operandOf[int32](&k.args[0])
				seeded.sow(int64(seed.at(i)))
				o[i] = seeded.int32n(bound)
			}
		}
		return nil
	}
	return n, nil
}

// javaRandom is the linear congruential generator that Java specifies. A seed
// is sown once: as long as it stays, the numbers go on.
type javaRandom struct {
	state, seed int64
	sown        bool
}

func (r *javaRandom) sow(seed int64) {
	if !r.sown || r.seed != seed {
		*r = javaRandom{state: (seed ^ 0x5DEECE66D) & (1<<48 - 1), seed: seed, sown: true}
	}
}

func (r *javaRandom) next(bits int) int32 {
	r.state = (r.state*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return int32(r.state >> (48 - bits))
}

func (r *javaRandom) float64() float64 {
	high := int64(r.next(26)) << 27
	return float64(high+int64(r.next(27))) / (1 << 53)
}

func (r *javaRandom) int32n(bound int32) int32 {
	x := r.next(31)
	if bound&(bound-1) == 0 {
		return int32(int64(bound) * int64(x) >> 31)
	}
	for x-x%bound > 1<<31-1-(bound-1) {
		x = r.next(31)
	}
	return x % bound
}

// uuidNode is UUID: of version 4, from the session's source.
type uuidNode struct {
	s   *session
	typ types.Type
	b   stream.Builder
}

func bindUUID(s *session, e *expr.Call, _ []node) (node, error) {
	return &uuidNode{s: s, typ: e.T}, nil
}

func (*uuidNode) guarded() bool { return true }

func (n *uuidNode) eval(f frame) (stream.Vector, error) {
	n.b.Init(f.pool, n.typ, f.n)
	for range f.n {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], n.s.random.Uint64())
		binary.BigEndian.PutUint64(id[8:], n.s.random.Uint64())
		id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
		p := n.b.Extend(36)
		hex.Encode(p, id[:4])
		for i, at := range [4]int{9, 14, 19, 24} {
			p[at-1] = '-'
			hex.Encode(p[at:], id[4+2*i:min(6+2*i, 10)])
		}
		hex.Encode(p[24:], id[10:])
		n.b.CloseValue()
	}
	return n.b.Finish(), nil
}

// zoneOf finds time zones by name; the last one is kept.
type zoneOf struct {
	name string
	zone *time.Location
}

func (z *zoneOf) of(name []byte) (*time.Location, error) {
	if z.zone != nil && z.name == string(name) {
		return z.zone, nil
	}
	zone, err := types.LoadZone(string(name))
	if err != nil {
		return nil, err
	}
	z.name, z.zone = string(name), zone
	return zone, nil
}
