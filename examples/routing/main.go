// Command routing sends the lines of a log to topics by their type: errors and audits to their own, with what could not be read set aside.
package main

import (
	"flag"
	"strings"
	"time"

	"millrace/sdk"
)

// Line is a record of the topic log: a line of text, such as "2026-01-02T03:04:05Z error disk full".
type Line struct{ Value string }

// Event is a line that was understood.
type Event struct {
	At    time.Time
	Level string
	Text  string
}

// Unread is a line that was not, and why.
type Unread struct{ Line, Reason string }

func main() { sdk.Main(job) }

func job(env *sdk.Env) {
	flags := flag.NewFlagSet("routing", flag.ContinueOnError)
	brokers := flags.String("brokers", "localhost:9092", "addresses of Kafka")
	bounded := flags.Bool("bounded", false, "end at what there is now")
	if err := flags.Parse(env.Args()); err != nil {
		env.Problemf("%s", err)
		return
	}
	env.Configure(sdk.Job{Name: "routing"})
	log := sdk.From[Line](env, "log", sdk.Kafka{Topic: "log", Brokers: *brokers, Format: "raw", Bounded: *bounded})
	events := sdk.Process(log, route, sdk.UID("route"))
	to := func(topic string) sdk.Kafka {
		return sdk.Kafka{Topic: topic, Brokers: *brokers, Options: map[string]string{
			"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "routing-" + topic,
		}}
	}
	events.To("events", to("events"))
	sdk.SideOutput[Event](events, "errors").To("errors", to("errors"))
	sdk.SideOutput[Event](events, "audit").To("audit", to("audit"))
	sdk.SideOutput[Unread](events, "unread").To("unread", to("unread"))
}

// route gives each line to the stream of its type.
func route(s *sdk.Setup) func(*sdk.Context[struct{}, Event], *Line) error {
	errors := sdk.NewSide[Event](s, "errors")
	audit := sdk.NewSide[Event](s, "audit")
	unread := sdk.NewSide[Unread](s, "unread")
	return func(c *sdk.Context[struct{}, Event], l *Line) error {
		parts := strings.SplitN(l.Value, " ", 3)
		if len(parts) < 3 {
			unread.Collect(Unread{l.Value, "a line is a time, a level and a text"})
			return nil
		}
		at, err := time.Parse(time.RFC3339, parts[0])
		if err != nil {
			unread.Collect(Unread{l.Value, err.Error()})
			return nil
		}
		switch e := (Event{at, parts[1], parts[2]}); e.Level {
		case "error":
			errors.Collect(e)
		case "audit":
			audit.Collect(e)
		default:
			c.Collect(e)
		}
		return nil
	}
}
