package options_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/failure"
	"millrace/options"
)

var spec = options.Spec{Name: "kafka", Options: []options.Option{
	{Key: "topic", Type: options.List, Required: true, Doc: "Topics to read.", Example: "bids;asks"},
	{Key: "properties.bootstrap.servers", Required: true, Doc: "Brokers.", Example: "host:9092"},
	{Key: "properties.", Type: options.Map, Doc: "Passed to the client."},
	{Key: "scan.startup.mode", Type: options.Enum, Values: []string{"earliest-offset", "latest-offset"}, Default: "earliest-offset", Doc: "Where to begin."},
	{Key: "scan.bounded", Type: options.Bool, Default: "false", Doc: "Whether to end."},
	{Key: "scan.interval", Type: options.Duration, Default: "5 min", Min: "1 s", Max: "1 d", Doc: "How often | to look."},
	{Key: "fetch.size", Type: options.MemorySize, Default: "16 mb", Doc: "Of one fetch."},
	{Key: "sink.parallelism", Type: options.Int, Min: "1", Doc: "Of the sink."},
	{Key: "backoff.multiplier", Type: options.Double, Default: "1.5", Doc: "Of the wait."},
	{Key: "password", Secret: true, Doc: "For the broker.", Deprecated: "use properties.sasl.jaas.config."},
}}

func expect(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSpecIsValid(t *testing.T) {
	if err := spec.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseTypesAndDefaults(t *testing.T) {
	v, err := options.Parse(spec, map[string]string{
		"topic":                        " bids; asks ;",
		"properties.bootstrap.servers": "localhost:9092",
		"properties.client.id":         "m",
		"scan.startup.mode":            "LATEST-offset",
		"scan.bounded":                 "True",
		"scan.interval":                "90s",
		"sink.parallelism":             "4",
		"password":                     "hunter2",
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, []string{"bids", "asks"}, v.List("topic"))
	expect(t, "localhost:9092", v.Text("properties.bootstrap.servers"))
	expect(t, map[string]string{"client.id": "m"}, v.Map("properties."))
	expect(t, "latest-offset", v.Text("scan.startup.mode"))
	expect(t, true, v.Bool("scan.bounded"))
	expect(t, 90*time.Second, v.Duration("scan.interval"))
	expect(t, int64(16<<20), v.Bytes("fetch.size"))
	expect(t, int64(4), v.Int("sink.parallelism"))
	expect(t, 1.5, v.Double("backoff.multiplier"))
	expect(t, "hunter2", v.Secret("password").Reveal())
	expect(t, true, v.IsGiven("scan.bounded"))
	expect(t, false, v.IsGiven("fetch.size"))
	expect(t, []string{"option password is deprecated: use properties.sasl.jaas.config."}, v.Warnings())
}

func TestParseReportsEverything(t *testing.T) {
	_, err := options.Parse(spec, map[string]string{
		"topik":                "bids",
		"completely-different": "x",
		"scan.startup.mode":    "middle",
		"scan.bounded":         "yes",
		"scan.interval":        "500 ms",
		"fetch.size":           "16 parsecs",
		"sink.parallelism":     "many",
		"backoff.multiplier":   "x",
	})
	want := `10 problems:
  field backoff.multiplier: not a number: "x" (got "x")
  field completely-different: unknown option (of kafka)
  field fetch.size: unknown unit of a memory size: "parsecs", known are tb, gb, mb, kb, b (got "16 parsecs")
  field scan.bounded: neither true nor false: "yes" (got "yes")
  field scan.interval: 500 ms is less than 1 s (got "500 ms")
  field scan.startup.mode: none of earliest-offset, latest-offset: "middle" (got "middle")
  field sink.parallelism: not a whole number of 64 bits: "many" (got "many")
  field topik: unknown option (of kafka); hint: did you mean "topic"?
  field topic: missing (list); hint: for example "bids;asks"
  field properties.bootstrap.servers: missing (string); hint: for example "host:9092"`
	expect(t, want, err.Error())
	if got := failure.ClassOf(err); got.Domain != failure.DomainUser {
		t.Errorf("class %v", got)
	}
}

func TestLimits(t *testing.T) {
	many := map[string]string{}
	for i := range options.KeysMax + 1 {
		many[fmt.Sprint("properties.", i)] = ""
	}
	if _, err := options.Parse(spec, many); err == nil || !strings.Contains(err.Error(), "too many options") {
		t.Errorf("too many keys: %v", err)
	}
	long := map[string]string{"topic": strings.Repeat("x", options.ValueBytesMax+1)}
	if _, err := options.Parse(spec, long); err == nil || !strings.Contains(err.Error(), "bytes, at most") {
		t.Errorf("long value: %v", err)
	}
}

func TestValuesPrintWithoutSecrets(t *testing.T) {
	v, err := options.Parse(spec, map[string]string{
		"topic":                        "bids",
		"password":                     "hunter2",
		"properties.bootstrap.servers": "b:1",
		"properties.sasl.jaas.config":  "password=hunter2",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "password=***, properties.bootstrap.servers=b:1, properties.sasl.jaas.config=***, topic=bids"
	expect(t, want, v.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		expect(t, want, fmt.Sprintf(verb, v))
	}
}

func TestWrongSecretIsNotQuoted(t *testing.T) {
	s := options.Spec{Options: []options.Option{{Key: "pin", Type: options.Int, Secret: true, Doc: "d"}}}
	_, err := options.Parse(s, map[string]string{"pin": "hunter2"})
	expect(t, "field pin: not a valid int", err.Error())
}

func TestSecretNeverPrints(t *testing.T) {
	secret := options.NewSecret("hunter2")
	type exported struct{ Password options.Secret }
	type hidden struct{ password options.Secret }
	values := []any{secret, &secret, exported{secret}, hidden{secret}, []options.Secret{secret}, map[string]options.Secret{"k": secret}}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if out := fmt.Sprintf(verb, value); strings.Contains(out, "hunter2") || strings.Contains(out, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s of %T prints %s", verb, value, out)
			}
		}
	}
	encoded, err := json.Marshal(exported{secret})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, `{"Password":"***"}`, string(encoded))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret, "in", exported{secret})
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), `"secret":"***"`) {
		t.Errorf("logged %s", log.String())
	}
	var back exported
	if err := json.Unmarshal([]byte(`{"Password":"hunter2"}`), &back); err != nil || !back.Password.Equal(secret) {
		t.Errorf("read back %q, %v", back.Password.Reveal(), err)
	}
	if zero := (options.Secret{}); !zero.IsEmpty() || zero.Equal(secret) {
		t.Error("the zero secret is not empty")
	}
}

