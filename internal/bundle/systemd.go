package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unitDirs is where systemd looks for units, as those later in the list are overruled by
// those before.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// settings are the settings of a unit whose values are shown. Of Environment= and the
// like, and of what systemd learns later, only the name is: they may hold a password.
var settings = strings.Fields(`Description Documentation After Before Wants Requires Conflicts StartLimitIntervalSec StartLimitBurst
	Type NotifyAccess ExecStart ExecReload User Group SupplementaryGroups StateDirectory StateDirectoryMode
	RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve WatchdogSec FileDescriptorStoreMax FileDescriptorStorePreserve
	RestartKillSignal KillMode KillSignal Restart RestartSec TimeoutStartSec TimeoutStopSec CapabilityBoundingSet AmbientCapabilities NoNewPrivileges
	PrivateUsers PrivateDevices PrivateNetwork RestrictSUIDSGID RestrictNamespaces RestrictRealtime LockPersonality MemoryDenyWriteExecute
	DevicePolicy DeviceAllow ProtectSystem ProtectHome ProtectProc ProcSubset ReadWritePaths ReadOnlyPaths InaccessiblePaths PrivateTmp
	PrivateMounts RemoveIPC UMask ProtectClock ProtectHostname ProtectControlGroups ProtectKernelLogs ProtectKernelModules ProtectKernelTunables
	RestrictAddressFamilies IPAddressAllow IPAddressDeny SystemCallArchitectures SystemCallFilter SystemCallErrorNumber LimitCORE LimitNOFILE
	LoadCredential LoadCredentialEncrypted EnvironmentFile MemoryMax MemoryHigh CPUQuota CPUWeight Nice WantedBy`)

// Unit returns a unit with its drop-ins, as they stand on the disk, without comments.
func Unit(root, name string) ([]byte, error) {
	var b bytes.Buffer
	var errs []error
	root = strings.TrimSuffix(root, "/")
	show := func(path string) {
		text, err := readUpTo(path, 64<<10)
		if errs = append(errs, err); err == nil {
			fmt.Fprintf(&b, "# %s\n%s\n", strings.TrimPrefix(path, root), unitText(string(text)))
		}
	}
	seen := map[string]bool{} // /lib is most often a link
	for _, dir := range unitDirs {
		real, err := filepath.EvalSymlinks(filepath.Join(root, dir))
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		path := filepath.Join(root, dir, name)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			show(path)
		} else if err == nil {
			to, _ := os.Readlink(path) // it is in the listing, whatever it is
			fmt.Fprintf(&b, "# %s is no file: %v -> %s\n", strings.TrimPrefix(path, root), info.Mode(), printable(to))
		}
		drops, _ := filepath.Glob(filepath.Join(path+".d", "*.conf")) // the pattern is right
		for _, drop := range drops {
			show(drop)
		}
	}
	if b.Len() == 0 && join(errs) == nil {
		return nil, errors.New(name + " is in none of systemd's directories")
	}
	return b.Bytes(), join(errs)
}

// unitText is a unit without comments and without the values that are not listed. A line
// that goes on with a backslash is one. Blanks stand around each =, for one that ends a
// long word looks like the end of a key.
func unitText(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		name, value, is := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		switch {
		case line == "" || strings.ContainsAny(line[:1], "#;"):
			continue
		case strings.HasPrefix(line, "["):
		case !is:
			line = "(a line that is no setting)"
		case slices.Contains(settings, name) && !(strings.HasPrefix(name, "Exec") && spoken(value)):
			line = strings.TrimSpace(name + " = " + strings.TrimSpace(value))
		case word(name):
			line = name + " = (hidden)"
		default:
			line = "(hidden)"
		}
		fmt.Fprintln(&b, printable(line))
	}
	return b.String()
}

// spoken reports whether a command line has words that the unit as shipped has not, and
// that are no paths: a password, for example.
func spoken(line string) bool {
	for word := range strings.FieldsSeq(line) {
		if !strings.HasPrefix(word, "/") && !slices.Contains([]string{"run", "--config", "reload"}, word) {
			return true
		}
	}
	return false
}

// word reports whether a name is one that a setting may have.
func word(name string) bool {
	return len(name) < 40 && !strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
}

// properties are what systemd tells of a unit.
var properties = strings.Fields(`Id LoadState ActiveState SubState Result UnitFileState NeedDaemonReload FragmentPath DropInPaths NRestarts MainPID
	ExecMainCode ExecMainStatus ExecMainStartTimestamp ExecMainExitTimestamp ActiveEnterTimestamp StatusText MemoryCurrent CPUUsageNSec
	TasksCurrent NFileDescriptorStore WatchdogTimestamp`)

// Properties returns what systemd knows of the unit, and the process of its daemon.
func Properties(ctx context.Context, unit string) (text []byte, pid int, err error) {
	said, err := run(ctx, 64<<10, "systemctl", "show", "--property="+strings.Join(properties, ","), unit)
	for line := range strings.Lines(string(said)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "NFileDescriptorStore" { // which looks like a part of a key
			name = "FileDescriptorStore"
		}
		text = fmt.Appendln(text, name, "=", value) // as in unitText
		if name == "MainPID" {
			pid, _ = strconv.Atoi(value) // 0: none
		}
	}
	return text, pid, err
}

// Journal returns what the journal has of a unit since then, oldest first. If that is more
// than most bytes, it is the newest.
func Journal(ctx context.Context, unit string, since time.Time, most int) ([]byte, error) {
	// journalctl writes several times as much as what is kept of it.
	text, err := run(ctx, int64(most)*4, "journalctl", "--unit="+unit, "--since=@"+strconv.FormatInt(since.Unix(), 10), "--reverse", "--quiet",
		"--no-pager", "--output=json", "--output-fields=PRIORITY,_PID,SYSLOG_IDENTIFIER,MESSAGE")
	if err != nil {
		return nil, err
	}
	var lines []string
	size := 0
	for line := range bytes.Lines(text) {
		var e entry
		if json.Unmarshal(line, &e) != nil {
			break // the last one, which is cut off
		}
		lines = append(lines, e.line())
		if size += len(lines[len(lines)-1]); size > most {
			lines = lines[:len(lines)-1]
			break
		}
	}
	if len(lines) == 0 {
		return nil, errors.New("the journal has nothing of this time that this user may read; root and the group adm may read all")
	}
	slices.Reverse(lines)
	return []byte(strings.Join(lines, "")), nil
}

// An entry is what is kept of one in the journal.
type entry struct {
	Time       string `json:"__REALTIME_TIMESTAMP"` // microseconds
	Priority   string `json:"PRIORITY"`
	PID        string `json:"_PID"`
	Identifier string `json:"SYSLOG_IDENTIFIER"`
	Message    any    `json:"MESSAGE"` // a text, or bytes, or null for a long one
}

func (e entry) line() string {
	us, _ := strconv.ParseInt(e.Time, 10, 64) // journald writes nothing else
	text, ok := e.Message.(string)
	if !ok {
		text = "(no text, or too long)"
	}
	return fmt.Sprintf("%s <%s> %s[%s]: %s\n", time.UnixMicro(us).UTC().Format("2006-01-02 15:04:05.000000"), e.Priority, printable(e.Identifier), e.PID, printable(text))
}
