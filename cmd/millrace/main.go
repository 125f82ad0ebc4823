// Command millrace runs stream jobs. What it can do is package command's.
package main

import "millrace/cmd/command"

// version is set by the linker.
var version = "unknown"

func main() { command.Main(command.Options{Version: version}) }
