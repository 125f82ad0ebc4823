// Package repository finds what tests use of the repository that they belong to, wherever they run in it.
package repository

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Root returns the folder, from the working directory upwards, then from this source file, below which a file of that
// path is.
func Root(path string) (string, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	for _, dir := range starts {
		for above := filepath.Dir(dir); ; dir, above = above, filepath.Dir(above) {
			if info, err := os.Stat(filepath.Join(dir, path)); err == nil && !info.IsDir() {
				return dir, nil
			}
			if above == dir {
				break
			}
		}
	}
	return "", fmt.Errorf("find %s: not in this folder nor above it", path)
}
