package datagen

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/options"
)

// Name is the connector's name in a table's options.
const Name = "datagen"

const (
	keyRate   = "rows-per-second"
	keyRows   = "number-of-rows"
	keySeed   = "seed"
	keySplits = "splits"
	keyFields = "fields."
)

// Spec declares the options. Those of FieldSpec stand behind fields.<column>.
var Spec = options.Spec{Name: Name, Options: []options.Option{
	{Key: keyRate, Type: options.Int, Default: "10000", Min: "1", Doc: "How many rows come in a second, of all splits together."},
	{
		Key: keyRows, Type: options.Int, Min: "0", Max: strconv.FormatInt(rowsMax, 10),
		Doc: "How many rows there are. Without it and without a sequence there is no end.",
	},
	{Key: keyFields, Type: options.Map, Doc: "What is made for a column: see below."},
	{Key: keySeed, Type: options.Int, Default: "0", Doc: "Makes other rows of the same kind."},
	{
		Key: keySplits, Type: options.Int, Default: "0", Min: "0", Max: strconv.Itoa(SplitsMax),
		Doc: "Into how many splits the rows are dealt: the largest useful parallelism. 0 means the parallelism at the first start.",
	},
}}

const (
	kindRandom   = "random"
	kindSequence = "sequence"

	fieldKind     = "kind"
	fieldMin      = "min"
	fieldMax      = "max"
	fieldPast     = "max-past"
	fieldLength   = "length"
	fieldVarLen   = "var-len"
	fieldNullRate = "null-rate"
	fieldStart    = "start"
	fieldEnd      = "end"
)

// FieldSpec declares the options of a column, which stand behind
// fields.<column>. in those of a table.
var FieldSpec = options.Spec{Name: "datagen column", Options: []options.Option{
	{Key: fieldKind, Type: options.Enum, Values: []string{kindRandom, kindSequence}, Default: kindRandom, Doc: "Whether values are random or count up."},
	{Key: fieldMin, Doc: "The least random number. Without it that of the type; 0 of FLOAT, DOUBLE and intervals.", Example: "1"},
	{Key: fieldMax, Doc: "The largest random number. Without it that of the type.", Example: "100"},
	{Key: fieldPast, Type: options.Duration, Default: "0 s", Doc: "How far behind the present a random TIMESTAMP or TIMESTAMP_LTZ may lie."},
	{
		Key: fieldLength, Type: options.Int, Min: "0", Max: strconv.Itoa(lengthMax),
		Doc: "The length of random text and bytes, 100 without it or what the type allows, and of an ARRAY or MAP, 3 without it.",
	},
	{Key: fieldVarLen, Type: options.Bool, Default: "false", Doc: "Whether random VARCHAR and VARBINARY have any length from 1 to length."},
	{Key: fieldNullRate, Type: options.Double, Default: "0", Doc: "The share of random values that are NULL.", Example: "0.1"},
	{Key: fieldStart, Type: options.Int, Doc: "The first number of a sequence."},
	{Key: fieldEnd, Type: options.Int, Doc: "The last number of a sequence."},
}}

// config is what the options say, those of columns aside.
type config struct {
	rate    int64
	stop    int64 // the number of rows
	bounded bool
	seed    int64
	splits  int32
	fields  map[string]options.Values // by column, "" among them for defaults
}

func parseConfig(given map[string]string) (*config, error) {
	v, err := options.Parse(Spec, given)
	if err != nil {
		return nil, err
	}
	return configOf(v)
}

func configOf(v options.Values) (*config, error) {
	c := &config{rate: v.Int(keyRate), stop: rowsMax, seed: v.Int(keySeed), splits: int32(v.Int(keySplits))}
	if v.IsGiven(keyRows) {
		c.stop, c.bounded = v.Int(keyRows), true
	}
	var problems failure.Problems
	c.fields = fieldsOf(v.Map(keyFields), &problems)
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		f := c.fields[name]
		if f.Text(fieldKind) != kindSequence {
			continue
		}
		start, end := f.Int(fieldStart), f.Int(fieldEnd)
		switch {
		case !f.IsGiven(fieldStart) || !f.IsGiven(fieldEnd):
			problems.Addf("", keyFields+name, "a sequence needs %s and %s", fieldStart, fieldEnd)
		case end < start:
			problems.Addf("", keyFields+name+"."+fieldEnd, "the sequence ends at %d, before it begins at %d", end, start)
		case uint64(end)-uint64(start) < uint64(c.stop):
			c.stop, c.bounded = int64(uint64(end)-uint64(start))+1, true
		}
	}
	return c, problems.Err()
}

// fieldsOf sorts the options behind "fields." by column: the last part of a key
// is an option of FieldSpec.
func fieldsOf(given map[string]string, problems *failure.Problems) map[string]options.Values {
	byColumn := map[string]map[string]string{}
	for key, text := range given {
		column, option := "", key
		if dot := strings.LastIndexByte(key, '.'); dot >= 0 {
			column, option = key[:dot], key[dot+1:]
		}
		if column == "" {
			problems.Addf("", keyFields+key, "names no column: fields.<column>.kind is the form")
			continue
		}
		if byColumn[column] == nil {
			byColumn[column] = map[string]string{}
		}
		byColumn[column][option] = text
	}
	fields := map[string]options.Values{}
	for _, column := range slices.Sorted(maps.Keys(byColumn)) {
		v, err := options.Parse(FieldSpec.Prefixed(""), byColumn[column])
		if err != nil {
			problems.AddError(fmt.Errorf("%s%s: %w", keyFields, column, err))
			continue
		}
		fields[column] = v
	}
	return fields
}

func traits(v options.Values) connectors.SourceTraits {
	c, err := configOf(v)
	return connectors.SourceTraits{Bounded: err == nil && c.bounded}
}
