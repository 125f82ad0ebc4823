// Package physical makes job graphs of optimised plans. It knows operators: which changelog each edge carries, what tells rows apart,
// where rows must be dealt out anew, in how many phases they are aggregated, and which operators share a vertex.
//
// A plan becomes steps, each an operator of the job to be. Going up from the sources, a step knows which changes it gives and
// which columns tell its rows apart; going down from the sinks, whether anybody needs to be told what an update takes back. Then
// steps are described and put into vertices. What can't be is refused with the name of the table and of the operator that is
// the cause: texts that are wrong have been refused by the analyzer, with their place.
package physical
