package process

import (
	"os"
	"strings"
)

// Tail is the end of a log file: what a person wants to see when the process behind it has failed.
func Tail(log string, lines int) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
