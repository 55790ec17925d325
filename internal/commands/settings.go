package commands

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// Settings is what commands change and a restart must not lose. The zero value
// is a new device. As JSON it holds only what differs from that:
//
//	{"SetOption":{"34":100,"59":1},"PowerOnState":0,"TelePeriod":60,
//	 "FilePeriod":300,"BootCount":12,"BootCountSince":1723626191,"SaveCount":7}
//
// Reading it never fails over a member that is unknown, of another type or out
// of range: that member is as on a new device.
type Settings struct {
	changed      [optionCount]uint8 // XOR of each option with its value on a new device
	powerOnState uint8              // XOR of PowerOnState with that on a new device

	// TelePeriod is in force as long as the file still says FilePeriod: a
	// period set by command wins until the file's own changes. In seconds.
	TelePeriod int
	FilePeriod int

	BootCount      int   // starts of the daemon
	BootCountSince int64 // Unix time since when they are counted, 0 for not known
	SaveCount      int   // times these settings were saved
}

// SaveState tells whether relays are to be restored at a start (SetOption0).
// If not, all of them are saved as off.
func (s Settings) SaveState() bool {
	return s.on(optionSaveState)
}

// started returns the settings of a run that begins under a file that says
// period.
func (s Settings) started(period time.Duration) Settings {
	s.under(period)
	s.BootCount++
	return s
}

// under takes the period that the file says, and tells whether it is another than before.
func (s *Settings) under(period time.Duration) bool {
	seconds := int(period / time.Second)
	if s.FilePeriod == seconds {
		return false
	}
	s.TelePeriod, s.FilePeriod = seconds, seconds
	return true
}

func (s Settings) option(i int) int {
	return int(s.changed[i] ^ optionDefaults[i])
}

func (s Settings) on(i int) bool {
	return s.option(i) != 0
}

func (s *Settings) setOption(i, v int) {
	s.changed[i] = uint8(v) ^ optionDefaults[i]
}

// A Setting is one that may be changed from afar, and its value.
type Setting struct {
	Name  string // of the command that changes it
	Value int
}

// List returns the settings that may be changed from afar, in an order in which
// they can be set: how to answer, then what relays do, then when to report.
func (s Settings) List() []Setting {
	var all []Setting
	for i := range optionCount {
		if settable(i) {
			all = append(all, Setting{"SetOption" + strconv.Itoa(i), s.option(i)})
		}
	}
	return append(all, Setting{"PowerOnState", s.PowerOnState()}, Setting{"TelePeriod", s.TelePeriod})
}

// savedSettings is the form of Settings in JSON.
type savedSettings struct {
	SetOption      map[string]int // also without one: those of a later release join them (store.Pack)
	PowerOnState   *int           `json:",omitempty"`
	TelePeriod     int
	FilePeriod     int
	BootCount      int
	BootCountSince int64 `json:",omitempty"`
	SaveCount      int
}

// MarshalJSON returns s as the comment on Settings shows it.
func (s Settings) MarshalJSON() ([]byte, error) {
	saved := savedSettings{
		SetOption:      make(map[string]int),
		TelePeriod:     s.TelePeriod,
		FilePeriod:     s.FilePeriod,
		BootCount:      s.BootCount,
		BootCountSince: s.BootCountSince,
		SaveCount:      s.SaveCount,
	}
	for i, x := range s.changed {
		if x != 0 {
			saved.SetOption[strconv.Itoa(i)] = s.option(i)
		}
	}
	if s.powerOnState != 0 {
		saved.PowerOnState = new(s.PowerOnState())
	}
	return json.Marshal(saved)
}

// UnmarshalJSON fails only if b is no JSON object.
func (s *Settings) UnmarshalJSON(b []byte) error {
	var saved map[string]json.RawMessage
	if err := json.Unmarshal(b, &saved); err != nil {
		return err
	}
	*s = Settings{}
	var options map[string]json.RawMessage
	if json.Unmarshal(saved["SetOption"], &options) == nil {
		for name, value := range options {
			s.loadOption(name, value)
		}
	}
	if state, ok := savedInt(saved["PowerOnState"], stateLockedOn); ok {
		s.setPowerOnState(int(state))
	}
	period, ok := savedInt(saved["TelePeriod"], math.MaxInt32)
	file, ok2 := savedInt(saved["FilePeriod"], math.MaxInt32)
	if ok && ok2 && telePeriod(int(period)) == int(period) {
		s.TelePeriod, s.FilePeriod = int(period), int(file)
	}
	boots, _ := savedInt(saved["BootCount"], math.MaxInt32)
	saves, _ := savedInt(saved["SaveCount"], math.MaxInt32)
	since, _ := savedInt(saved["BootCountSince"], math.MaxUint32)
	s.BootCount, s.SaveCount, s.BootCountSince = int(boots), int(saves), since
	return nil
}

func (s *Settings) loadOption(name string, value json.RawMessage) {
	i, err := strconv.Atoi(name)
	if err != nil || i < 0 || i >= optionCount || !settable(i) {
		return
	}
	if v, ok := savedInt(value, int64(optionMax(i))); ok {
		s.setOption(i, int(v))
	}
}

// savedInt reads a whole number from 0 to most.
func savedInt(b json.RawMessage, most int64) (int64, bool) {
	var n *int64
	if json.Unmarshal(b, &n) != nil || n == nil || *n < 0 || *n > most {
		return 0, false
	}
	return *n, true
}
