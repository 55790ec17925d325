package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/bundle"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/control"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/relay/gpiochip"
)

// unit is the name of the service.
const unit = "tasmota-azd.service"

// mostJournal is how much of the journal is taken, in bytes.
const mostJournal = 3 << 20

// mostMoves is how many moves of each relay are taken.
const mostMoves = 50

// members are what is in the archive, and all that is.
func (s *support) members() []bundle.Member {
	return []bundle.Member{
		{Name: "version.txt", Holds: "the release of tasmota-azd, and its file", Why: "to look into the same source", Read: s.version},
		{Name: "system.txt", Holds: "kernel, distribution, board, load, time since power-on", Why: "drivers and systemd differ",
			Read: bundle.Files("/proc/version", "/etc/os-release", "/proc/device-tree/model", "/proc/loadavg", "/proc/uptime", "/proc/sys/kernel/core_pattern")},
		{Name: "unit.txt", Holds: "the unit and its drop-ins: harmless settings, of others the names", Why: "a drop-in may take away what the daemon needs",
			Read: func(context.Context) ([]byte, error) { return bundle.Unit("/", unit) }},
		{Name: "unit-state.txt", Holds: "how systemd says that the unit fares", Why: "starts, ends and their reasons", Read: s.state},
		{Name: "config.txt", Holds: "the configuration: harmless values, no comments", Why: "most trouble begins here", Read: s.config},
		{Name: "mistakes.txt", Holds: "mistakes and warnings in the configuration, none if it is right", Why: "as above", Read: s.mistakes},
		{Name: "check.json", Holds: "what tasmota-azd check --json prints", Why: "it names what is wrong", Read: s.check, Within: 70 * time.Second},
		{Name: "status.json", Holds: "what tasmota-azd status --json prints", Why: "session, clock, relays, debts", Read: s.status},
		{Name: "metrics.txt", Holds: "what tasmota-azd metrics prints", Why: "counts and times since the start", Read: s.client.Metrics},
		{Name: "why.json", Holds: fmt.Sprintf("the last %d moves of each relay, with the commands that led to them", mostMoves), Why: "who switched what", Read: s.why},
		{Name: "settings.json", Holds: "settings that commands have changed, as of when the state was last written whole", Why: "they change what commands do", Read: s.settings},
		{Name: "gpio.txt", Holds: "chips, and lines with their names and who holds them", Why: "two programs may want one pin", Read: lines},
		{Name: "files.txt", Holds: "owner, mode, size and date of the daemon's files, keys included; nothing of what is in them", Why: "a wrong mode stops the start", Read: s.files},
		{Name: "resources.txt", Holds: "memory, disks, and what the daemon takes of them", Why: "a full disk keeps nothing", Read: s.resources},
		{Name: "journal.txt", Holds: fmt.Sprintf("the unit's journal of the last %d days: time, priority, process, text", s.days), Why: "what happened, and when", Most: mostJournal,
			Read: func(ctx context.Context) ([]byte, error) {
				return bundle.Journal(ctx, unit, s.now.AddDate(0, 0, -s.days), mostJournal)
			}},
	}
}

func (s *support) version(context.Context) ([]byte, error) {
	text := versionLine()
	program, err := os.Executable()
	if err != nil {
		return []byte(text), err
	}
	modes, err := bundle.Modes(program)
	return append([]byte(text), modes...), err
}

// state comes before those members that want to know the process.
func (s *support) state(ctx context.Context) ([]byte, error) {
	text, pid, err := bundle.Properties(ctx, unit)
	s.pid = pid
	return text, err
}

// config comes before those members that want to know what the configuration names.
func (s *support) config(context.Context) ([]byte, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s.view, err = config.ViewOf(f, s.path)
	return s.view.Text, err
}

// mistakes are words of the daemon about the file, which quote no secret.
func (s *support) mistakes(context.Context) ([]byte, error) {
	cfg, err := load(s.path)
	if mistakes, ok := errors.AsType[*config.Error](err); ok {
		return []byte(mistakes.Error() + "\n"), nil
	}
	return []byte(strings.Join(append(cfg.Warnings, "no mistakes\n"), "\n")), err
}

// check examines the daemon, as this user can.
func (s *support) check(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	err := examine(ctx, examination(s.path, s.socket), &b, true)
	if b.Len() > 0 {
		return b.Bytes(), nil // the faults are in it
	}
	return nil, err
}

func (s *support) status(ctx context.Context) ([]byte, error) {
	var raw json.RawMessage
	if err := s.client.Status(ctx, &raw); err != nil {
		return nil, err
	}
	var known status
	if json.Unmarshal(raw, &known) == nil && s.pid == 0 {
		s.pid = known.PID // it runs without systemd
	}
	return indented(raw)
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	err := printJSON(&b, v)
	return b.Bytes(), err
}

func (s *support) why(ctx context.Context) ([]byte, error) {
	var st status
	if err := s.client.Status(ctx, &st); err != nil {
		return nil, err
	}
	all := map[string][]device.Why{}
	for _, r := range st.Relays {
		var moves []device.Why
		if err := s.client.Why(ctx, strconv.Itoa(r.Number), mostMoves, &moves); err != nil {
			return nil, err
		}
		all[r.Pin] = moves
	}
	return indented(all)
}

// dir is the state directory.
func (s *support) dir() string {
	if s.view.StateDir != "" {
		return s.view.StateDir
	}
	return config.Defaults().StateDir
}

// settings are those of the state's file, and nothing else of it.
func (s *support) settings(context.Context) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(s.dir(), device.StateFile))
	if err != nil {
		return nil, err
	}
	var saved struct {
		Version int
		Value   struct{ Settings commands.Settings }
	}
	if err := json.Unmarshal(text, &saved); err != nil {
		return nil, errors.New("the state's file is no JSON") // the error may quote it
	}
	return indented(map[string]any{"version": saved.Version, "settings": saved.Value.Settings})
}

func (s *support) files(context.Context) ([]byte, error) {
	paths := append([]string{s.path, filepath.Dir(s.path) + "/"}, s.view.Files...)
	return bundle.Modes(append(paths, s.dir()+"/", filepath.Dir(defaultSocket)+"/", "/etc/systemd/system/"+unit+".d/",
		"/usr/lib/systemd/system/"+unit, "/dev/gpiomem", filepath.Join(filepath.Dir(defaultSocket), control.Socket))...)
}

func (s *support) resources(context.Context) ([]byte, error) {
	return bundle.Resources(s.pid, s.dir(), "/")
}

// lines are the GPIO lines of this machine that have a name or a holder.
func lines(context.Context) ([]byte, error) {
	chips, err := gpiochip.List()
	var b bytes.Buffer
	for _, c := range chips {
		fmt.Fprintf(&b, "%s %q, %d lines %s\n", c.Name, c.Label, len(c.Lines), strings.Join(c.Aliases, " "))
		for i, l := range c.Lines {
			if l.Name == "" && l.Consumer == "" {
				continue
			}
			fmt.Fprintf(&b, "  %d %q", i, l.Name)
			if l.Held() {
				fmt.Fprintf(&b, " held by %q", l.Consumer)
			}
			if l.Output() {
				b.WriteString(" output")
			}
			b.WriteByte('\n')
		}
	}
	return b.Bytes(), err
}
