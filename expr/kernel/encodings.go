package kernel

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"millrace/expr"
	"millrace/types"
)

var encodingBinders = map[string]binder{
	"TO_BASE64": bindText(toBase64), "FROM_BASE64": bindText(fromBase64), "HEX": bindHex, "UNHEX": bindText(unhexOf), "BIN": bindText(binOf),
	"MD5": bindText(digestOf(md5Of)), "SHA1": bindText(digestOf(sha1Of)), "SHA224": bindText(digestOf(sha224Of)), "SHA256": bindText(digestOf(sha256Of)),
	"SHA384": bindText(digestOf(sha384Of)), "SHA512": bindText(digestOf(sha512Of)), "SHA2": bindText(sha2Of),
	"PARSE_URL": bindText(partOfURL),
}

// digest appends the digest of p.
type digest func(dst, p []byte) []byte

func md5Of(dst, p []byte) []byte    { d := md5.Sum(p); return append(dst, d[:]...) }
func sha1Of(dst, p []byte) []byte   { d := sha1.Sum(p); return append(dst, d[:]...) }
func sha224Of(dst, p []byte) []byte { d := sha256.Sum224(p); return append(dst, d[:]...) }
func sha256Of(dst, p []byte) []byte { d := sha256.Sum256(p); return append(dst, d[:]...) }
func sha384Of(dst, p []byte) []byte { d := sha512.Sum384(p); return append(dst, d[:]...) }
func sha512Of(dst, p []byte) []byte { d := sha512.Sum512(p); return append(dst, d[:]...) }

func digestOf(sum digest) func(k *call) func(i int) error {
	return func(k *call) func(i int) error {
		text := bytesOperand(&k.args[0])
		return func(i int) error {
			k.text = sum(k.text[:0], text.at(i))
			k.appendHex(k.text)
			return nil
		}
	}
}

// appendHex appends bytes in hexadecimal, lower case.
func (k *call) appendHex(p []byte) {
	hex.Encode(k.builder.Extend(hex.EncodedLen(len(p))), p)
	k.builder.CloseValue()
}

func sha2Of(k *call) func(i int) error {
	text, length := bytesOperand(&k.args[0]), operandOf[int32](&k.args[1])
	sums := map[int32]digest{224: sha224Of, 256: sha256Of, 384: sha384Of, 512: sha512Of}
	var sum digest
	last := int32(0)
	return func(i int) error {
		if n := length.at(i); n != last {
			if sum, last = sums[n], n; sum == nil {
				return k.fail(i, fmt.Errorf("SHA-2 has 224, 256, 384 or 512 bits, not %d", n))
			}
		}
		k.text = sum(k.text[:0], text.at(i))
		k.appendHex(k.text)
		return nil
	}
}

func toBase64(k *call) func(i int) error {
	in := bytesOperand(&k.args[0])
	return func(i int) error {
		p := in.at(i)
		base64.StdEncoding.Encode(k.builder.Extend(base64.StdEncoding.EncodedLen(len(p))), p)
		k.builder.CloseValue()
		return nil
	}
}

var errBase64 = errors.New("the text is no base 64")

func fromBase64(k *call) func(i int) error {
	in := bytesOperand(&k.args[0])
	return func(i int) error {
		p := in.at(i)
		enc := base64.StdEncoding
		if len(p)%4 != 0 {
			enc = base64.RawStdEncoding
		}
		for _, c := range p {
			if c == '\n' || c == '\r' { // which Go passes over
				return k.fail(i, errBase64)
			}
		}
		out, err := enc.AppendDecode(k.text[:0], p)
		if err != nil {
			return k.fail(i, errBase64)
		}
		k.text = out
		k.builder.AppendBytes(out)
		return nil
	}
}

// bindHex binds HEX, of an integer or of bytes.
func bindHex(e *expr.Call, args []node) (node, error) {
	if e.Args[0].Type().Kind == types.BigInt {
		return bindText(func(k *call) func(i int) error {
			n := operandOf[int64](&k.args[0])
			return func(i int) error {
				k.text = strconv.AppendUint(k.text[:0], uint64(n.at(i)), 16)
				k.builder.AppendBytes(toUpper(k.text[:0], k.text))
				return nil
			}
		})(e, args)
	}
	return bindText(func(k *call) func(i int) error {
		in := bytesOperand(&k.args[0])
		return func(i int) error {
			p := in.at(i)
			dst := k.builder.Extend(hex.EncodedLen(len(p)))
			hex.Encode(dst, p)
			toUpper(dst[:0], dst)
			k.builder.CloseValue()
			return nil
		}
	})(e, args)
}

// unhexOf reads hexadecimal; an odd number of digits lacks a zero in front.
func unhexOf(k *call) func(i int) error {
	in := bytesOperand(&k.args[0])
	return func(i int) error {
		p := in.at(i)
		k.text = k.text[:0]
		if len(p)%2 != 0 {
			k.text = append(k.text, '0')
		}
		k.text = append(k.text, p...)
		n, err := hex.Decode(k.text, k.text)
		if err != nil {
			k.builder.AppendNull()
			return nil
		}
		k.builder.AppendBytes(k.text[:n])
		return nil
	}
}

func binOf(k *call) func(i int) error {
	n := operandOf[int64](&k.args[0])
	return func(i int) error {
		k.text = strconv.AppendUint(k.text[:0], uint64(n.at(i)), 2)
		k.builder.AppendBytes(k.text)
		return nil
	}
}
