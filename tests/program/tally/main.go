// Command tally is a program for tests of which there are three editions: it keeps for each user how often and for how much they bought, and the
// types in which it keeps that differ from edition to edition. The second goes on where the first was; the third can't.
package main

import (
	"flag"

	"millrace/sdk"
)

// edition is which one this is; the linker sets it.
var edition = "first"

// Purchase is a record of the topic purchases. Of each user the numbers rise by one.
type Purchase struct {
	User           string
	Number, Amount int64
}

// Tally is what the job says behind each purchase.
type Tally struct {
	Edition, User       string
	Number, Times, Paid int64
	// Mine is how many of them this edition saw, Since the number of the first of these.
	Mine, Since *int64
	// Before is the number of the purchase before.
	Before int64
}

// The first edition keeps purchases by users in first, and so on.
type (
	first struct {
		Times int32
		Paid  int64
		Note  string
	}
	second struct {
		Since *int64 // added
		Paid  *int64
		Times int64 // wider
		Mine  int16 // added
	}
	third struct {
		Times int64
		Paid  string // another type
	}
)

// update puts a purchase into what is kept, and says what is known then.
func (s *first) update(p *Purchase) Tally {
	s.Times, s.Paid, s.Note = s.Times+1, s.Paid+p.Amount, "left behind"
	return Tally{Times: int64(s.Times), Paid: s.Paid}
}

func (s *second) update(p *Purchase) Tally {
	if s.Paid == nil {
		s.Paid = new(int64)
	}
	if s.Since == nil {
		number := p.Number // the row is the task's
		s.Since = &number
	}
	s.Times, s.Mine, *s.Paid = s.Times+1, s.Mine+1, *s.Paid+p.Amount
	mine, since := int64(s.Mine), *s.Since
	return Tally{Times: s.Times, Paid: *s.Paid, Mine: &mine, Since: &since}
}

func (s *third) update(*Purchase) Tally { return Tally{Times: s.Times} }

func main() { sdk.Main(job) }

func job(env *sdk.Env) {
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	brokers := flags.String("brokers", "localhost:9092", "addresses of Kafka")
	if err := flags.Parse(env.Args()); err != nil {
		env.Problemf("%s", err)
		return
	}
	env.Configure(sdk.Job{Name: "tally"})
	purchases := sdk.From[Purchase](env, "purchases", sdk.Kafka{Topic: "purchases", Brokers: *brokers})
	by := sdk.KeyByFields[string](purchases, "user")
	process := tallying((*first).update)
	switch edition {
	case "second":
		process = tallying((*second).update)
	case "third":
		process = tallying((*third).update)
	}
	sdk.KeyedProcess(by, "tally", process).To("tallies", sdk.Kafka{Topic: "tallies", Brokers: *brokers, Options: map[string]string{
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "tally",
	}})
}

// tallying keeps an S of each user, which update changes.
func tallying[S any](update func(*S, *Purchase) Tally) func(*sdk.Setup) sdk.Processor[string, Purchase, Tally] {
	return func(s *sdk.Setup) sdk.Processor[string, Purchase, Tally] {
		bought := sdk.NewValue[S](s, "bought")
		before := sdk.NewValue[int64](s, "before") // the same in all editions
		return sdk.Processor[string, Purchase, Tally]{Row: func(c *sdk.Context[string, Tally], p *Purchase) error {
			kept, _ := bought.Get()
			t := update(&kept, p)
			bought.Set(kept)
			t.Before, _ = before.Get()
			before.Set(p.Number)
			t.Edition, t.User, t.Number = edition, c.Key(), p.Number
			c.Collect(t)
			return nil
		}}
	}
}
