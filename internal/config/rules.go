package config

import (
	"fmt"
	"time"

	"tasmota-azd/internal/boards"
)

// A rule says what a value may be: in words, and for the schema.
type rule interface {
	allowed() string
	schema() map[string]any
}

type (
	// A span is what a duration may be.
	span struct {
		lo, hi time.Duration
		words  string
	}
	// A whole is what a number may be.
	whole struct{ lo, hi int }
	// A choice is one of some words.
	choice []string
	// truth is true or false.
	truth struct{}
	// A prose is what a text may be. The checker knows more of it, and says it better.
	prose struct {
		words    string
		pattern  string // for Go and for ECMAScript
		longest  int    // in characters
		among    choice // if it is one of these
		standard bool   // what the sample shows is the default, not an example
	}
)

// What the checker and the schema go by.
var (
	ports        = whole{1, 65535}
	transports   = choice{string(TransportAuto), string(TransportMQTT), string(TransportWebSocket)}
	tokenTTLs    = span{5 * time.Minute, 24 * time.Hour, "5m to 24h"}
	keepAlives   = span{time.Second, 1177 * time.Second, "1s to 1177s"} // IoT Hub cuts what is longer (contract, section 1.5)
	keyKinds     = choice{string(Group), string(Individual)}
	drivers      = choice{DriverAuto, DriverChip, DriverPeriph, DriverSim}
	onStops      = choice{string(StopOff), string(StopHold)}
	staggers     = span{0, 5 * time.Second, "0s to 5s"}
	perMinute    = whole{0, 60000}                                        // more than any relay can follow
	maxAges      = span{0, 48 * time.Hour, "0s (no limit) or 10s to 48h"} // a hub keeps none longer (contract, section 4.2)
	minIntervals = span{0, time.Hour, "0s (no limit) to 1h"}
	periods      = span{0, time.Hour, "0s (off) or 10s to 1h"}
	daily        = whole{0, 300_000_000} // more than any hub lets through in a day
	meters       = choice{freeMeter, paidMeter}
	levels       = choice{"debug", "info", "warn", "error"}
	formats      = choice{"auto", "journal", "text", "json"}
)

// The sizes by which hubs meter: those of the free tier, and all others (contract,
// section 3.6).
const (
	freeMeter = "0.5KB"
	paidMeter = "4KB"
)

// The longest lists.
const (
	maxServers = 16 // that are asked for the time
	maxRelays  = 32
)

const (
	label   = `[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`
	host    = label + `(\.` + label + `)*`
	visible = `[^\s\x00-\x1f\x7f-\x9f]`
	printed = `[^\x00-\x1f\x7f-\x9f]`
	level   = `([^#+%/\s\x00-\x1f\x7f-\x9f]|%topic%|%prefix%)+`
)

// The texts. A secret may have blanks around it.
var (
	hostName      = prose{words: "a DNS name", pattern: `^` + host + `$`, longest: 253}
	endpointName  = prose{words: "host or host:port", pattern: `^(` + host + `|\[[^\[\]\s]+\])(:[0-9]+)?$`, longest: 259, standard: true}
	deviceName    = prose{words: "1 to 128 letters, digits and -.%_*?!(),:=@$'", pattern: `^[A-Za-z0-9.%_*?!(),:=@$'-]+$`, longest: 128}
	registration  = prose{words: "1 to 128 letters, digits and -._:", pattern: `^[A-Za-z0-9._:-]*[A-Za-z0-9-]$`, longest: 128}
	scope         = prose{words: "letters and digits", pattern: `^[0-9A-Za-z]{5,32}$`}
	secretText    = prose{words: "a text"}
	fileName      = prose{words: "a file", pattern: `^[^~$\s\x00-\x1f\x7f-\x9f]([^$\x00-\x1f\x7f-\x9f]*[^$\s\x00-\x1f\x7f-\x9f])?$`, longest: 4095}
	directory     = prose{words: "a directory", pattern: fileName.pattern, longest: 4095, standard: true}
	relayName     = prose{words: "1 to 64 characters", pattern: `^` + visible + `(` + printed + `*` + visible + `)?$`, longest: 64}
	pinText       = prose{words: "a pin", pattern: `^[A-Za-z0-9/[]([A-Za-z0-9_.:/()[\] -]{0,62}[A-Za-z0-9_.:/()[\]-])?$`}
	channelText   = prose{words: "a relay of the board", pattern: relayName.pattern}
	listenText    = prose{words: "IP address and port", pattern: `^([0-9.]+|\[[^\[\]]+\]):[0-9]+$`}
	topicTemplate = prose{words: "up to 100 characters", pattern: `^/?(` + level + `(/` + level + `)*/?)?$`, longest: 100, standard: true}
)

