package sim

// windowKey names a result.
type windowKey struct{ auction, start int64 }

// want is what a result must be: of bids that can't be late all, of late ones any.
type want struct {
	bids, total, highest int64
	late                 []int64 // prices
}

// model is what the output must be, computed as plainly as can be.
type model map[windowKey]*want

func (m model) add(auction, price, millis int64, late bool) {
	k := windowKey{auction, millis - millis%windowMillis}
	f := m[k]
	if f == nil {
		f = &want{}
		m[k] = f
	}
	if late {
		f.late = append(f.late, price)
		return
	}
	f.bids++
	f.total += price
	f.highest = max(f.highest, price)
}

// result is a record of the output.
type result struct {
	Auction int64  `json:"auction"`
	Start   string `json:"window_start"`
	Bids    int64  `json:"bids"`
	Total   int64  `json:"total"`
	Highest int64  `json:"highest"`
}

// add adds what another record has of the same window.
func (r *result) add(o result) {
	r.Bids, r.Total, r.Highest = r.Bids+o.Bids, r.Total+o.Total, max(r.Highest, o.Highest)
}

// fits tells whether some of the late bids make the result of the model's window.
func (f *want) fits(r result) bool {
	for some := range 1 << len(f.late) {
		bids, total, highest := f.bids, f.total, f.highest
		for i, price := range f.late {
			if some>>i&1 == 1 {
				bids, total, highest = bids+1, total+price, max(highest, price)
			}
		}
		if bids > 0 && r.Bids == bids && r.Total == total && r.Highest == highest {
			return true
		}
	}
	return false
}
