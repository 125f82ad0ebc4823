package kernel

import (
	"millrace/expr"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

var bucketBinders = map[string]binder{expr.HashBucket: bindBucket}

// bindBucket deals values out by the hash of their canonical form, which is that of keys.
func bindBucket(e *expr.Call, args []node) (node, error) {
	n, ok := e.Args[1].(*expr.Literal)
	if !ok {
		return nil, noKernel(e)
	}
	buckets, ok := n.Value.(int64)
	if !ok || buckets < 1 {
		return nil, failure.Userf("the number of buckets is %v, want a positive one", n.Value)
	}
	by := uint64(buckets)
	switch e.Args[0].Type().Layout() {
	case types.LayoutBit:
		return careful(e, args, func(k *call, out *stream.Vector) error {
			o := stream.Values[int32](out)
			for i := range o {
				x := uint64(0)
				if k.args[0].Bool(i) {
					x = 1
				}
				o[i] = bucketOf(stream.HashUint64(x), by)
			}
			return nil
		}), nil
	case types.LayoutInt8:
		return strict(e, args, bucketLoop(by, signedHash[int8])), nil
	case types.LayoutInt16:
		return strict(e, args, bucketLoop(by, signedHash[int16])), nil
	case types.LayoutInt32:
		return strict(e, args, bucketLoop(by, signedHash[int32])), nil
	case types.LayoutInt64:
		return strict(e, args, bucketLoop(by, signedHash[int64])), nil
	case types.LayoutFloat32:
		return strict(e, args, bucketLoop(by, func(x float32) uint64 { return stream.HashUint64(uint64(stream.CanonicalFloat32(x))) })), nil
	case types.LayoutFloat64:
		return strict(e, args, bucketLoop(by, func(x float64) uint64 { return stream.HashUint64(stream.CanonicalFloat64(x)) })), nil
	case types.LayoutInt128:
		return strict(e, args, bucketLoop(by, func(x types.Int128) uint64 {
			return stream.HashCombine(stream.HashUint64(x.Lo), stream.HashUint64(uint64(x.Hi)))
		})), nil
	case types.LayoutBytes:
		return careful(e, args, func(k *call, out *stream.Vector) error {
			in, o := bytesOperand(&k.args[0]), stream.Values[int32](out)
			for i := range o {
				if k.alive(i) {
					o[i] = bucketOf(stream.HashBytes(in.at(i)), by)
				}
			}
			return nil
		}), nil
	default:
		return nil, noKernel(e)
	}
}

func bucketOf(hash, buckets uint64) int32 { return int32(hash % buckets) }

func signedHash[T int8 | int16 | int32 | int64](x T) uint64 {
	return stream.HashUint64(uint64(int64(x)))
}

// bucketLoop hashes all values, those that nobody reads too.
func bucketLoop[T stream.Fixed](buckets uint64, hash func(T) uint64) loop {
	return func(k *call, out *stream.Vector) error {
		in, o := operandOf[T](&k.args[0]), stream.Values[int32](out)
		for i := range o {
			o[i] = bucketOf(hash(in.at(i)), buckets)
		}
		return nil
	}
}
