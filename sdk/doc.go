// Package sdk is how jobs are written in Go: typed streams over the same job graph
// that SQL makes, and the user's functions in it.
//
//	func main() { sdk.Main(job) }
//
//	func job(env *sdk.Env) {
//		clicks := sdk.From[Click](env, "clicks", sdk.Kafka{Topic: "clicks"}, sdk.Watermark(5*time.Second))
//		byUser := sdk.KeyByFields[string](clicks, "user")
//		counts := sdk.KeyedProcess(byUser, "counts", func(s *sdk.Setup) sdk.Processor[string, Click, Count] {
//			seen := sdk.NewValue[int64](s, "seen")
//			return sdk.Processor[string, Click, Count]{Row: func(c *sdk.Context[string, Count], click *Click) error {
//				n, _ := seen.Get()
//				seen.Set(n + 1)
//				c.Collect(Count{User: c.Key(), Clicks: n + 1})
//				return nil
//			}}
//		})
//		counts.To("counts-out", sdk.Kafka{Topic: "counts"})
//	}
//
// The function that describes a job runs where the job is submitted, and once more in
// each task manager that runs a part of it: the graph travels, functions never do. So
// it must describe the same job each time: it goes by its arguments (Env.Args) and by
// variables that it asks for (Env.Require), and by nothing else.
//
// # Rows
//
// A row is a Go value, its exported fields are columns (package rows). A function borrows
// the row that it is given, for its call. There is a batch-level function beside each
// row-level one, for those who want columns.
//
// # State
//
// What is kept is found by the uid of the function and the name of the state. When the
// type of a state changes, added fields are zero, removed ones are dropped and widened
// ones are converted; anything else is refused before the job starts.
//
// # Tests
//
// Package sdktest runs a job in a test of its program, with rows, time, checkpoints and crashes
// as calls.
//
// # Concurrency
//
// What a constructor makes (Setup) is one task's, called by one goroutine at a time. Functions
// without one (Map, Filter, KeyBy, Aggregate, Join) are those of the description: several tasks
// call them at once, so they must not change variables that they share. No function may
// block: use Async for calls that wait.
package sdk
