package nexmark

import (
	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// leaf appends the values of a column or nested field, a value for each row.
type leaf func(*generator, []event, *stream.Builder)

// field describes a column that the source can give.
type field struct {
	name string
	kind types.Kind
	make leaf
}

// text tells whether the column is cut from the pools.
func (f *field) text() bool { return f.kind == types.VarChar }

var fields = [kinds][]field{
	person: {
		{"id", types.BigInt, longs(person, personID)},
		{"name", types.VarChar, wordsOf(person, personName)},
		{"emailAddress", types.VarChar, wordsOf(person, personEmail)},
		{"creditCard", types.VarChar, wordsOf(person, personCreditCard)},
		{"city", types.VarChar, wordsOf(person, personCity)},
		{"state", types.VarChar, wordsOf(person, personState)},
		{"dateTime", types.Timestamp, longs(person, timeOf)},
		{"extra", types.VarChar, wordsOf(person, personExtra)},
	},
	auction: {
		{"id", types.BigInt, longs(auction, auctionID)},
		{"itemName", types.VarChar, wordsOf(auction, auctionItemName)},
		{"description", types.VarChar, wordsOf(auction, auctionDescription)},
		{"initialBid", types.BigInt, longs(auction, auctionInitialBid)},
		{"reserve", types.BigInt, longs(auction, auctionReserve)},
		{"dateTime", types.Timestamp, longs(auction, timeOf)},
		{"expires", types.Timestamp, longs(auction, auctionExpires)},
		{"seller", types.BigInt, longs(auction, auctionSeller)},
		{"category", types.BigInt, longs(auction, auctionCategory)},
		{"extra", types.VarChar, wordsOf(auction, auctionExtra)},
	},
	bid: {
		{"auction", types.BigInt, bidAuctions},
		{"bidder", types.BigInt, bidBidders},
		{"price", types.BigInt, bidPrices},
		{"channel", types.VarChar, bidChannels},
		{"url", types.VarChar, bidURLs},
		{"dateTime", types.Timestamp, bidTimes},
		{"extra", types.VarChar, bidExtras},
	},
}

// whole are the columns that every event has; the rest of a nested stream are
// the rows of each kind.
var whole = []field{
	{"event_type", types.Int, func(_ *generator, rows []event, b *stream.Builder) {
		for i := range rows {
			stream.AppendFixed(b, int32(rows[i].kind))
		}
	}},
	{"dateTime", types.Timestamp, func(_ *generator, rows []event, b *stream.Builder) {
		for i := range rows {
			b.AppendInt64(rows[i].millis)
		}
	}},
}

var kindNames = [kinds]string{person: "person", auction: "auction", bid: "bid"}

// column is how one column of the schema is made: by a leaf, or as a ROW of the
// events of one kind.
type column struct {
	make     leaf
	kind     kind
	children []leaf
}

// plan is how the columns of a schema are made.
type plan struct {
	columns []column
	text    bool
}

// newPlan checks the columns that a user asks for and finds out how to make
// them. All problems are reported at once.
func newPlan(only kind, s *types.Schema) (*plan, error) {
	if err := s.Validate(); err != nil {
		return nil, failure.User(err)
	}
	var p plan
	var problems failure.Problems
	for _, f := range s.Fields {
		if only != anyKind {
			p.columns = append(p.columns, column{make: p.leaf(fields[only], f, &problems)})
			continue
		}
		p.columns = append(p.columns, p.nested(f, &problems))
	}
	return &p, problems.Err()
}

func (p *plan) nested(f types.Field, problems *failure.Problems) column {
	for k := range kinds {
		if f.Name != kindNames[k] {
			continue
		}
		c := column{kind: k}
		if f.Type.Kind != types.Row || !f.Type.Nullable {
			problems.Addf("", f.Name, "must be a ROW that may be NULL, not %s", f.Type)
			return c
		}
		for _, child := range f.Type.Fields {
			if !child.Type.Nullable {
				problems.Addf("", f.Name+"."+child.Name, "must be nullable, as the row is")
			}
			c.children = append(c.children, p.leaf(fields[k], child, problems))
		}
		return c
	}
	return column{make: p.leaf(whole, f, problems)}
}

// The time of an event has one name in the suite's older tables and another in its later ones.
const (
	theTime   = "dateTime"
	laterTime = "customTime"
)

// leaf finds a field by name and checks its type.
func (p *plan) leaf(known []field, f types.Field, problems *failure.Problems) leaf {
	name := f.Name
	if name == laterTime {
		name = theTime
	}
	for i := range known {
		k := &known[i]
		if k.name != name {
			continue
		}
		if !fits(k.kind, f.Type) {
			problems.Addf("", f.Name, "can't be %s: the source gives %s", f.Type, k.kind)
		}
		p.text = p.text || k.text()
		return k.make
	}
	problems.Addf("", f.Name, "the source has no such column for this event-type")
	return nil
}

func fits(k types.Kind, t types.Type) bool {
	switch k {
	case types.Timestamp:
		return (t.Kind == types.Timestamp || t.Kind == types.TimestampLTZ) && t.Precision == 3
	case types.VarChar:
		return t.Kind == types.VarChar && t.Length == types.MaxLength
	default:
		return t.Kind == k
	}
}

// batch makes the rows of events.
func (p *plan) batch(g *generator, rows []event, out *formats.Rows, pool *stream.Pool) *stream.Batch {
	for i := range p.columns {
		p.columns[i].append(g, rows, &out.Columns[i])
	}
	b := out.Finish()
	for i := range p.columns {
		if p.columns[i].make == nil {
			p.columns[i].clear(rows, b.Columns[i].WithValidity(pool))
		}
	}
	return b
}

func (c *column) append(g *generator, rows []event, b *stream.Builder) {
	if c.make != nil {
		c.make(g, rows, b)
		return
	}
	for i, child := range c.children {
		child(g, rows, b.Child(i))
	}
	for range rows {
		b.AppendStruct()
	}
}

// clear makes the rows of other kinds NULL.
func (c *column) clear(rows []event, valid stream.Bitmap) {
	for i := range rows {
		if rows[i].kind != c.kind {
			valid.Clear(i)
		}
	}
}
