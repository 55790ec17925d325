package enroll_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/enroll"
)

// TestWithoutSealing: what cannot be sealed is a file, said loudly, and what was sealed
// before does not hide it. Then it is sealed again.
func TestWithoutSealing(t *testing.T) {
	for name, program := range map[string]string{
		"refuses":      "#!/bin/sh\necho 'Failed to determine local credential key: Read-only file system' >&2\nexit 1\n",
		"seals badly":  "#!/bin/sh\necho nonsense\n",
		"not to start": "no program",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, head+"dps: {scope_id: 0ne00223A39}\n")
			b.takes[enroll.Group] = derived("02AB")
			if _, err := b.enroll(groupKey, enroll.Where{}); err != nil {
				t.Fatal(err)
			}
			b.write("bin/systemd-creds", program, 0o755)
			done, err := b.enroll(groupKey, enroll.Where{})
			if err != nil || done.Kept.Why == nil || !strings.Contains(done.Report(), "NOT sealed") {
				t.Fatalf("%v\n%s", err, done.Report())
			}
			if got := b.read("etc/tasmota-azd/device.key"); got != derived("02AB")+"\n" {
				t.Errorf("the file holds %d bytes", len(got))
			}
			if info, err := os.Stat(filepath.Join(b.dir, "etc/tasmota-azd/device.key")); err != nil || info.Mode() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			for _, gone := range []string{"etc/systemd/system/tasmota-azd.service.d/enroll.conf", "etc/credstore.encrypted/tasmota-azd.device.key"} {
				if _, err := os.Stat(filepath.Join(b.dir, gone)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", gone, err)
				}
			}
			b.write("bin/systemd-creds", sealer, 0o755)
			b.write("etc/tasmota-azd/device.connection.enroll", "left by a run that was killed", 0o600)
			done, err = b.enroll(groupKey, enroll.Where{})
			if left := b.holding("was killed"); left != nil {
				t.Errorf("left over: %q", left)
			}
			if err != nil || done.Kept.Sealed == "" || !slices.Equal(done.Unused, []string{filepath.Join(b.dir, "etc/tasmota-azd/device.key")}) {
				t.Errorf("%v, %+v", err, done)
			}
		})
	}
}

// TestChip: sealing by a chip that nobody here has tried is said to be so.
func TestChip(t *testing.T) {
	b := newBoard(t, head+"dps: {scope_id: 0ne00223A39}\n")
	b.write("bin/systemd-creds", strings.Replace(sealer, "has-tpm2) exit 1", "has-tpm2) exit 0", 1), 0o755)
	b.takes[enroll.Group] = derived("02AB")
	done, err := b.enroll(groupKey, enroll.Where{})
	if r := done.Report(); err != nil || !strings.Contains(r, "TPM2 chip") || !strings.Contains(r, "untested") {
		t.Errorf("%v\n%s", err, r)
	}
}

// TestElsewhere: the key of a configuration that is not the service's lies beside it.
func TestElsewhere(t *testing.T) {
	b := newBoard(t, head+"hub: {key_file: old.key, host: h.example.net}\n")
	b.vault = enroll.Vault{UID: os.Geteuid(), GID: os.Getegid()}
	b.write("etc/old.key", groupKey, 0o600)
	b.takes[enroll.Device] = deviceKey
	link := filepath.Join(b.dir, "etc/link.yaml")
	if err := os.Symlink(b.config, link); err != nil {
		t.Fatal(err)
	}
	b.config = link
	done, err := b.enroll(deviceKey, enroll.Where{})
	if err != nil || b.read("etc/device.key") != deviceKey+"\n" || done.Kept.Why != nil {
		t.Errorf("%v, %+v", err, done.Kept)
	}
	if !slices.Equal(done.Unused, []string{filepath.Join(b.dir, "etc/old.key")}) {
		t.Errorf("unused: %q", done.Unused)
	}
	if cfg, err := config.Load(link, ""); err != nil || cfg.Hub.Key.IsZero() {
		t.Error(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v", err)
	}
}
