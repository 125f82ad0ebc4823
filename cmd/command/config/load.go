package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"millrace/failure"
	"millrace/options"
)

// separator stands in no key: what koanf merges here is flat, so that a dotted and a nested key of one name are one.
const separator = "\x00"

// EnvPrefix is in front of every variable of the environment that is a key.
const EnvPrefix = "MILLRACE_"

// fileBytesMax bounds a configuration file.
const fileBytesMax = 1 << 20

// Sources say where values come from.
type Sources struct {
	// File is the YAML file; "" is none.
	File string
	// Environ has the environment as os.Environ returns it.
	Environ []string
	// Flags are those of the command; the ones in Keys that were given count.
	Flags *pflag.FlagSet
	// Keys has the key of each flag that stands for one.
	Keys map[string]string
	// Dynamic are key=value, as -D gives them.
	Dynamic []string
}

// A Config is the checked configuration of a process. The zero value has no values at all; use Load.
type Config struct {
	options.Values
	origins map[string]string
}

// Origin says where the value of a key that was given comes from.
func (c Config) Origin(key string) string { return c.origins[key] }

// Load reads all sources and checks the result. Its error has every problem at once and is the user's, except where the
// file could not be read for reasons of its own.
func Load(s Sources) (Config, error) {
	l := loader{merged: koanf.New(separator), origins: map[string]string{}}
	if err := l.file(s.File); err != nil {
		return Config{}, err
	}
	l.environment(s.Environ)
	l.flags(s)
	given := map[string]string{}
	for key := range l.merged.All() {
		given[key] = l.merged.String(key)
	}
	v, err := options.Parse(Spec, given)
	l.addError(err)
	if err := l.problems.Err(); err != nil {
		return Config{}, err
	}
	return Config{v, l.origins}, nil
}

// loader merges sources, the weakest first.
type loader struct {
	merged   *koanf.Koanf
	problems failure.Problems
	// origins has where the value of a key comes from.
	origins map[string]string
}

// merge puts values over those that are there.
func (l *loader) merge(values map[string]any, origin func(key string) string) {
	for key := range values {
		l.origins[key] = origin(key)
	}
	// A map of texts can't fail to merge.
	_ = l.merged.Load(confmap.Provider(values, separator), nil)
}

func (l *loader) file(path string) error {
	if path == "" {
		return nil
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return failure.Userf("no configuration file %s", path)
	case err != nil:
		return fmt.Errorf("read the configuration: %w", err)
	case info.Size() > fileBytesMax:
		return failure.Userf("configuration file %s has %d bytes, at most %d are allowed", path, info.Size(), fileBytesMax)
	}
	k := koanf.New(separator)
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return failure.Userf("read the configuration file %s: %w", path, err)
	}
	values := map[string]any{}
	for key, value := range k.Raw() {
		l.flatten(key, value, values)
	}
	l.merge(values, func(string) string { return path })
	return nil
}

// flatten writes nested keys with dots.
func (l *loader) flatten(key string, value any, into map[string]any) {
	if nested, ok := value.(map[string]any); ok {
		for name, inner := range nested {
			l.flatten(key+"."+name, inner, into)
		}
		return
	}
	if _, twice := into[key]; twice {
		l.problems.Addf("", key, "is given twice in the configuration file")
		return
	}
	switch value := value.(type) {
	case nil:
		l.problems.Addf("", key, "has no value in the configuration file")
	case []any:
		texts := make([]string, len(value))
		for i, item := range value {
			texts[i] = fmt.Sprint(item)
		}
		into[key] = strings.Join(texts, ";")
	default:
		into[key] = fmt.Sprint(value)
	}
}

// notKeys are variables with our prefix that are read elsewhere.
var notKeys = []string{"CONFIG", "SEED", "TEST", "CRASH_POINT", "CLOCK_OFFSET", "KAFKA_HEAP"}

// environment takes variables that are keys. One that is nearly a key is a problem. Others are somebody else's: schedulers
// of containers put the addresses of services there under names like MILLRACE_PORT.
func (l *loader) environment(environ []string) {
	keys := map[string]string{}
	for _, key := range Spec.Keys() {
		keys[envName(key)] = key
	}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	values := map[string]any{}
	provider := env.Provider(separator, env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if value == "" {
				return "", nil // the usual way to take a variable back
			}
			if key, ok := keys[name]; ok {
				return key, value
			}
			rest := strings.TrimPrefix(name, EnvPrefix)
			if near, ok := options.Nearest(name, names); ok && !slices.Contains(notKeys, rest) && len(rest) > 3 && isTypo(name, near) {
				l.problems.Add(failure.Message{
					Field: name, Primary: "unknown variable of the environment", Hint: fmt.Sprintf("did you mean %s?", near),
				})
			}
			return "", nil
		},
	})
	// The provider only asks for the environment, which can't fail.
	if read, err := provider.Read(); err == nil {
		values = read
	}
	l.merge(values, func(key string) string { return "environment variable " + envName(key) })
}

// isTypo is stricter than what makes a key near: the prefix counts for nothing.
func isTypo(name, near string) bool {
	_, ok := options.Nearest(strings.TrimPrefix(name, EnvPrefix), []string{strings.TrimPrefix(near, EnvPrefix)})
	return ok
}

// envName returns the variable of a key.
func envName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

func (l *loader) flags(s Sources) {
	dynamic := map[string]any{}
	for _, given := range s.Dynamic {
		key, value, ok := strings.Cut(given, "=")
		if !ok || key == "" {
			l.problems.Addf("", "-D", "%q is not of the form key=value", given)
			continue
		}
		dynamic[key] = value
	}
	l.merge(dynamic, func(key string) string { return "-D " + key })
	if s.Flags == nil {
		return
	}
	names := map[string]string{}
	provider := posflag.ProviderWithFlag(s.Flags, separator, nil, func(f *pflag.Flag) (string, any) {
		key, ok := s.Keys[f.Name]
		if !ok || !f.Changed {
			return "", nil
		}
		names[key] = f.Name
		return key, f.Value.String()
	})
	// As above: flags are in memory.
	if read, err := provider.Read(); err == nil {
		delete(read, "")
		l.merge(read, func(key string) string { return "flag --" + names[key] })
	}
}

// addError keeps the problems of err, each with the place where its value stands.
func (l *loader) addError(err error) {
	var found failure.Problems
	found.AddError(err)
	for _, m := range found.All() {
		if origin := l.origins[m.Field]; origin != "" {
			if m.Detail != "" {
				m.Detail += ", "
			}
			m.Detail += "from " + origin
		}
		l.problems.Add(m)
	}
}
