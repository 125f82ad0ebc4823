package columnar

// removeStride is the words of a removed key: namespace, time (of timers), and
// the key: its value and whether it is NULL, or its hash and where its bytes stand.
// Of a row of a sorted table the first two are where the bytes of its order
// stand and the order's number.
const removeStride = 4

// removeLog keeps the keys that were removed since the last freeze. A freeze
// takes it over as it is.
type removeLog struct {
	rows
	bytes arena
	// lost says that a removal found no room; the next freeze must be full.
	lost bool
}

func newRemoveLog(m *memory) removeLog {
	return removeLog{rows: newRows(m, removeStride), bytes: newArena(m)}
}

// add64 keeps a Key64.
func (l *removeLog) add64(namespace, time int64, key uint64, null bool) {
	isNull := uint64(0)
	if null {
		isNull = 1
	}
	l.append(namespace, time, key, isNull)
}

// addBytes keeps a KeyBytes; the bytes are copied.
func (l *removeLog) addBytes(namespace, time int64, hash uint64, key []byte) {
	r, err := l.bytes.put(key, true)
	if err != nil {
		l.lost = true
		return
	}
	l.append(namespace, time, hash, r)
}

// addOrdered keeps the key and the order of a row of a sorted table. The words a
// and b are those of its head.
func (l *removeLog) addOrdered(number uint64, order []byte, a, b uint64, key []byte) {
	r, err := l.bytes.put(order, true)
	if err == nil && key != nil {
		b, err = l.bytes.put(key, true)
	}
	if err != nil {
		l.lost = true
		return
	}
	l.append(int64(r), int64(number), a, b)
}

func (l *removeLog) append(namespace, time int64, a, b uint64) {
	s, err := l.add()
	if err != nil {
		l.lost = true
		return
	}
	row := l.row(s)
	row[0], row[1], row[2], row[3] = uint64(namespace), uint64(time), a, b
}

func (l *removeLog) release() {
	l.rows.release()
	l.bytes.release()
	l.lost = false
}