func TestUnits(t *testing.T) {
	durations := map[string]time.Duration{
		"10 s": 10 * time.Second, "1 min": time.Minute, "500 ms": 500 * time.Millisecond, "7": 7 * time.Millisecond,
		" 2 d ": 48 * time.Hour, "3H": 3 * time.Hour, "5 µs": 5 * time.Microsecond, "9ns": 9, "0 s": 0,
	}
	for text, want := range durations {
		if got, err := options.ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
	}
	sizes := map[string]int64{"64 mb": 64 << 20, "1g": 1 << 30, "12": 12, "3 kibibytes": 3 << 10, "2 TB": 2 << 40}
	for text, want := range sizes {
		if got, err := options.ParseMemorySize(text); err != nil || got != want {
			t.Errorf("ParseMemorySize(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "-1 s", "1.5 s", "1 fortnight", "9223372036854775807 d", "99999999999999999999 s"} {
		if got, err := options.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v", text, got)
		}
	}
	expect(t, "90 s", options.FormatDuration(90*time.Second))
	expect(t, "0 ns", options.FormatDuration(0))
	expect(t, "1536 kb", options.FormatMemorySize(1536<<10))
}

func TestUnitsReadBackWhatTheyPrint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Min(0).Draw(t, "n")
		if got, err := options.ParseDuration(options.FormatDuration(time.Duration(n))); err != nil || int64(got) != n {
			t.Fatalf("duration %d came back as %d, %v", n, got, err)
		}
		if got, err := options.ParseMemorySize(options.FormatMemorySize(n)); err != nil || got != n {
			t.Fatalf("size %d came back as %d, %v", n, got, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"10 s", "1min", "", "9223372036854775807 ns", "1 µs"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := options.ParseDuration(text)
		if err != nil {
			return
		}
		if back, err := options.ParseDuration(options.FormatDuration(d)); d < 0 || err != nil || back != d {
			t.Errorf("%q is %d, printed and read back %d, %v", text, d, back, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := spec.Keys()
	for typed, want := range map[string]string{
		"topic_": "topic", "tpoic": "topic", "scan.startup-mode": "scan.startup.mode", "sink.paralellism": "sink.parallelism",
		"zzzzz": "", "": "", strings.Repeat("topic", 100): "",
	} {
		if got, _ := options.Nearest(typed, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	page := spec.Markdown()
	for _, want := range []string{
		"## kafka\n\n| Option |",
		"| `topic` | required | (none) | list | Topics to read. Example: `bids;asks`. |\n",
		"| `properties.*` | optional | (none) | map | Passed to the client. |\n",
		"| `scan.interval` | optional | `5 min` | duration | How often \\| to look. At least `1 s`. At most `1 d`. |\n",
		"| one of `earliest-offset`, `latest-offset` |",
		"| For the broker. Never printed. **Deprecated**: use properties.sasl.jaas.config. |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
}

func TestValidateFindsWrongDeclarations(t *testing.T) {
	wrong := options.Spec{Options: []options.Option{
		{Key: "", Doc: "d"},
		{Key: "a", Doc: "d", Required: true, Default: "x"},
		{Key: "a", Doc: "d"},
		{Key: "b", Doc: "d", Type: options.Enum},
		{Key: "c", Doc: "d", Type: options.Map},
		{Key: "d", Doc: "d", Type: options.Bool, Min: "1", Default: "maybe"},
		{Key: "e", Type: options.Duration, Min: "2 s", Default: "1 s", Doc: "d"},
		{Key: "f"},
	}}
	var problems []string
	for line := range strings.Lines(wrong.Validate().Error()) {
		problems = append(problems, strings.TrimSpace(line))
	}
	expect(t, 11, len(problems)) // ten, below a count
}

func TestJoinAndPrefixed(t *testing.T) {
	format := options.Spec{Name: "json", Options: []options.Option{{Key: "ignore-parse-errors", Type: options.Bool, Doc: "d"}}}
	joined := options.Join("kafka with json", spec, format.Prefixed("json."))
	if _, ok := options.Nearest("json.ignore-parse-error", joined.Keys()); !ok {
		t.Error("the joined spec lacks the format's option")
	}
	expect(t, "ignore-parse-errors", format.Options[0].Key)
}
