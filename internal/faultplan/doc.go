// Package faultplan is the language in which faults are ordered, one line for a plan:
//
//	create nth=3 err=unavailable; read prefix=job/x/ corrupt; any nth=7 times=2 err=lost-reply
//
// A rule names an operation (or "any"), says which of its calls are meant, and what happens to them. Without nth every
// call is meant; nth=3 means the third that matches, and with times=2 the fourth too. A prefix counts only calls whose
// key begins with it. Of several rules that mean one call, the first decides; all of them count it.
//
// Plans are printable and parse back to themselves, so a failed run is repeated from one line of its log. What the
// actions do is known to the store that carries them out, which gives its Vocabulary to Parse; this package only counts
// calls. Nothing here is random: the same calls meet the same faults.
package faultplan
