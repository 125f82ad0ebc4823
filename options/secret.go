package options

import (
	"fmt"
	"log/slog"
	"strings"
)

// Secret is a text that prints as *** in every way that prints: fmt with any verb, also inside another struct, JSON and
// other text encodings, slog. Reveal is the only way to the text. The zero value is the empty secret. Compare with Equal.
type Secret struct {
	// A pointer, since fmt cannot call methods on unexported fields of an enclosing struct and prints their contents:
	// of a pointer it prints the address.
	text *string
}

// NewSecret returns a secret that holds text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself, to be handed to whoever checks it and nobody else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty reports whether the text is empty.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

// Equal reports whether both hold the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns ***.
func (s Secret) String() string { return Mask }

// GoString returns ***.
func (s Secret) GoString() string { return Mask }

// Format writes *** for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// LogValue returns ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns ***; JSON and YAML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// UnmarshalText takes the text, so that a configuration can be read into a struct with secrets.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// secretWords are parts of keys whose values nobody should see; Flink hides the same, and a few of Kafka's are added.
var secretWords = []string{
	"password", "secret", "token", "credential", "apikey", "api-key", "access-key", "account.key", "service-key",
	"auth-params", "basic-auth", "basic.auth", "jaas.config", "http-headers", "keystore.key", "private.key",
}

// LooksSecret reports whether the value under key should not be printed, judging by the key alone. It is for options
// that are passed through to a library and not declared one by one.
func LooksSecret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range secretWords {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
