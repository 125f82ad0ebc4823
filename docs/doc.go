// Package docs holds no code: it is the folder of the documentation, and its tests keep the pages true.
//
//   - generated_test.go: tables of options, keys, metrics and states are generated from what declares them, between marks
//     in the pages. After a change of a declaration: go test ./docs -rewrite, and read the diff.
//   - docs_test.go: links lead somewhere; files, tests, make targets, commands and flags that a page names are there;
//     job graphs in the pages can be submitted.
package docs
