package identity_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
)

// A nic is an interface as /sys/class/net shows it.
type nic struct {
	name, index, kind, mac string
	physical               bool
}

var nics = map[string]nic{
	"lo":     {"lo", "1", "772", "00:00:00:00:00:00", false},
	"eth0":   {"eth0", "2", "1", "b8:27:eb:00:11:22", true},
	"wlan0":  {"wlan0", "3", "1", "b8:27:eb:55:44:77", true},
	"usb9":   {"usb9", "9", "1", "02:aa:bb:cc:dd:ee", true},
	"eth10":  {"eth10", "10", "1", "02:10:10:10:10:10", true},
	"docker": {"docker", "1", "1", "02:42:ac:11:00:02", false},
	"veth":   {"veth", "7", "1", "02:42:ac:11:00:07", false},
	"can0":   {"can0", "0", "280", "", true},
	"ib0":    {"ib0", "0", "32", "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:0a:1b:2c", true},
	"mon0":   {"mon0", "0", "803", "02:00:00:00:00:03", true},
	"long":   {"long", "0", "1", "02:00:00:00:00:00:00:08", true},
	"blank":  {"blank", "0", "1", "00:00:00:00:00:00", true},
	"broken": {"broken", "x", "1", "02:00:00:00:00:01", true},
}

// machine is the /sys/class/net of a machine with these interfaces, and always
// with lo and a file that is none.
func machine(names ...string) fstest.MapFS {
	sys := fstest.MapFS{"bonding_masters": {Data: []byte("\n")}}
	for _, name := range append(names, "lo") {
		n := nics[name]
		sys[name+"/ifindex"] = &fstest.MapFile{Data: []byte(n.index + "\n")}
		sys[name+"/type"] = &fstest.MapFile{Data: []byte(n.kind + "\n")}
		sys[name+"/address"] = &fstest.MapFile{Data: []byte(n.mac + "\n")}
		if n.physical {
			sys[name+"/device/uevent"] = &fstest.MapFile{}
		}
	}
	return sys
}

// nameless is a bench whose device is to be named after its MAC address.
func nameless(t *testing.T, adapters ...string) bench {
	t.Helper()
	b := newBench(t)
	b.DPS.ScopeID, b.DPS.RegistrationID = "", ""
	b.Sys = machine(adapters...)
	return b
}

func TestMAC(t *testing.T) {
	for _, tt := range []struct {
		adapters, want string
		warns          bool
	}{
		{"eth0", "B827EB001122", false},
		{"wlan0 eth0", "B827EB001122", false},
		{"eth10 usb9", "02AABBCCDDEE", false}, // by number, not by text
		{"docker veth usb9", "02AABBCCDDEE", false},
		{"can0 ib0 mon0 long blank broken eth0", "B827EB001122", false},
		{"veth docker", "0242AC110002", true},
	} {
		t.Run(tt.adapters, func(t *testing.T) {
			b := nameless(t, strings.Fields(tt.adapters)...)
			if got := identify(t, identity.New(*b.Options), hub.Trouble{}).DeviceID; got != tt.want {
				t.Errorf("id %s, want %s", got, tt.want)
			}
			if warns := strings.Contains(b.log.String(), "level=WARN"); warns != tt.warns {
				t.Errorf("warning %v, want %v: %s", warns, tt.warns, b.log)
			}
		})
	}
}

// TestMACIsKept: adapters come and go, the device stays who it is.
func TestMACIsKept(t *testing.T) {
	b := nameless(t, "usb9")
	identify(t, identity.New(*b.Options), hub.Trouble{})
	b.Sys = machine("eth0", "usb9")
	if got := identify(t, b.restart(t), hub.Trouble{}).DeviceID; got != "02AABBCCDDEE" {
		t.Errorf("id %s after a new adapter", got)
	}
	if strings.Contains(b.log.String(), "WARN") {
		t.Errorf("a warning: %s", b.log)
	}
	b.Sys = machine("eth0")
	if got := identify(t, b.restart(t), hub.Trouble{}).DeviceID; got != "02AABBCCDDEE" {
		t.Errorf("id %s after an adapter has gone", got)
	}
	if !strings.Contains(b.log.String(), "copied from another device") {
		t.Errorf("nothing said of a copied card: %s", b.log)
	}
	b.Sys = machine()
	if got := identify(t, b.restart(t), hub.Trouble{}).DeviceID; got != "02AABBCCDDEE" {
		t.Errorf("id %s without any adapter", got)
	}
	b.Hub.DeviceID = "Configured"
	if got := identify(t, b.restart(t), hub.Trouble{}).DeviceID; got != "Configured" {
		t.Errorf("id %s in spite of the configuration", got)
	}
}

func TestKeptIDIsChecked(t *testing.T) {
	for _, kept := range []string{`""`, `"../../x"`, `"B827EB0011"`, `"b8:27:eb:00:11:22"`, `7`, `null`} {
		b := nameless(t, "eth0")
		file := fmt.Sprintf(`{"version":1,"value":{"id":%s,"adapter":"eth0"}}`, kept)
		if err := os.WriteFile(filepath.Join(b.dir, "device-id"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := identify(t, identity.New(*b.Options), hub.Trouble{}).DeviceID; got != "B827EB001122" {
			t.Errorf("id %s with %s kept", got, kept)
		}
	}
}

// A growing file system is another one from a time on.
type growing struct {
	before, after fs.FS
	at            time.Time
}

func (g growing) Open(name string) (fs.File, error) {
	if time.Now().Before(g.at) {
		return g.before.Open(name)
	}
	return g.after.Open(name)
}

// TestMACComesLate: an adapter that is found some time after boot.
func TestMACComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := nameless(t)
		start := time.Now()
		b.Sys = growing{machine(), machine("eth0"), start.Add(20 * time.Second)}
		if got := identify(t, identity.New(*b.Options), hub.Trouble{}).DeviceID; got != "B827EB001122" {
			t.Errorf("id %s", got)
		}
		if d := time.Since(start); d < 20*time.Second || d > 40*time.Second {
			t.Errorf("found after %v", d)
		}
		if !strings.Contains(b.log.String(), "set hub.device_id") {
			t.Errorf("not said what to do: %s", b.log)
		}
	})
}

// TestSysfs: the real thing is made of links.
func TestSysfs(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "devices", "pci", "net", "eth0")
	class := filepath.Join(dir, "class", "net")
	for _, d := range []string{real, class} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{"ifindex": "2\n", "type": "1\n", "address": "b8:27:eb:00:11:22\n"} {
		if err := os.WriteFile(filepath.Join(real, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{filepath.Join(real, "device"): "../../../pci", filepath.Join(class, "eth0"): "../../devices/pci/net/eth0"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	b := nameless(t)
	b.Sys = os.DirFS(class)
	if got := identify(t, identity.New(*b.Options), hub.Trouble{}).DeviceID; got != "B827EB001122" {
		t.Errorf("id %s", got)
	}
	if strings.Contains(b.log.String(), "WARN") {
		t.Errorf("the link to the device was not followed: %s", b.log)
	}
}
