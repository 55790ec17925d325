package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"tasmota-azd/internal/config"
)

var machineChecks = []Check{
	{Name: "kernel", Group: "machine", What: "Linux is 5.10 or later, as lines that do not move take", Remedy: "sudo apt full-upgrade && sudo reboot", run: (*patient).kernel},
	{Name: "systemd", Group: "machine", What: "systemd can keep the lines of the relays over a stop", Remedy: "upgrade to a system with systemd 254 or later, such as Debian 13; until then gpio.on_stop: hold holds only until systemd ends the service", After: []string{"file"}, run: (*patient).systemd},
	{Name: "programs", Group: "machine", What: "there is one tasmota-azd, so that the unit runs the one that is typed", Remedy: "sudo rm the one that the package has not installed", After: []string{"unit"}, run: (*patient).programs},
}

var daemonChecks = []Check{
	{Name: "daemon", Group: "daemon", What: "the daemon runs and answers, if it is to run", After: []string{"file", "unit", "enabled"},
		Remedy: "journalctl -u tasmota-azd -e; sudo systemctl restart tasmota-azd", run: (*patient).running},
	{Name: "version", Group: "daemon", What: "the daemon that runs is of this release", Needs: []string{"daemon"}, Remedy: "sudo systemctl restart tasmota-azd", run: (*patient).version},
}

func (p *patient) kernel(context.Context) Finding {
	release, err := p.text("/proc/sys/kernel/osrelease")
	if err != nil {
		return skip(err.Error())
	}
	major, rest, _ := strings.Cut(release, ".")
	m, err := strconv.Atoi(major)
	n := leading(rest)
	if err != nil {
		return skip("Linux " + release + ", whose number cannot be read")
	}
	if m < 5 || m == 5 && n < 10 {
		return fault("Linux "+release, "")
	}
	return ok("Linux " + release)
}

// leading is the number that a text begins with.
func leading(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// systemd finds the version in the name of the library that belongs to it, which anybody
// may see and which takes no program to be started.
func (p *patient) systemd(context.Context) Finding {
	version := 0
	for _, dir := range []string{"/usr/lib/systemd", "/usr/lib/*/systemd", "/lib/systemd"} {
		found, _ := filepath.Glob(p.path(dir + "/libsystemd-shared-*.so")) // the pattern is good
		for _, name := range found {
			_, number, _ := strings.Cut(filepath.Base(name), "shared-")
			version = max(version, leading(number))
		}
	}
	text := fmt.Sprintf("systemd %d", version)
	switch {
	case version == 0:
		return skip("systemd is not installed")
	case version < 245:
		return fault(text+", which does not know what the unit needs", "")
	case version < 254 && p.cfg.GPIO.OnStop == config.StopHold:
		return warn(text+", and gpio.on_stop is hold", "")
	}
	return ok(text)
}

// programs looks where shells look first.
func (p *patient) programs(context.Context) Finding {
	var found []string
	var first os.FileInfo
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"} {
		name := dir + "/tasmota-azd"
		info, err := os.Stat(p.path(name))
		if err != nil || first != nil && os.SameFile(first, info) {
			continue
		}
		first, found = info, append(found, name)
	}
	if len(found) > 1 {
		return warn("there are "+strings.Join(found, " and "), "sudo rm "+found[0])
	}
	if len(found) == 0 {
		return skip("it is not installed")
	}
	return ok(found[0])
}

func (p *patient) running(ctx context.Context) Finding {
	s, err := p.ask(ctx)
	p.daemon = s
	switch {
	case s != nil:
		return ok(fmt.Sprintf("process %d", s.PID))
	case errors.Is(err, fs.ErrPermission), err != nil && os.Geteuid() != 0 && strings.Contains(err.Error(), "no permission"):
		return skip("not asked: " + err.Error())
	case err != nil && !strings.Contains(err.Error(), "no daemon answers"):
		return fault(err.Error(), "")
	}
	_, booted := os.Stat(p.path("/run/systemd/system"))
	if booted == nil && p.enabledAt() != "" {
		return fault("it is enabled and does not run", "")
	}
	return ok("it does not run")
}

func (p *patient) version(context.Context) Finding {
	if p.daemon == nil {
		return skip("none runs")
	}
	if p.daemon.Version != p.o.Version {
		return warn(fmt.Sprintf("%s runs, and this is %s", p.daemon.Version, p.o.Version), "")
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.daemon.PID))
	if err == nil && strings.HasSuffix(exe, " (deleted)") {
		return warn("the program of the daemon that runs was replaced since", "")
	}
	return ok(p.daemon.Version)
}

// statfs asks the file system that holds a path.
func statfs(path string) (s syscall.Statfs_t, err error) {
	err = syscall.Statfs(path, &s)
	return s, err
}
