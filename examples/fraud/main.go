// Command fraud finds small payments that are followed by a large one, by rules that may change while the job runs: a broadcast stream.
package main

import (
	"flag"
	"time"

	"millrace/sdk"
)

// Payment is a record of the topic payments.
type Payment struct {
	Account string
	Amount  int64
	At      time.Time `millrace:",rowtime"`
}

// Rule is a record of the topic rules: it replaces the rule of its name. A window of 0 deletes the rule.
type Rule struct {
	Name          string
	Small, Large  int64
	WindowSeconds int64 `millrace:"window_seconds"`
}

// Alert says that a payment was large, soon behind a small one.
type Alert struct {
	Account, Rule string
	Small, Large  int64
	At            time.Time
}

func main() { sdk.Main(job) }

func job(env *sdk.Env) {
	flags := flag.NewFlagSet("fraud", flag.ContinueOnError)
	brokers := flags.String("brokers", "localhost:9092", "addresses of Kafka")
	bounded := flags.Bool("bounded", false, "end at what there is now")
	if err := flags.Parse(env.Args()); err != nil {
		env.Problemf("%s", err)
		return
	}
	env.Configure(sdk.Job{Name: "fraud"})
	payments := sdk.From[Payment](env, "payments", sdk.Kafka{Topic: "payments", Brokers: *brokers, Bounded: *bounded}, sdk.Watermark(time.Second))
	rules := sdk.From[Rule](env, "rules", sdk.Kafka{Topic: "rules", Brokers: *brokers, Bounded: *bounded})
	alerts := sdk.BroadcastProcess(sdk.KeyByFields[string](payments, "account"), rules, "pattern", pattern)
	alerts.To("alerts", sdk.Kafka{Topic: "alerts", Brokers: *brokers, Options: map[string]string{
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "fraud",
	}})
}

// pattern keeps the payments of an account until event time has passed them, and looks at them in the order of their times.
func pattern(s *sdk.Setup) sdk.BroadcastProcessor[string, Payment, Rule, Alert] {
	rules := sdk.NewBroadcast[string, Rule](s, "rules")
	waiting := sdk.NewList[Payment](s, "waiting")
	last := sdk.NewMap[string, Payment](s, "small") // by rule: the last small payment
	return sdk.BroadcastProcessor[string, Payment, Rule, Alert]{
		Broadcast: func(_ *sdk.Context[string, Alert], r *Rule) error {
			if r.WindowSeconds == 0 {
				rules.Delete(r.Name)
				return nil
			}
			rules.Put(r.Name, *r)
			return nil
		},
		Row: func(c *sdk.Context[string, Alert], p *Payment) error {
			waiting.Add(*p)
			c.SetTimer(p.At)
			return nil
		},
		Timer: func(c *sdk.Context[string, Alert], t sdk.Timer) error {
			var later []Payment
			for p := range waiting.All() {
				if p.At.After(t.At) {
					later = append(later, p)
					continue
				}
				for name, r := range rules.All() {
					small, ok := last.Get(name)
					if ok && p.Amount >= r.Large && p.At.Sub(small.At) <= time.Duration(r.WindowSeconds)*time.Second {
						c.Collect(Alert{p.Account, name, small.Amount, p.Amount, p.At})
					}
					if p.Amount <= r.Small {
						last.Put(name, p)
					}
				}
			}
			waiting.Clear()
			for _, p := range later {
				waiting.Add(p)
			}
			return nil
		},
	}
}
