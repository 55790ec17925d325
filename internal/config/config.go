// Package config reads the configuration file and hands it on, checked, as
// plain values.
//
// The file as written is one set of types (written.go), the checked Config
// another. Between them every value is judged, and all mistakes of a file are
// reported at once, each with its line, its key, the value and what would be
// right. A value that is or may be a secret is never quoted.
//
// The room reads the file and the files of keys and certificates it names, and
// nothing else: no clock, no network, no environment.
package config

import (
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tasmota-azd/internal/certificate"
	"tasmota-azd/internal/token"
)

// A Config is a configuration without mistakes: every value is in its range,
// every default filled in, every path joined to the directory of the file.
type Config struct {
	Hub       Hub
	DPS       DPS
	NTP       NTP
	GPIO      GPIO
	Board     string  // the preset that Relays come from, empty without one
	Relays    []Relay // 1 to 32
	PinLines  []int   // of each relay: the line of the file that says its pin
	Telemetry Telemetry
	StateDir  string
	Metrics   Metrics
	Log       Log

	// Credentials are the keys of the file whose value systemd gave the service
	// (LoadCredential= in systemd.exec(5)), which it does at a start only.
	Credentials []string

	// Secrets are the files of keys and of connection strings that were read.
	Secrets []string

	// Warnings are things the owner should mend although the daemon can run,
	// one line each, beginning with file and line.
	Warnings []string
}

// Hub says which IoT Hub to connect to, and as whom.
type Hub struct {
	Host      string        // lower case; empty with DPS, which names the hub
	Gateway   string        // IoT Edge gateway to connect to in place of Host; empty without one
	Port      int           // 1 to 65535: of the WebSocket with TransportWebSocket, else of MQTT over TLS
	Transport Transport     // the ways to the hub that may be taken
	DeviceID  string        // empty: the MAC address
	Key       token.Key     // of the device; zero with DPS, and with a certificate
	Secondary token.Key     // for when the hub refuses Key; zero without one
	Cert      Certificate   // used in place of a key; zero with DPS
	TokenTTL  time.Duration // how long a token is valid, 5m to 24h
	KeepAlive time.Duration // whole seconds, 1s to 1177s
	CA        CA
}

// DPS says how to ask the Device Provisioning Service for a hub. It is in use
// if ScopeID is not empty.
type DPS struct {
	ScopeID        string
	Endpoint       string    // host or host:port
	RegistrationID string    // empty: the MAC address
	Key            token.Key // of the group or of the device, as KeyKind says
	KeyKind        KeyKind
	Cert           Certificate // used in place of a key
	CA             CA
}

// A Certificate is one to sign in with, and the files it was read from.
type Certificate struct {
	certificate.Certificate
	File, KeyFile string
}

// A Transport names the ways to the hub that may be taken.
type Transport string

// The transports.
const (
	TransportAuto      Transport = "auto"      // mqtt, or websocket where that is blocked
	TransportMQTT      Transport = "mqtt"      // MQTT over TLS on Port
	TransportWebSocket Transport = "websocket" // on port 443
)

// A KeyKind says whose key DPS.Key is.
type KeyKind string

// The two kinds of enrollment with a symmetric key.
const (
	Group      KeyKind = "group"      // the device key is derived from it
	Individual KeyKind = "individual" // it is the device key
)

// NTP names the servers that tell the time, as host or host:port. Without any
// the system clock is trusted.
type NTP struct {
	Servers []string
}

// GPIO says how the pins of the relays are driven.
type GPIO struct {
	Driver string // DriverAuto, DriverChip, DriverPeriph or DriverSim
	SimDir string // directory of the simulated pins

	OnStop       OnStop
	Stagger      time.Duration // pause between relays that one command switches, 0 to 5s
	MaxPerMinute int           // how often all relays together may close within a minute, to 60000; 0: no limit
	MaxAge       time.Duration // of relays that do not say it themselves
}

// The drivers of GPIO pins.
const (
	DriverAuto   = "auto"     // DriverChip where it works, else DriverPeriph
	DriverChip   = "gpiochip" // lines of the kernel's GPIO character device
	DriverPeriph = "periph"   // periph's own drivers
	DriverSim    = "sim"      // one file per pin
)

// An OnStop says what becomes of the relays when the service ends for good.
type OnStop string

// What a stop may do.
const (
	StopOff  OnStop = "off"  // relays open, in order
	StopHold OnStop = "hold" // relays stay as they are, as long as the kernel keeps them
)

