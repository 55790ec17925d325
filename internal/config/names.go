package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tasmota-azd/internal/token"
)

// The functions in this file judge one kind of name each. They return what
// would be right, or "" if nothing is wrong, and never quote the name: it may
// be part of a connection string.

// hubHostFault judges the host name of a hub.
func hubHostFault(host string) string {
	lower := strings.ToLower(host)
	if strings.Contains(lower, "hostname=") {
		return "this is a connection string; write it as connection_string, or into a file named by connection_string_file"
	}
	if why := hostFault(host); why != "" {
		return why
	}
	for _, other := range []struct{ suffix, what string }{
		{".azureiotcentral.com", "is an application of IoT Central, whose devices use dps: and no host"},
		{".servicebus.windows.net", "is the hub's endpoint for events; devices use its host name, such as myiothub.azure-devices.net"},
		{".portal.azure.com", "is the portal; the hub's host name stands on its overview page, such as myiothub.azure-devices.net"},
	} {
		if strings.HasSuffix("."+lower, other.suffix) {
			return other.what
		}
	}
	if strings.Contains(lower, ".azure-devices-provisioning.") {
		return "is the provisioning service; write it as dps.endpoint, or the host name of a hub here"
	}
	return ""
}

var (
	hostLabel  = pattern(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	hostScheme = pattern(`^[A-Za-z][A-Za-z0-9+.-]*://`)
)

// hostFault judges a DNS name or IPv4 address without a port.
func hostFault(host string) string {
	switch scheme := hostScheme().FindString(host); {
	case scheme != "":
		return "only the host name belongs here, without " + scheme + " and without anything after the name"
	case strings.ContainsAny(host, "/?"):
		return "only the host name belongs here, without / and what follows it"
	case strings.Contains(host, "@"):
		return "only the host name belongs here, without @"
	case strings.Count(host, ":") == 1:
		return "the port does not belong to the host name; write it as port:"
	case strings.Contains(host, ":"):
		return "a host name is needed, not an IPv6 address"
	case len(host) > 253:
		return "is longer than a host name can be (253 characters)"
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !hostLabel().MatchString(label) {
			return "is not a host name; it takes letters, digits, dots and hyphens, such as myiothub.azure-devices.net"
		}
	}
	if strings.HasSuffix(host, ".") {
		return "remove the dot at its end"
	}
	return ""
}

// endpointFault judges host or host:port, where the host may be an IPv6
// address.
func endpointFault(endpoint string) string {
	if _, err := netip.ParseAddr(endpoint); err == nil && strings.Contains(endpoint, ":") {
		return "write an IPv6 address in brackets, such as [2001:db8::1]"
	}
	if _, err := netip.ParseAddrPort(endpoint); err == nil {
		return ""
	}
	if inner, ok := strings.CutPrefix(endpoint, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && addr.Is6() && strings.HasSuffix(inner, "]") {
			return ""
		}
		return "is not an IPv6 address in brackets, such as [2001:db8::1] or [2001:db8::1]:123"
	}
	host, port, hasPort := strings.Cut(endpoint, ":")
	if hostScheme().MatchString(endpoint) {
		return hostFault(endpoint)
	}
	if hasPort && portFault(port) {
		return "the port after the colon is a number from 1 to 65535"
	}
	return hostFault(host)
}

// listenFault looks at an address to listen at.
func listenFault(address string) string {
	if at, err := netip.ParseAddrPort(address); err != nil || at.Port() == 0 {
		return "write an IP address and a port, such as 127.0.0.1:9464"
	}
	return ""
}

func portFault(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err != nil || n == 0 || port[0] == '0'
}

// deviceIDFault judges a device id (contract, section 1.2).
func deviceIDFault(id string) string {
	if n := len(id); n > 128 {
		return fmt.Sprintf("has %d characters; a device id has 128 at most", n)
	}
	if _, err := token.ParseKey(id); err == nil && strings.HasSuffix(id, "=") {
		return "this is a key; write it as key, or into a file named by key_file"
	}
	for _, r := range id {
		switch {
		case r < utf8.RuneSelf && (isAlnum(r) || strings.ContainsRune("-.%_*?!(),:=@$'", r)):
		case r == '+' || r == '#':
			return fmt.Sprintf("holds %c, which is a wildcard of MQTT: such a device cannot use MQTT; create one without it", r)
		case r == '/':
			return "holds /, which separates the levels of a topic; a device id has none"
		default:
			return fmt.Sprintf("holds %s; a device id takes letters and digits of ASCII and - . %% _ * ? ! ( ) , : = @ $ '", runeName(r))
		}
	}
	return ""
}

// registrationIDFault judges a registration id (contract, section 7.1).
func registrationIDFault(id string) string {
	if n := len(id); n > 128 {
		return fmt.Sprintf("has %d characters; a registration id has 128 at most", n)
	}
	for _, r := range id {
		if !isAlnum(r) && !strings.ContainsRune("-._:", r) {
			return fmt.Sprintf("holds %s; a registration id takes letters and digits of ASCII and - . _ :", runeName(r))
		}
	}
	if last := rune(id[len(id)-1]); !isAlnum(last) && last != '-' {
		return "the last character of a registration id is a letter, a digit or a hyphen"
	}
	return ""
}

// scopeIDFault judges an id scope of DPS (contract, section 7.1). The prefix
// of some clouds is not known, so only what is surely wrong is refused.
func scopeIDFault(scope string) string {
	const where = "; the ID Scope stands on the overview page of the provisioning service, such as 0ne00223A39"
	if strings.Contains(scope, ".") || strings.Contains(scope, "/") {
		return "is a name or address of the service, not its scope" + where
	}
	for _, r := range scope {
		if !isAlnum(r) {
			return fmt.Sprintf("holds %s; a scope has letters and digits only", runeName(r)) + where
		}
	}
	lower := strings.ToLower(scope)
	if strings.HasPrefix(lower, "one0") || strings.HasPrefix(lower, "ocn0") {
		return "begins with the letter O; a scope begins with the digit 0"
	}
	if len(scope) < 5 || len(scope) > 32 {
		return "has too few or too many characters" + where
	}
	return ""
}

// fullTopicFault judges a template for the topics of telemetry.
func fullTopicFault(topic string) string {
	const limit = 100 // characters
	if utf8.RuneCountInString(topic) > limit {
		return "is too long; 100 characters are the most"
	}
	if strings.ContainsAny(topic, "#+") {
		return "# and + are wildcards of MQTT; a topic has none"
	}
	for _, r := range topic {
		if r == ' ' || !unicode.IsPrint(r) {
			return fmt.Sprintf("holds %s, which does not belong in a topic", runeName(r))
		}
	}
	if strings.Contains(topic, "//") {
		return "holds an empty level; write / once"
	}
	rest := strings.NewReplacer("%topic%", "", "%prefix%", "").Replace(topic)
	if strings.Contains(rest, "%") {
		return "only %topic% (the device id) and %prefix% (stat or tele) are filled in; no other % is possible"
	}
	return ""
}

// relayNameFault judges the name of a relay, which is its FriendlyName.
func relayNameFault(name string) string {
	const limit = 64 // characters
	if n := utf8.RuneCountInString(name); n > limit {
		return fmt.Sprintf("has %d characters; 64 are the most", n)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("holds %s, which cannot be shown", runeName(r))
		}
	}
	return ""
}

func isAlnum(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// runeName is a character for a message.
func runeName(r rune) string {
	switch {
	case r == ' ':
		return "a blank"
	case unicode.IsPrint(r):
		return string(r)
	}
	return fmt.Sprintf("the character %U", r)
}
