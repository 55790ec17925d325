package config

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// A Change is one difference between two configurations. It never holds a secret: of a
// key it says that it changed.
type Change struct {
	Key      string // such as hub.port; relays[1].name counts as the new file does
	From, To string // empty where there was or is nothing
}

// changed is what Change.To says of a secret and of files.
const changed = "changed"

// String returns the change as one line.
func (c Change) String() string {
	switch {
	case c.To == changed:
		return c.Key + " " + changed
	case c.From == "":
		return c.Key + ": " + c.To + " is new"
	case c.To == "":
		return c.Key + ": " + c.From + " is removed"
	}
	return c.Key + ": " + c.From + " is now " + c.To
}

// Diff returns what new has otherwise than old, in the order of the file.
func Diff(old, new Config) []Change {
	var all []Change
	now := new.values()
	for i, was := range old.values() {
		if was != now[i] {
			all = append(all, now[i].since(was))
		}
	}
	relays := diffRelays(old.Relays, new.Relays)
	at := slices.IndexFunc(all, func(c Change) bool { return behindRelays(c.Key) })
	if at < 0 {
		at = len(all)
	}
	return slices.Insert(all, at, relays...)
}

func behindRelays(key string) bool {
	return strings.HasPrefix(key, "telemetry.") || key == "state_dir" || strings.HasPrefix(key, "metrics.") || strings.HasPrefix(key, "log.")
}

// A value is what a key of the file has come to, as a text; of a secret something that
// only tells it from others.
type value struct {
	key, text string
	secret    bool
}

// since is the change to v.
func (v value) since(was value) Change {
	switch {
	case !v.secret:
		return Change{v.key, plainly(was.text), plainly(v.text)}
	case was.text == "":
		return Change{v.key, "", "one"}
	case v.text == "":
		return Change{v.key, "one", ""}
	}
	return Change{v.key, "", changed}
}

// values are all but the relays.
func (c Config) values() []value {
	show := func(key string, v any) value { return value{key: key, text: fmt.Sprint(v)} }
	hide := func(key, text string) value { return value{key, text, true} }
	return []value{
		show("hub.host", c.Hub.Host), show("hub gateway", c.Hub.Gateway), show("hub.port", c.Hub.Port),
		show("hub.device_id", c.Hub.DeviceID), show("hub.transport", string(c.Hub.Transport)),
		hide("hub.key", c.Hub.Key.Fingerprint()), hide("hub.secondary_key_file", c.Hub.Secondary.Fingerprint()),
		hide("hub.cert_file", c.Hub.Cert.mark()),
		show("hub.token_ttl", c.Hub.TokenTTL), show("hub.keep_alive", c.Hub.KeepAlive), hide("hub.ca_file", c.Hub.CA.mark()),
		show("dps.scope_id", c.DPS.ScopeID), show("dps.endpoint", c.DPS.Endpoint),
		show("dps.registration_id", c.DPS.RegistrationID),
		hide("dps.key", c.DPS.Key.Fingerprint()), show("dps.key_kind", string(c.DPS.KeyKind)),
		hide("dps.cert_file", c.DPS.Cert.mark()), hide("dps.ca_file", c.DPS.CA.mark()),
		show("ntp.servers", strings.Join(c.NTP.Servers, ", ")),
		show("gpio.driver", c.GPIO.Driver), show("gpio.sim_dir", c.GPIO.SimDir),
		show("gpio.on_stop", string(c.GPIO.OnStop)), show("gpio.stagger", c.GPIO.Stagger),
		show("gpio.max_per_minute", c.GPIO.MaxPerMinute), show("gpio.max_age", c.GPIO.MaxAge),
		show("board", c.Board),
		show("telemetry.period", c.Telemetry.Period), show("telemetry.full_topic", c.Telemetry.FullTopic),
		show("telemetry.daily_limit", c.Telemetry.DailyLimit), show("telemetry.meter", c.Telemetry.Meter),
		show("state_dir", c.StateDir), show("metrics.listen", c.Metrics.Listen),
		show("log.level", c.Log.Level), show("log.format", c.Log.Format),
	}
}

// plainly is a text of the file for a log, unless it looks like a key in the wrong place.
func plainly(text string) string {
	runes := []rune(text)
	switch {
	case secretive(text):
		return quote(text) // which does not show it
	case len(runes) > maxQuoted:
		return string(runes[:maxQuoted]) + "…"
	}
	return text
}

// mark tells a certificate, and where it is found, from others.
func (c Certificate) mark() string {
	if c.IsZero() {
		return ""
	}
	return strings.Join([]string{c.Fingerprint(), c.File, c.KeyFile}, "\n")
}

// mark tells roots from others.
func (c CA) mark() string {
	var b strings.Builder
	for _, cert := range c {
		b.Write(cert.Raw)
	}
	return b.String()
}

// Equal reports whether both trust the same roots.
func (c CA) Equal(o CA) bool { return slices.EqualFunc(c, o, (*x509.Certificate).Equal) }

// diffRelays compares relays. One is known by its pin.
func diffRelays(old, new []Relay) (all []Change) {
	place := func(list []Relay, r Relay) int {
		return slices.IndexFunc(list, func(o Relay) bool { return o.SamePin(r) })
	}
	for i, r := range old {
		if place(new, r) < 0 {
			all = append(all, Change{fmt.Sprintf("relays[%d]", i), r.words(), ""})
		}
	}
	for i, r := range new {
		o := place(old, r)
		if o < 0 {
			all = append(all, Change{fmt.Sprintf("relays[%d]", i), "", r.words()})
			continue
		}
		was, path := old[o], fmt.Sprintf("relays[%d]", i)
		add := func(key string, from, to any) {
			if from != to {
				all = append(all, Change{path + key, plainly(fmt.Sprint(from)), plainly(fmt.Sprint(to))})
			}
		}
		add("", fmt.Sprintf("relay %d on %s", o+1, r.Pin), fmt.Sprintf("relay %d on %s", i+1, r.Pin))
		add(".name", was.Name, r.Name)
		add(".active_low", was.ActiveLow, r.ActiveLow)
		add(".min_interval", was.MinInterval, r.MinInterval)
		add(".max_age", was.MaxAge, r.MaxAge)
	}
	return all
}

// words are the relay for a log.
func (r Relay) words() string {
	text := plainly(r.Name) + " on " + plainly(r.Pin)
	if r.ActiveLow {
		text += " (active low)"
	}
	return text
}

// SamePin reports whether both are written as the same pin, in whatever way.
func (r Relay) SamePin(o Relay) bool {
	a, _ := pinName(r.Pin)
	b, _ := pinName(o.Pin)
	return a == b
}
