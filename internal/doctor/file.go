package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tasmota-azd/internal/config"
)

var fileChecks = []Check{
	{Name: "file", Group: "file", What: "the configuration is there and has no mistakes", Remedy: "sudoedit CONFIG", Needs: []string{"credential"}, run: (*patient).file},
	{Name: "advice", Group: "file", What: "what can be written is also wise", Remedy: "sudoedit CONFIG", Needs: []string{"file"}, run: (*patient).advice},
	{Name: "file-access", Group: "file", What: "the service may read the configuration", Needs: []string{"file", "user"},
		Remedy: "sudo chgrp tasmota-azd CONFIG && sudo chmod 640 CONFIG", run: (*patient).fileAccess},
	{Name: "file-guard", Group: "file", What: "nobody but root can put another configuration or key in place", Needs: []string{"file"},
		Remedy: "sudo chmod o-w PATH", run: (*patient).fileGuard},
}

var keyChecks = []Check{
	{Name: "key-access", Group: "keys", What: "the service may read its keys and certificates", Needs: []string{"file", "user"},
		Remedy: "sudo chgrp tasmota-azd FILE && sudo chmod 640 FILE", run: (*patient).keyAccess},
	{Name: "certificate", Group: "keys", What: "the device's certificate counts, and for a month at least", Needs: []string{"file", "clock"},
		Remedy: "put a new certificate in its place: sudo install -m 0640 -g tasmota-azd NEW FILE (the daemon takes it within the hour)", run: (*patient).certificate},
}

func (p *patient) file(context.Context) Finding {
	cfg, err := config.Load(p.o.Config, p.o.Credentials)
	if err != nil && p.given != nil {
		cfg, err = config.LoadWith(p.o.Config, p.given)
	}
	if err == nil {
		p.cfg = cfg
		p.loaded.Store(true)
		return ok(fmt.Sprintf("%s: no mistakes; %d relay(s)", p.o.Config, len(cfg.Relays)))
	}
	p.mistake = err
	var list *config.Error
	if !errors.As(err, &list) {
		return fault(err.Error(), "")
	}
	f := fault(err.Error(), "")
	if len(list.Mistakes) > 1 {
		f.Found = fmt.Sprintf("%d mistakes, the first: %s", len(list.Mistakes), strings.Split(err.Error(), "\n")[0])
	}
	if _, err := os.Open(p.o.Config); errors.Is(err, fs.ErrPermission) {
		f.Remedy = "sudo tasmota-azd check"
	}
	return f
}

func (p *patient) advice(context.Context) Finding {
	if len(p.cfg.Warnings) == 0 {
		return ok("nothing to say")
	}
	return warn(strings.Join(p.cfg.Warnings, "; "), "")
}

func (p *patient) fileAccess(context.Context) Finding {
	return p.readable(p.o.Config)
}

func (p *patient) keyAccess(context.Context) Finding {
	files := slices.Concat(p.cfg.Secrets, p.certificateFiles())
	if len(files) == 0 {
		return skip("the key stands in the configuration itself, or is a credential")
	}
	return p.readable(files...)
}

func (p *patient) certificateFiles() (files []string) {
	for _, c := range []config.Certificate{p.cfg.Hub.Cert, p.cfg.DPS.Cert} {
		if !c.IsZero() {
			files = append(files, c.File, c.KeyFile)
		}
	}
	return files
}

// readable judges whether the service may read files.
func (p *patient) readable(files ...string) Finding {
	if p.service.name == "" {
		return skip("there is no service that would read it")
	}
	for _, file := range files {
		if p.o.Credentials != "" && filepath.Dir(file) == p.o.Credentials {
			continue // systemd sees to it
		}
		why, err := p.service.may(file, 4)
		if err != nil {
			return unknown(fmt.Sprintf("not checked: %v; run this with sudo", err))
		}
		if why != "" {
			remedy := fmt.Sprintf("sudo chgrp %s %s && sudo chmod 640 %[2]s", p.service.name, file)
			if dir, _, err := p.service.closed(file); err == nil && dir != "" {
				remedy = fmt.Sprintf("sudo chmod o+x %s; or keep the file in /etc/tasmota-azd", dir)
			}
			return fault(fmt.Sprintf("%s may not read %s: %s", p.service.name, file, why), remedy)
		}
	}
	return ok(fmt.Sprintf("%s may read %s", p.service.name, strings.Join(files, ", ")))
}

// fileGuard looks at the directories: who may write there puts another file in place,
// whatever the file's own mode. A directory with the sticky bit is safe from that.
func (p *patient) fileGuard(context.Context) Finding {
	for _, file := range slices.Concat([]string{p.o.Config}, p.cfg.Secrets, p.certificateFiles()) {
		for _, path := range []string{file, filepath.Dir(file)} {
			info, err := os.Stat(path)
			if err != nil {
				return unknown("not checked: " + err.Error() + "; run this with sudo")
			}
			if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
				return fault(fmt.Sprintf("everybody may write %s (mode %04o)", path, info.Mode().Perm()), "sudo chmod o-w "+path)
			}
		}
	}
	return ok("others may write neither the files nor their directories")
}

func (p *patient) certificate(context.Context) Finding {
	c := p.cfg.Hub.Cert
	if c.IsZero() {
		c = p.cfg.DPS.Cert
	}
	if c.IsZero() {
		return skip("the device signs in with a key")
	}
	leaf, now := c.Leaf(), p.now()
	days := int(leaf.NotAfter.Sub(now) / (24 * time.Hour))
	found := fmt.Sprintf("%s (%s): CN=%s, until %s", c.File, c.KeyFile, c.Name(), leaf.NotAfter.UTC().Format(time.DateOnly))
	switch {
	case now.After(leaf.NotAfter):
		return fault(found+", which is over", "")
	case now.Before(leaf.NotBefore):
		return fault(found+", and not before "+leaf.NotBefore.UTC().Format(time.DateOnly), "")
	case days < 30:
		return warn(fmt.Sprintf("%s, in %d days", found, days), "")
	}
	return ok(fmt.Sprintf("%s, in %d days", found, days))
}

// may reports why the service may not use a path, empty if it may. want is a mode as
// for one class: 4 to read, 2 to write, 1 to pass through. On the way there it has to
// pass through every directory.
func (s service) may(path string, want fs.FileMode) (why string, err error) {
	dir, mode, err := s.closed(path)
	if err != nil {
		return "", err
	}
	if dir != "" {
		return fmt.Sprintf("it may not enter %s (%v)", dir, mode), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !s.has(info, want) {
		return fmt.Sprintf("its mode is %v", info.Mode()), nil
	}
	return "", nil
}

// closed is the directory on the way to a path that the service may not pass through, the
// nearest one to the path; empty if there is none.
func (s service) closed(path string) (dir string, mode fs.FileMode, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return "", 0, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for dir = filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return "", 0, err
		}
		if !s.has(info, 1) {
			return dir, info.Mode(), nil
		}
		if dir == "/" {
			return "", 0, nil
		}
	}
}

// has reports whether a mode gives the service what it wants.
func (s service) has(info fs.FileInfo, want fs.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok || s.uid == 0:
		return true
	case int(st.Uid) == s.uid:
		mode >>= 6
	case slices.Contains(s.groups, int(st.Gid)):
		mode >>= 3
	}
	return mode&want == want
}
