package config

import (
	"regexp"
	"sync"
)

// pattern returns a regular expression that is compiled when it is first asked for.
// Most of them only word a mistake, and this is on the way from the start of the daemon
// to its first relay.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
