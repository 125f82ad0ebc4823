// Package json is the JSON format. (draft)
package json
