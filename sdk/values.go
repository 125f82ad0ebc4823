package sdk

import (
	"time"

	"millrace/sdk/rows"
)

// Date is a DATE.
type Date = rows.Date

// Decimal is a DECIMAL. A field of it needs its digits: `type:"DECIMAL(10, 2)"`.
type Decimal = rows.Decimal

// DateOf returns the date of a time, in that time's own zone.
func DateOf(t time.Time) Date { return rows.DateOf(t) }

// DecimalOf returns unscaled / 10^scale.
func DecimalOf(unscaled int64, scale int) Decimal { return rows.DecimalOf(unscaled, scale) }

// ParseDecimal reads a number such as -12.50, of at most 38 digits.
func ParseDecimal(text string) (Decimal, error) { return rows.ParseDecimal(text) }
