package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tasmota-azd/internal/store"
)

var diskChecks = []Check{
	{Name: "writable", Group: "disk", What: "the disk of the state is not read-only", Needs: []string{"file"},
		Remedy: "sudo mount -o remount,rw MOUNT; dmesg says why it is", run: (*patient).writable},
	{Name: "space", Group: "disk", What: "there is room for the state", Needs: []string{"writable"}, Remedy: "df -h; sudo journalctl --vacuum-size=50M; sudo apt clean", run: (*patient).space},
	{Name: "lasting", Group: "disk", What: "the state outlives a restart of the machine", Needs: []string{"space"},
		Remedy: "set state_dir to a directory on a disk: sudoedit CONFIG", run: (*patient).lasting},
	{Name: "wear", Group: "disk", What: "the mount options spare the card", Needs: []string{"space"}, Remedy: "take sync and strictatime out of /etc/fstab", run: (*patient).wear},
}

var stateChecks = []Check{
	{Name: "state-dir", Group: "state", What: "the state directory is the service's own", Needs: []string{"writable", "user"},
		Remedy: "sudo chown -R tasmota-azd: DIR && sudo chmod 700 DIR", run: (*patient).stateDir},
	{Name: "lock", Group: "state", What: "no other daemon has it", Needs: []string{"file"}, After: []string{"daemon"},
		Remedy: "ps -fp PID; sudo kill PID", run: (*patient).lock},
	{Name: "state-files", Group: "state", What: "what is saved can be read, and by this release", Needs: []string{"file"},
		Remedy: "nothing has to be done: the daemon sets such a file aside and begins anew", run: (*patient).stateFiles},
}

// below is the state directory, or what of its path there is.
func (p *patient) below() string {
	for dir := p.o.StateDir(p.cfg); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return dir
		}
	}
}

func (p *patient) writable(context.Context) Finding {
	s, err := statfs(p.below())
	if err != nil {
		return skip(err.Error())
	}
	if int64(s.Flags)&syscall.MS_RDONLY != 0 {
		m, _ := mountOf(p.below())
		return fault(p.below()+" is on a read-only mount", "sudo mount -o remount,rw "+m.at+"; dmesg says why it is")
	}
	return ok(p.below() + " can be written")
}

const (
	little   = 20 << 20 // free bytes that last for weeks of logs
	nothing  = 1 << 20
	fewFiles = 100
)

func (p *patient) space(context.Context) Finding {
	s, err := statfs(p.below())
	if err != nil {
		return skip(err.Error())
	}
	free := uint64(s.Bavail) * uint64(s.Bsize)
	found := fmt.Sprintf("%d MB free at %s", free>>20, p.below())
	switch {
	case free < nothing:
		return fault(found, "")
	case s.Files > 0 && s.Ffree < fewFiles:
		return fault(fmt.Sprintf("%s, and room for %d files (df -i)", found, s.Ffree), "")
	case free < little:
		return warn(found, "")
	}
	return ok(found)
}

func (p *patient) lasting(context.Context) Finding {
	m, err := mountOf(p.below())
	if err != nil {
		return skip(err.Error())
	}
	if m.kind == "tmpfs" || m.kind == "ramfs" {
		return warn(fmt.Sprintf("%s is in memory (%s at %s): relays and settings are forgotten at each restart", p.below(), m.kind, m.at), "")
	}
	return ok(fmt.Sprintf("%s at %s", m.kind, m.at))
}

func (p *patient) wear(context.Context) Finding {
	m, err := mountOf(p.below())
	if err != nil {
		return skip(err.Error())
	}
	options := strings.Split(m.options, ",")
	var bad []string
	atime := false
	for _, o := range options {
		atime = atime || o == "relatime" || o == "noatime"
		if o == "sync" {
			bad = append(bad, "sync: every small write goes to the card at once")
		}
	}
	if !atime {
		bad = append(bad, "strictatime: reading writes, too")
	}
	if bad != nil {
		return warn(m.at+" is mounted with "+strings.Join(bad, " and with "), "")
	}
	return ok(m.at + ": " + m.options)
}

// A mount is one line of /proc/self/mountinfo.
type mount struct{ at, kind, options string }

// mountOf finds the last mount that a path is below.
func mountOf(path string) (found mount, err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return found, err
	}
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
		f := strings.Fields(line)
		before, after, ok := strings.Cut(line, " - ")
		kind := strings.Fields(after)
		if !ok || len(f) < 6 || len(kind) < 3 || before == "" {
			continue
		}
		at := strings.ReplaceAll(f[4], `\040`, " ")
		if path == at || at == "/" || strings.HasPrefix(path, at+"/") {
			if len(at) >= len(found.at) {
				found = mount{at, kind[0], f[5] + "," + kind[2]}
			}
		}
	}
	if found.at == "" {
		return found, errors.New("no mount holds " + path)
	}
	return found, nil
}

func (p *patient) stateDir(context.Context) Finding {
	dir := p.o.StateDir(p.cfg)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(dir + " is made at the first start")
	case err != nil:
		return unknown("not checked: " + err.Error() + "; run this with sudo")
	case !info.IsDir():
		return fault(dir+" is not a directory", "sudo mv "+dir+" "+dir+".old")
	case info.Mode().Perm()&0o022 != 0:
		return fault(fmt.Sprintf("others may change what is in %s (mode %04o)", dir, info.Mode().Perm()), "sudo chmod 700 "+dir)
	}
	if p.service.name == "" {
		return ok(dir)
	}
	if why, err := p.service.may(dir, 7); err == nil && why != "" {
		return fault(fmt.Sprintf("%s may not use %s: %s", p.service.name, dir, why), fmt.Sprintf("sudo chown -R %s: %s", p.service.name, dir))
	}
	return ok(fmt.Sprintf("%s is %s's", dir, p.service.name))
}

func (p *patient) lock(context.Context) Finding {
	pid, err := store.Holder(p.o.StateDir(p.cfg))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return skip("the directory may not be read by this user; run this with sudo")
	case err != nil:
		return skip(err.Error())
	case pid == 0:
		return ok("nobody has it")
	case p.daemon != nil && p.daemon.PID == pid:
		return ok("the daemon that runs has it")
	case p.daemon != nil || os.Geteuid() == 0:
		return fault(fmt.Sprintf("process %d has it, and is not a daemon that answers", pid), fmt.Sprintf("ps -fp %d; sudo kill %[1]d", pid))
	}
	return ok(fmt.Sprintf("process %d has it", pid))
}

// stateFiles are those that the daemon reads at its start.
func (p *patient) stateFiles(context.Context) Finding {
	dir := p.o.StateDir(p.cfg)
	for _, name := range []string{"state", "login", "twin"} {
		var v any
		version, err := store.Peek(dir, name, &v)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return skip("they may not be read by this user; run this with sudo")
		case err != nil:
			return warn(err.Error(), "")
		case version > store.Version:
			return warn(fmt.Sprintf("%s is of a newer release (version %d, and this one knows %d): what it says in another way is not used", filepath.Join(dir, name), version, store.Version),
				"sudo apt install tasmota-azd (the newer release)")
		}
	}
	return ok("they can be read")
}
