package dps

import (
	"strings"
	"unicode"
)

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// made reports whether s has 1 to most characters, all of them among chars.
func made(s string, most int, chars string) bool {
	return s != "" && len(s) <= most && strings.Trim(s, chars) == ""
}

func validScopeID(s string) bool { return made(s, 64, letters+digits) }

// validRegistrationID is the rule of contract section 7.1.
func validRegistrationID(s string) bool {
	return made(s, 128, letters+digits+"-._:") && !strings.ContainsAny(s[len(s)-1:], "._:")
}

// validDeviceID is the rule of contract section 1.2, without the wildcards
// and the slash that no MQTT topic level can hold.
func validDeviceID(s string) bool { return made(s, 128, letters+digits+"-.%_*?!(),:=@$'") }

// validHost reports whether s is shaped like a host name without a port.
func validHost(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !made(label, 63, letters+digits+"-") || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return true
}

// maxShown is how much of a foreign text an error shows.
const maxShown = 200

// printable makes a text from the network fit for one line of a log. What
// follows the word that begins a token is cut off: a service may quote the
// request.
func printable(s string) string {
	s, _, _ = strings.Cut(s, "SharedAccessSignature")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return strings.TrimSpace(s)
}
