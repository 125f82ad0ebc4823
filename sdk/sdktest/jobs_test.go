package sdktest_test

import (
	"fmt"
	"strings"
	"time"

	"millrace/sdk"
)

// at returns a time of the tests, which begin at 0 s.
func at(seconds int) time.Time { return time.Unix(int64(seconds), 0).UTC() }

type click struct {
	User string
	Page int64
	At   time.Time `millrace:"at,rowtime"`
}

type session struct {
	User   string
	Clicks int64
	Pages  string
}

// anywhere is a connector that no test reaches, and whose sink takes updates.
var anywhere = sdk.Connect{Name: "blackhole"}

// A session ends when no click has come for 10 s; a click that comes behind its time goes to the side.
func sessions(e *sdk.Env) {
	type state struct {
		Clicks int64
		Until  time.Time
	}
	clicks := sdk.From[click](e, "clicks", anywhere, sdk.Watermark(2*time.Second))
	out := sdk.KeyedProcess(sdk.KeyByFields[string](clicks, "user"), "sessions", func(s *sdk.Setup) sdk.Processor[string, click, session] {
		open := sdk.NewValue[state](s, "open")
		pages := sdk.NewList[int64](s, "pages")
		late := sdk.NewSide[click](s, "late")
		return sdk.Processor[string, click, session]{
			Row: func(c *sdk.Context[string, session], click *click) error {
				if w := c.Watermark(); !w.IsZero() && !click.At.After(w) {
					late.Collect(*click)
					return nil
				}
				now, ok := open.Get()
				if ok {
					c.DeleteTimer(now.Until)
				}
				if until := click.At.Add(10 * time.Second); until.After(now.Until) {
					now.Until = until
				}
				now.Clicks++
				open.Set(now)
				pages.Add(click.Page)
				c.SetTimer(now.Until)
				return nil
			},
			Timer: func(c *sdk.Context[string, session], _ sdk.Timer) error {
				now, _ := open.Get()
				var seen []string
				for p := range pages.All() {
					seen = append(seen, fmt.Sprint(p))
				}
				c.Collect(session{c.Key(), now.Clicks, strings.Join(seen, " ")})
				open.Clear()
				pages.Clear()
				return nil
			},
		}
	})
	out.To("out", anywhere)
	sdk.SideOutput[click](out, "late").To("late", anywhere)
}