// rules returns those of all keys that hold a value, or a list of values.
func rules() map[string]rule {
	var names choice
	for _, b := range boards.All() {
		if b.Unsupported == "" {
			names = append(names, b.Name)
		}
	}
	return map[string]rule{
		"hub.host": hostName, "hub.port": ports, "hub.device_id": deviceName, "hub.transport": transports,
		"hub.key": secretText, "hub.key_file": fileName, "hub.secondary_key_file": fileName,
		"hub.cert_file": fileName, "hub.cert_key_file": fileName,
		"hub.connection_string": secretText, "hub.connection_string_file": fileName,
		"hub.token_ttl": tokenTTLs, "hub.keep_alive": keepAlives, "hub.ca_file": fileName,

		"dps.scope_id": scope, "dps.endpoint": endpointName, "dps.registration_id": registration,
		"dps.key": secretText, "dps.key_file": fileName, "dps.key_kind": keyKinds,
		"dps.cert_file": fileName, "dps.cert_key_file": fileName, "dps.ca_file": fileName,

		"ntp.servers": endpointName,

		"gpio.driver": drivers, "gpio.sim_dir": directory, "gpio.on_stop": onStops,
		"gpio.stagger": staggers, "gpio.max_per_minute": perMinute, "gpio.max_age": maxAges,

		"board":            prose{words: `a name from "tasmota-azd board list"`, among: names},
		"relays[].channel": channelText, "relays[].name": relayName, "relays[].pin": pinText,
		"relays[].active_low": truth{}, "relays[].min_interval": minIntervals, "relays[].max_age": maxAges,

		"telemetry.period": periods, "telemetry.full_topic": topicTemplate,
		"telemetry.daily_limit": daily, "telemetry.meter": meters,
		"state_dir": directory, "metrics.listen": listenText, "log.level": levels, "log.format": formats,
	}
}

func (s span) allowed() string { return s.words }

// schema has no range: no schema can tell one of times. 0 needs no unit.
func (s span) schema() map[string]any {
	m := map[string]any{
		"type":    []string{"string", "null"},
		"pattern": `^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`,
	}
	if s.lo == 0 {
		m["type"] = []string{"string", "integer", "null"}
		m["minimum"], m["maximum"] = 0, 0
	}
	return m
}

func (w whole) allowed() string { return fmt.Sprintf("%d to %d", w.lo, w.hi) }

func (w whole) schema() map[string]any {
	return map[string]any{"type": []string{"integer", "null"}, "minimum": w.lo, "maximum": w.hi}
}

func (c choice) allowed() string { return oneOf(c) }

func (c choice) schema() map[string]any {
	words := []any{nil}
	for _, word := range c {
		words = append(words, word)
	}
	return map[string]any{"enum": words}
}

func (truth) allowed() string { return "true or false" }

func (truth) schema() map[string]any { return map[string]any{"type": []string{"boolean", "null"}} }

func (p prose) allowed() string { return p.words }

// schema lets numbers and truth values pass: for the daemon they are the text that
// stands in the file.
func (p prose) schema() map[string]any {
	if p.among != nil {
		return p.among.schema()
	}
	m := map[string]any{"type": []string{"string", "number", "boolean", "null"}, "minLength": 1}
	if p.pattern != "" {
		m["pattern"] = p.pattern
	}
	if p.longest > 0 {
		m["maxLength"] = p.longest
	}
	return m
}

// hasDefault reports whether the value that the sample shows for a key is its default.
func hasDefault(r rule) bool {
	p, isProse := r.(prose)
	return !isProse || p.standard
}
