package scalar

import "testing"

// Days to dates and back, against each other over all leap rules.
func TestDatesRoundTrip(t *testing.T) {
	year, month, day := 1599, 12, 31
	for days := DaysOf(year, month, day); days < DaysOf(2401, 1, 1); days++ {
		y, m, d := DateOf(days)
		if y != year || m != month || d != day || DaysOf(y, m, d) != days {
			t.Fatalf("day %d is %d-%d-%d, want %d-%d-%d", days, y, m, d, year, month, day)
		}
		if day++; day > LastDay(year, month) {
			day, month = 1, month+1
		}
		if month > 12 {
			month, year = 1, year+1
		}
	}
}
