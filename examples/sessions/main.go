// Command sessions makes sessions of clicks: a user's clicks with less than half an hour between them, however they come in.
package main

import (
	"flag"
	"time"

	"millrace/sdk"
)

// Click is a record of the topic clicks.
type Click struct {
	User string
	Page string
	At   time.Time `millrace:",rowtime"`
}

// Session is what the job says when a session is over.
type Session struct {
	User       string
	Start, End time.Time
	Clicks     int64
}

func main() { sdk.Main(job) }

func job(env *sdk.Env) {
	flags := flag.NewFlagSet("sessions", flag.ContinueOnError)
	brokers := flags.String("brokers", "localhost:9092", "addresses of Kafka")
	bounded := flags.Bool("bounded", false, "end at what there is now")
	gap := flags.Duration("gap", 30*time.Minute, "how long a user is silent when a session is over")
	if err := flags.Parse(env.Args()); err != nil {
		env.Problemf("%s", err)
		return
	}
	env.Configure(sdk.Job{Name: "sessions", Checkpoint: 10 * time.Second})
	to := func(topic string) sdk.Kafka {
		return sdk.Kafka{Topic: topic, Brokers: *brokers, Options: map[string]string{
			"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": topic,
		}}
	}
	clicks := sdk.From[Click](env, "clicks", sdk.Kafka{Topic: "clicks", Brokers: *brokers, Bounded: *bounded}, sdk.Watermark(time.Minute))
	sessions := sdk.KeyedProcess(sdk.KeyByFields[string](clicks, "user"), "sessions", sessionize(*gap))
	sessions.To("sessions-out", to("sessions"))
	sdk.SideOutput[Click](sessions, "late").To("late-out", to("late-clicks"))
}

// sessionize keeps clicks until event time has come to them, so that it sees those of a user in the order of their times.
func sessionize(gap time.Duration) func(*sdk.Setup) sdk.Processor[string, Click, Session] {
	return func(s *sdk.Setup) sdk.Processor[string, Click, Session] {
		waiting := sdk.NewMap[time.Time, int64](s, "waiting") // how many clicks there are at a time
		open := sdk.NewValue[Session](s, "open")
		late := sdk.NewSide[Click](s, "late")
		return sdk.Processor[string, Click, Session]{
			Row: func(c *sdk.Context[string, Session], click *Click) error {
				if !click.At.After(c.Watermark()) {
					late.Collect(*click)
					return nil
				}
				n, _ := waiting.Get(click.At)
				waiting.Put(click.At, n+1)
				c.SetTimer(click.At)
				return nil
			},
			Timer: func(c *sdk.Context[string, Session], t sdk.Timer) error {
				session, ok := open.Get()
				if ok && t.At.Sub(session.End) >= gap {
					c.Collect(session)
					open.Clear()
					session, ok = Session{}, false
				}
				n, clicked := waiting.Get(t.At)
				if !clicked {
					return nil
				}
				waiting.Delete(t.At)
				if !ok {
					session = Session{User: c.Key(), Start: t.At}
				}
				session.End = t.At
				session.Clicks += n
				open.Set(session)
				c.SetTimer(t.At.Add(gap))
				return nil
			},
		}
	}
}
