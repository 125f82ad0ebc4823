package faultplan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"millrace/failure"
)

// Any as the operation of a rule means every operation that has the action.
const Any = "any"

const (
	rulesMax = 64
	// planBytesMax bounds the text before it is parsed.
	planBytesMax = 16 << 10
)

// Vocabulary lists the actions of each operation, as the rules write them ("err=unavailable", "corrupt").
type Vocabulary map[string][]string

// Rule orders one fault.
type Rule struct {
	// Op is an operation of the vocabulary, or Any.
	Op string
	// Nth is the first matching call meant, counted from 1; 0 means from the first on, without end unless Times is set.
	Nth int
	// Times is how many calls in sequence are meant; 0 means one if Nth is set, else all.
	Times int
	// Prefix restricts the rule to calls whose key begins with it.
	Prefix string
	// Action is what happens.
	Action string
}

// Plan is a list of rules. The empty plan orders nothing.
type Plan []Rule

// String prints the plan so that Parse reads it.
func (p Plan) String() string {
	rules := make([]string, len(p))
	for i, r := range p {
		rules[i] = r.String()
	}
	return strings.Join(rules, "; ")
}

// String prints the rule.
func (r Rule) String() string {
	words := []string{r.Op}
	if r.Nth > 0 {
		words = append(words, "nth="+strconv.Itoa(r.Nth))
	}
	if r.Times > 0 {
		words = append(words, "times="+strconv.Itoa(r.Times))
	}
	if r.Prefix != "" {
		words = append(words, "prefix="+r.Prefix)
	}
	return strings.Join(append(words, r.Action), " ")
}

// Parse reads a plan over the vocabulary, and reports every rule that cannot be right.
func Parse(text string, v Vocabulary) (Plan, error) {
	if len(text) > planBytesMax {
		return nil, failure.Userf("fault plan of %d bytes, at most %d", len(text), planBytesMax)
	}
	var plan Plan
	var problems failure.Problems
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		rule, err := parseRule(words, v)
		if err != nil {
			problems.Addf("", "", "rule %q: %v", strings.Join(words, " "), err)
			continue
		}
		plan = append(plan, rule)
	}
	if len(plan) > rulesMax {
		problems.Addf("", "", "%d rules, at most %d", len(plan), rulesMax)
	}
	return plan, problems.Err()
}

func parseRule(words []string, v Vocabulary) (Rule, error) {
	r := Rule{Op: words[0]}
	for _, word := range words[1:] {
		if err := r.parseWord(word); err != nil {
			return r, err
		}
	}
	switch _, known := v[r.Op]; {
	case !known && r.Op != Any:
		return r, fmt.Errorf("no operation %q", r.Op)
	case r.Action == "":
		return r, fmt.Errorf("no action")
	case !v.has(r.Op, r.Action):
		return r, fmt.Errorf("operation %q has no action %q", r.Op, r.Action)
	}
	return r, nil
}

func (r *Rule) parseWord(word string) error {
	name, value, _ := strings.Cut(word, "=")
	switch {
	case name == "nth" && r.Nth == 0:
		return parseCount(value, &r.Nth)
	case name == "times" && r.Times == 0:
		return parseCount(value, &r.Times)
	case name == "prefix" && r.Prefix == "" && value != "":
		r.Prefix = value
	case r.Action == "" && name != "nth" && name != "times" && name != "prefix":
		r.Action = word
	default:
		return fmt.Errorf("%q is empty or said twice", word)
	}
	return nil
}

func parseCount(s string, count *int) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1<<30 || strconv.Itoa(n) != s {
		return fmt.Errorf("count %q, want a number from 1 on", s)
	}
	*count = n
	return nil
}

func (v Vocabulary) has(op, action string) bool {
	if op != Any {
		return slices.Contains(v[op], action)
	}
	for _, actions := range v {
		if slices.Contains(actions, action) {
			return true
		}
	}
	return false
}

// Counter meets calls with the rules of a plan. It is safe for concurrent use; the order in which concurrent calls are
// counted is the order in which they come.
type Counter struct {
	plan Plan
	v    Vocabulary
	mu   struct {
		sync.Mutex
		seen, fired []int // by rule
	}
}

// NewCounter returns a counter that has seen nothing.
func NewCounter(plan Plan, v Vocabulary) *Counter {
	c := &Counter{plan: plan, v: v}
	c.mu.seen, c.mu.fired = make([]int, len(plan)), make([]int, len(plan))
	return c
}

// Action counts a call of op on key and returns the action that meets it, "" for none.
func (c *Counter) Action(op, key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	action := ""
	for i, r := range c.plan {
		if r.Op != op && r.Op != Any || !slices.Contains(c.v[op], r.Action) || !strings.HasPrefix(key, r.Prefix) {
			continue
		}
		c.mu.seen[i]++
		if action == "" && r.means(c.mu.seen[i]) {
			action = r.Action
			c.mu.fired[i]++
		}
	}
	return action
}

// means tells whether the rule means the n-th call that matches it.
func (r Rule) means(n int) bool {
	first, times := max(r.Nth, 1), r.Times
	if times == 0 && r.Nth > 0 {
		times = 1
	}
	return n >= first && (times == 0 || n-first < times)
}

// Fired returns how many calls were met, by rule of the plan.
func (c *Counter) Fired() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.fired)
}

// FiredTotal returns how many calls were met by any rule.
func (c *Counter) FiredTotal() int {
	total := 0
	for _, n := range c.Fired() {
		total += n
	}
	return total
}