// A Relay is one relay and the pin it is wired to.
type Relay struct {
	Name      string // no two relays have the same
	Pin       string // as written: GPIO17, 17, P1_11, gpiochip0:17 or a line's name; no two relays share a pin
	ActiveLow bool   // the low level closes the relay

	MinInterval time.Duration // shortest time from one closing to the next, 0 (no limit) to 1h
	MaxAge      time.Duration // a command that may have waited longer in the cloud is refused; 0 (no limit) or 10s to 48h
}

// Telemetry says how often and under which topic the device reports.
type Telemetry struct {
	Period    time.Duration // whole seconds; 0 is off, else 10s to 1h
	FullTopic string        // with %topic% and %prefix%, ends in a slash

	DailyLimit int // messages that may be spent in a day of UTC, 0 for no limit
	Meter      int // how many bytes count as one message: 512 or 4096
}

// Metrics says where Prometheus may ask for numbers.
type Metrics struct {
	Listen string // IP address and port, empty for nowhere
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // auto, journal, text or json
}

// CA is a list of root certificates that are trusted besides the system's.
type CA []*x509.Certificate

// Pool returns the system's roots and those of c. Without any of its own it
// returns nil, which crypto/tls takes for the system's roots.
func (c CA) Pool() *x509.CertPool {
	if len(c) == 0 {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a machine without roots
		pool = x509.NewCertPool()
	}
	for _, cert := range c {
		pool.AddCert(cert)
	}
	return pool
}

// Defaults returns the configuration of an empty file, which is not a whole one.
// It is the one place where defaults stand.
func Defaults() Config {
	return Config{
		Hub: Hub{
			Port:      8883,
			Transport: TransportAuto,
			TokenTTL:  time.Hour,
			KeepAlive: time.Minute,
		},
		DPS: DPS{
			Endpoint: "global.azure-devices-provisioning.net",
			KeyKind:  Group,
		},
		NTP: NTP{
			Servers: []string{"0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org"},
		},
		GPIO: GPIO{
			Driver: DriverAuto,
			SimDir: "/run/tasmota-azd/pins",

			OnStop:       StopOff,
			MaxPerMinute: 600,
		},
		Telemetry: Telemetry{
			Period:    300 * time.Second,
			FullTopic: "%topic%/",
			Meter:     512,
		},
		StateDir: "/var/lib/tasmota-azd",
		Log: Log{
			Level:  slog.LevelInfo,
			Format: "auto",
		},
	}
}

// Load reads the configuration file at path. Every error it returns is an
// *Error. Besides what Parse does, it warns about a key in a file that others
// may read, and finds files of keys among systemd's credentials, which are in the
// directory of that name ($CREDENTIALS_DIRECTORY; empty without any).
func Load(path, credentials string) (Config, error) {
	return load(path, checker{credentials: credentials})
}

// LoadWith is Load where systemd's credentials cannot be had: their texts stand for
// them, by name.
func LoadWith(path string, given map[string]string) (Config, error) {
	return load(path, checker{given: given})
}

func load(path string, c checker) (Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fail(path, 0, "does not exist; begin with the commented sample that comes with tasmota-azd, configs/config.yaml")
	}
	if err != nil {
		return Config{}, fail(path, 0, fileFault(path, err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Config{}, fail(path, 0, fileFault(path, err))
	}
	if info.IsDir() {
		return Config{}, fail(path, 0, "is a directory; the name of the file in it is needed")
	}
	return parse(f, path, info, c)
}

// Parse reads a configuration from r. The name file stands in the messages,
// and its directory is where relative paths in the configuration begin. Every
// error is an *Error with all mistakes.
func Parse(r io.Reader, file string) (Config, error) {
	return parse(r, file, nil, checker{})
}

// ParseWith is Parse before a secret is in its place: its text stands for the file, or
// the credential, of that name.
func ParseWith(r io.Reader, file, name, secret string) (Config, error) {
	return parse(r, file, nil, checker{given: map[string]string{name: secret}})
}

// parse is Parse with what c knows, for a file whose mode is known, or nil.
func parse(r io.Reader, file string, info fs.FileInfo, c checker) (Config, error) {
	root, err := read(r, file)
	if err != nil {
		return Config{}, err
	}
	c.book, c.dir, c.info = book{file: file}, filepath.Dir(file), info
	var w written
	c.fill(&w, root)
	cfg := c.config(&w)
	if err := c.err(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}
