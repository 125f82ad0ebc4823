package options

const (
	// KeysMax bounds how many options one set may hold.
	KeysMax = 1000
	// KeyBytesMax bounds the length of a key; it keeps the search for the nearest key cheap.
	KeyBytesMax = 256
	// ValueBytesMax bounds the length of a value.
	ValueBytesMax = 64 << 10
)
