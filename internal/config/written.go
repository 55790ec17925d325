package config

import (
	"iter"
	"reflect"
	"slices"
)

// written is the file as its owner wrote it. The tags are the keys there are,
// and the only list of them.
type written struct {
	Hub       writtenHub         `yaml:"hub"`
	DPS       writtenDPS         `yaml:"dps"`
	NTP       writtenNTP         `yaml:"ntp"`
	GPIO      writtenGPIO        `yaml:"gpio"`
	Board     scalar             `yaml:"board"`
	Relays    list[writtenRelay] `yaml:"relays"`
	Telemetry writtenTelemetry   `yaml:"telemetry"`
	StateDir  scalar             `yaml:"state_dir"`
	Metrics   writtenMetrics     `yaml:"metrics"`
	Log       writtenLog         `yaml:"log"`
}

type writtenHub struct {
	Host                 scalar `yaml:"host"`
	Port                 scalar `yaml:"port"`
	DeviceID             scalar `yaml:"device_id"`
	Key                  scalar `yaml:"key"`
	KeyFile              scalar `yaml:"key_file"`
	SecondaryKeyFile     scalar `yaml:"secondary_key_file"`
	CertFile             scalar `yaml:"cert_file"`
	CertKeyFile          scalar `yaml:"cert_key_file"`
	ConnectionString     scalar `yaml:"connection_string"`
	ConnectionStringFile scalar `yaml:"connection_string_file"`
	Transport            scalar `yaml:"transport"`
	TokenTTL             scalar `yaml:"token_ttl"`
	KeepAlive            scalar `yaml:"keep_alive"`
	CAFile               scalar `yaml:"ca_file"`
}

type writtenDPS struct {
	ScopeID        scalar `yaml:"scope_id"`
	Endpoint       scalar `yaml:"endpoint"`
	RegistrationID scalar `yaml:"registration_id"`
	Key            scalar `yaml:"key"`
	KeyFile        scalar `yaml:"key_file"`
	KeyKind        scalar `yaml:"key_kind"`
	CertFile       scalar `yaml:"cert_file"`
	CertKeyFile    scalar `yaml:"cert_key_file"`
	CAFile         scalar `yaml:"ca_file"`
}

type writtenNTP struct {
	Servers list[scalar] `yaml:"servers"`
}

type writtenGPIO struct {
	Driver scalar `yaml:"driver"`
	SimDir scalar `yaml:"sim_dir"`

	OnStop       scalar `yaml:"on_stop"`
	Stagger      scalar `yaml:"stagger"`
	MaxPerMinute scalar `yaml:"max_per_minute"`
	MaxAge       scalar `yaml:"max_age"`
}

type writtenRelay struct {
	Channel     scalar `yaml:"channel"` // of the board
	Name        scalar `yaml:"name"`
	Pin         scalar `yaml:"pin"`
	ActiveLow   scalar `yaml:"active_low"`
	MinInterval scalar `yaml:"min_interval"`
	MaxAge      scalar `yaml:"max_age"`
}

type writtenTelemetry struct {
	Period    scalar `yaml:"period"`
	FullTopic scalar `yaml:"full_topic"`

	DailyLimit scalar `yaml:"daily_limit"`
	Meter      scalar `yaml:"meter"`
}

type writtenMetrics struct {
	Listen scalar `yaml:"listen"`
}

type writtenLog struct {
	Level  scalar `yaml:"level"`
	Format scalar `yaml:"format"`
}

// A scalar is one value. Its text is what stands in the file, whatever YAML
// makes of it: 0123 is a device id as good as any.
type scalar struct {
	path  string // of the key, such as relays[2].pin
	line  int    // of the value; of the section, if the value is not given
	given bool   // false without the key, and if nothing or null stands there
	text  string
	tag   string // what YAML makes of it: !!str, !!int, !!float, !!bool, …
	plain bool   // written without quotes
}

// A list is a sequence of values or of sections.
type list[T any] struct {
	path  string
	line  int
	given bool // true for an empty list too
	items []T
}

// sample is for the list of keys.
func (list[T]) sample() reflect.Type { return reflect.TypeFor[T]() }

// fields yields the keys of a section and the values they belong to.
func fields(section reflect.Type) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for i := range section.NumField() {
			if !yield(section.Field(i).Tag.Get("yaml"), i) {
				return
			}
		}
	}
}

// names returns the keys of a section.
func names(section reflect.Type) []string {
	var all []string
	for name := range fields(section) {
		all = append(all, name)
	}
	return all
}

// known yields every key of the file: the path of its section, "relays[]" for
// those of a relay and "" for the outermost, and its name there.
func known() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		descend(reflect.TypeFor[written](), "", yield)
	}
}

func descend(section reflect.Type, path string, yield func(string, string) bool) bool {
	for name, i := range fields(section) {
		if !yield(path, name) {
			return false
		}
		inner, innerPath := section.Field(i).Type, join(path, name)
		if l, ok := reflect.Zero(inner).Interface().(interface{ sample() reflect.Type }); ok {
			inner, innerPath = l.sample(), innerPath+"[]"
		}
		if inner == reflect.TypeFor[scalar]() {
			continue
		}
		if !descend(inner, innerPath, yield) {
			return false
		}
	}
	return true
}

// sectionsWith returns the paths of the sections that have a key, without
// doubles, in the order of the file.
func sectionsWith(key string) []string {
	var found []string
	for section, name := range known() {
		if plainKey(name) == plainKey(key) && !slices.Contains(found, section) {
			found = append(found, section)
		}
	}
	return found
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
