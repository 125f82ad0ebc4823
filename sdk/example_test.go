package sdk_test

import (
	"fmt"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// A job is described by a function. A program hands it to Main, and a test to sdktest.Start, which runs it: here over a crash and at another parallelism.
func Example() {
	type Click struct{ User string }
	type Count struct {
		User   string
		Clicks int64
	}
	job := func(env *sdk.Env) { // func main() { sdk.Main(job) }
		clicks := sdk.From[Click](env, "clicks", sdk.Kafka{Topic: "clicks"})
		byUser := sdk.KeyByFields[string](clicks, "user")
		counts := sdk.KeyedProcess(byUser, "counts", func(s *sdk.Setup) sdk.Processor[string, Click, Count] {
			seen := sdk.NewValue[int64](s, "seen")
			return sdk.Processor[string, Click, Count]{Row: func(c *sdk.Context[string, Count], _ *Click) error {
				n, _ := seen.Get()
				seen.Set(n + 1)
				c.Collect(Count{User: c.Key(), Clicks: n + 1})
				return nil
			}}
		})
		counts.To("counts-out", sdk.Kafka{Topic: "counts"})
	}

	p := sdktest.Start(tester{}, job, sdktest.Options{})
	sdktest.Push(p, "clicks", Click{"ann"}, Click{"bob"})
	p.Checkpoint()
	sdktest.Push(p, "clicks", Click{"ann"})
	p.Crash() // what came behind the checkpoint comes again, and counts once
	p.Rescale(2)
	sdktest.Push(p, "clicks", Click{"ann"})
	p.End()
	fmt.Println(sdktest.Committed[Count](p, "counts-out"))
	// Output: [{ann 1} {bob 1} {ann 2} {ann 3}]
}
