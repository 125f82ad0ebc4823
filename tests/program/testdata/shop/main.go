// Command shop adds up what the articles of a shop bring in.
package main

import (
	"strconv"
	"strings"

	"millrace/failure"
	"millrace/sdk"
)

// Sale is a line of the till: "tea 300".
type Sale struct {
	Article string
	Cents   int64
}

func parse(line *string) (Sale, error) {
	article, price, _ := strings.Cut(*line, " ")
	cents, err := strconv.ParseInt(price, 10, 64)
	if err != nil {
		return Sale{}, failure.Userf("the line %q is no sale: %w", *line, err)
	}
	return Sale{article, cents}, nil
}

// job takes the file of the till and the folder of the journal.
func job(env *sdk.Env) {
	args := env.Args()
	if len(args) != 2 {
		env.Problemf("it takes the file to read and the folder to write to")
		return
	}
	till := sdk.From[string](env, "till", sdk.Connect{Name: "lines", Options: map[string]string{"path": args[0]}})
	sales := sdk.Map(till, parse)
	takings := sdk.KeyedProcess(sdk.KeyByFields[string](sales, "article"), "takings", func(s *sdk.Setup) sdk.Processor[string, Sale, string] {
		sum := sdk.NewValue[int64](s, "sum")
		return sdk.Processor[string, Sale, string]{Row: func(c *sdk.Context[string, string], sale *Sale) error {
			cents, _ := sum.Get()
			sum.Set(cents + sale.Cents)
			c.Collect(sale.Article + " " + strconv.FormatInt(cents+sale.Cents, 10))
			return nil
		}}
	})
	takings.To("journal", sdk.Connect{Name: "journal", Options: map[string]string{"folder": args[1]}})
}

func main() { sdk.Main(job, sdk.Source("lines", lines), sdk.Sink("journal", journal)) }
