// Command e2e-cluster is a throw-away Kubernetes: the verbs that bring one up and down, and every
// component of it. Which of them it is depends on the name it is called by, or else on its first
// argument.
package main

import (
	"os"
	"path/filepath"
)

func main() {
	name, arguments := filepath.Base(os.Args[0]), os.Args
	component, ok := components[name]
	if !ok && len(os.Args) > 1 {
		component, ok = components[os.Args[1]]
		arguments = os.Args[1:]
	}
	if ok {
		os.Args = arguments // cobra and pflag read it
		os.Exit(component(arguments[1:]))
	}
	os.Exit(runVerb())
}
