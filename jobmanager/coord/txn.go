package coord

import "fmt"

// Compare is a condition of a transaction on one key, made by Absent, VersionIs or ValueIs. The zero value is invalid.
type Compare struct {
	Key  string
	Kind CompareKind
	// Version is what VersionIs compares.
	Version int64
	// Value is what ValueIs compares.
	Value []byte
}

// CompareKind tells what a Compare compares.
type CompareKind uint8

// The kinds of Compare.
const (
	CompareAbsent CompareKind = iota + 1
	CompareVersion
	CompareValue
)

// Absent holds if key does not exist.
func Absent(key string) Compare { return Compare{Key: key, Kind: CompareAbsent} }

// VersionIs holds if key exists in exactly this version: nobody wrote it since it was read.
func VersionIs(key string, version int64) Compare {
	return Compare{Key: key, Kind: CompareVersion, Version: version}
}

// ValueIs holds if key exists with exactly this value.
func ValueIs(key string, value []byte) Compare {
	return Compare{Key: key, Kind: CompareValue, Value: value}
}

// Unchanged holds if key is as entry and err of a Get of it say: in the entry's version if err is nil, absent if the Get
// found nothing. Any other err makes a Compare that is invalid.
func Unchanged(key string, entry Entry, err error) Compare {
	switch {
	case err == nil:
		return VersionIs(key, entry.Version)
	case isNotFound(err):
		return Absent(key)
	}
	return Compare{Key: key}
}

// Op is a change of one key, made by Put or Delete. The zero value is invalid.
type Op struct {
	Key  string
	Kind OpKind
	// Value is what Put writes.
	Value []byte
}

// OpKind tells what an Op does.
type OpKind uint8

// The kinds of Op.
const (
	OpPut OpKind = iota + 1
	OpDelete
)

// Put writes value under key, whether it exists or not.
func Put(key string, value []byte) Op { return Op{Key: key, Kind: OpPut, Value: value} }

// Delete removes key; a missing one is no error.
func Delete(key string) Op { return Op{Key: key, Kind: OpDelete} }

// CheckTxn returns ErrInvalid or ErrTooLarge for a transaction that no store takes: a bad key, an unknown kind, two
// operations on one key, or one beyond the limits. Stores call it first.
func CheckTxn(compares []Compare, ops []Op) error {
	if len(compares) > ComparesMax || len(ops) > OpsMax {
		return fmt.Errorf("%w: %d comparisons and %d operations, at most %d and %d", ErrTooLarge, len(compares), len(ops), ComparesMax, OpsMax)
	}
	bytes := 0
	for _, c := range compares {
		if err := checkCompare(c); err != nil {
			return err
		}
		bytes += len(c.Key) + len(c.Value)
	}
	written := make(map[string]bool, len(ops))
	for _, op := range ops {
		if err := checkOp(op); err != nil {
			return err
		}
		if written[op.Key] {
			return fmt.Errorf("%w: two operations on %s", ErrInvalid, op.Key)
		}
		written[op.Key] = true
		bytes += len(op.Key) + len(op.Value)
	}
	if bytes > TxnBytesMax {
		return fmt.Errorf("%w: transaction of %d bytes, at most %d", ErrTooLarge, bytes, TxnBytesMax)
	}
	return nil
}

func checkCompare(c Compare) error {
	if c.Kind < CompareAbsent || c.Kind > CompareValue {
		return fmt.Errorf("%w: comparison of %s has no kind", ErrInvalid, c.Key)
	}
	return checkKeyValue(c.Key, c.Value)
}

func checkOp(op Op) error {
	if op.Kind < OpPut || op.Kind > OpDelete {
		return fmt.Errorf("%w: operation on %s has no kind", ErrInvalid, op.Key)
	}
	return checkKeyValue(op.Key, op.Value)
}

func checkKeyValue(key string, value []byte) error {
	if len(value) > ValueBytesMax {
		return fmt.Errorf("%w: value of %s has %d bytes, at most %d", ErrTooLarge, key, len(value), ValueBytesMax)
	}
	return CheckKey(key)
}
