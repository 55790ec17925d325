package config_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/internal/config"
)

// What is right is held here; what is wrong is in testdata/bad.

func TestHosts(t *testing.T) {
	for _, host := range []string{
		"myiothub.azure-devices.net", "MyIoTHub.azure-devices.cn", "iotc-1.azure-devices.us", "localhost", "192.0.2.1",
		strings.Repeat("a", 63) + ".example", "a_b.example.org",
	} {
		if why := config.HubHost(host); why != "" {
			t.Errorf("%s: %s", host, why)
		}
	}
	for _, host := range []string{"a..b", ".a", "a.", "-a.b", "a-.b", strings.Repeat("a", 64), strings.Repeat("a.", 127), "ä.b", "a b", "::1", "a@b",
		"mydps.azure-devices-provisioning.net", "x.azureiotcentral.com", "x.servicebus.windows.net", "portal.azure.com/#home"} {
		if config.HubHost(host) == "" {
			t.Errorf("%q passes for the host of a hub", host)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"global.azure-devices-provisioning.net", "a.b:443", "192.0.2.1", "192.0.2.1:123", "[::1]", "[::1]:123", "localhost:8443"} {
		if why := config.Endpoint(endpoint); why != "" {
			t.Errorf("%s: %s", endpoint, why)
		}
	}
	for _, endpoint := range []string{"", ":123", "a.b:", "a.b:0", "a.b:65536", "a.b:0123", "a.b:x", "::1", "[::1", "[192.0.2.1]", "[::1]:x", "a:1:2", "ntp://a", "a/b", "[]"} {
		if config.Endpoint(endpoint) == "" {
			t.Errorf("%q passes for an endpoint", endpoint)
		}
	}
}

// TestDeviceIDs goes through all of ASCII (azure-iot contract, section 1.2).
func TestDeviceIDs(t *testing.T) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.%_*?!(),:=@$'"
	for r := range rune(0x100) {
		why := config.DeviceID("a" + string(r))
		if (why == "") != strings.ContainsRune(allowed, r) {
			t.Errorf("%q: %q", r, why)
		}
	}
	if config.DeviceID(strings.Repeat("a", 128)) != "" || config.DeviceID(strings.Repeat("a", 129)) == "" {
		t.Error("not 1 to 128 characters")
	}
}

// TestRegistrationIDs goes through all of ASCII (azure-iot contract, section
// 7.1), at the end and before it.
func TestRegistrationIDs(t *testing.T) {
	const last = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	for r := range rune(0x100) {
		if why := config.RegistrationID("a" + string(r)); (why == "") != strings.ContainsRune(last, r) {
			t.Errorf("%q at the end: %q", r, why)
		}
		if why := config.RegistrationID(string(r) + "a"); (why == "") != strings.ContainsRune(last+"._:", r) {
			t.Errorf("%q before it: %q", r, why)
		}
	}
	if config.RegistrationID(strings.Repeat("a", 128)) != "" || config.RegistrationID(strings.Repeat("a", 129)) == "" {
		t.Error("not 1 to 128 characters")
	}
}

func TestScopeIDs(t *testing.T) {
	for _, scope := range []string{"0ne00223A39", "0cn00012345", "0NE00223A39"} {
		if why := config.ScopeID(scope); why != "" {
			t.Errorf("%s: %s", scope, why)
		}
	}
	for _, scope := range []string{"One00223A39", "ocn00012345", "0ne-0022", "0ne", "mydps.azure-devices-provisioning.net", strings.Repeat("0", 33)} {
		if config.ScopeID(scope) == "" {
			t.Errorf("%q passes for a scope", scope)
		}
	}
}

// TestHeader checks the table of the header by what is known of it: each of
// the 28 GPIOs of the header once, and power and ground where they are.
func TestHeader(t *testing.T) {
	count := map[string]int{}
	for _, what := range config.Header[1:] {
		count[what]++
	}
	for n := range 28 {
		if count[fmt.Sprintf("GPIO%d", n)] != 1 {
			t.Errorf("GPIO%d is in the header %d times", n, count[fmt.Sprintf("GPIO%d", n)])
		}
	}
	if count["ground"] != 8 || count["5 V"] != 2 || count["3.3 V"] != 2 || len(count) != 31 {
		t.Errorf("not the 40 positions: %v", count)
	}
	// From the list of boards, which gives positions and GPIOs.
	for position, gpio := range map[int]int{29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21, 7: 4, 11: 17, 13: 27, 15: 22, 19: 10, 21: 9, 23: 11} {
		if got, want := config.Header[position], fmt.Sprintf("GPIO%d", gpio); got != want {
			t.Errorf("P1_%d is %s, want %s", position, got, want)
		}
	}
}

func TestPinNames(t *testing.T) {
	for text, want := range map[string]string{
		"GPIO0": "GPIO0", "0": "GPIO0", "P1_27": "GPIO0", "GPIO17": "GPIO17", "17": "GPIO17", "P1_11": "GPIO17",
		"P1_40": "GPIO21", "GPIO45": "GPIO45", "PA7": "PA7", "P9_12": "P9_12", "CSI0-A.1": "CSI0-A.1",
		"gpiochip0:17": "gpiochip0:17", "pinctrl-rp1:17": "pinctrl-rp1:17", "/dev/gpiochip4:0": "/dev/gpiochip4:0", "1f02000.pinctrl:7": "1f02000.pinctrl:7",
		"7J1 Header Pin11": "7J1 Header Pin11", "P9_22 [spi0_sclk]": "P9_22 [spi0_sclk]", "SPI_CE1_N": "SPI_CE1_N",
	} {
		if got, why := config.PinName(text); got != want || why != "" {
			t.Errorf("%s: %q (%s), want %s", text, got, why, want)
		}
	}
	for text, want := range map[string]string{
		"00": "write 0", "017": "write 17", "gpio7": "write GPIO7", "io-4": "write GPIO4", "p1_3": "write P1_3", "P1_03": "write P1_3",
		"P1_0": "P1_1 to P1_40", "P1_99": "P1_1 to P1_40", "P1_25": "ground", "": "is not a pin", "a,b": "is not a pin", "1234": "is not a pin", "1:2": "is not a pin", "gpiochip0:00": "gpiochip0:0",
		strings.Repeat("P", 65): "is not a pin",
	} {
		if got, why := config.PinName(text); got != "" || !strings.Contains(why, want) {
			t.Errorf("%q: %q (%s), want %q", text, got, why, want)
		}
	}
}

func TestBCM(t *testing.T) {
	for pin, want := range map[string]int{
		"GPIO17": 17, "17": 17, "P1_11": 17, "0": 0, "GPIO27": 27, "pinctrl-rp1:17": 17, "pinctrl-bcm2711:0": 0, "pinctrl-bcm2835:27": 27,
		"GPIO28": -1, "gpiochip0:17": -1, "PA7": -1, "pinctrl-rp1:28": -1, "raspberrypi-exp-gpio:2": -1, "7J1 Header Pin11": -1, "P1_1": -1,
	} {
		n, ok := config.Relay{Pin: pin}.BCM()
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%s: %d, %v; want %d", pin, n, ok, want)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"host", "port", "device_id", "key", "key_file", "token_ttl", "keep_alive"}
	for text, want := range map[string]string{
		"hots": "host", "hsot": "host", "hostname": "host", "prt": "port", "deviceId": "device_id", "device-id": "device_id", "KEY": "key",
		"keyfile": "key_file", "ttl_token": "", "token": "token_ttl", "keepaliv": "keep_alive", "colour": "", "x": "", "": "",
		strings.Repeat("host", 100): "",
	} {
		if got := config.Nearest(text, words); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	const hidden = "(not shown, it looks like a key)"
	for text, want := range map[string]string{
		"x":                         `"x"`,
		"a\n\x1b[31m\"":             `"a\n\x1b[31m\""`,
		"":                          `""`,
		strings.Repeat("ä-", 33):    `"` + strings.Repeat("ä-", 32) + `"…`,
		"/etc/tasmota-azd/x.key":    `"/etc/tasmota-azd/x.key"`,
		"myfirstTasmotaDevice":      `"myfirstTasmotaDevice"`,
		key:                         hidden,
		"x " + key + " y":           hidden,
		"jNz5mAED7S6cwBfdwDO7vQ==":  hidden,
		"a SharedAccessKey=x":       hidden,
		"sr=x&sig=y":                hidden,
		"-----BEGIN PRIVATE KEY---": hidden,
		"0.pool.ntp.org":            `"0.pool.ntp.org"`,
	} {
		if got := config.Quote(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestNoKeyIsShown: none of ten thousand, padded or not, alone, behind a path or in a line;
// but what is written in a configuration is.
func TestNoKeyIsShown(t *testing.T) {
	seed := [32]byte{25, 11}
	random, n := rand.NewChaCha8(seed), 0
	hide := func(text string) {
		n++
		clean, lines := config.Conceal([]byte(text))
		if strings.Contains(config.Quote(text), text[:16]) || lines != 1 || strings.Contains(string(clean), text[:16]) {
			t.Errorf("%q is shown", text)
		}
	}
	for i := range 10_000 {
		key := make([]byte, 16+i%49)
		_, _ = random.Read(key) // never fails
		padded := base64.StdEncoding.EncodeToString(key)
		bare := strings.TrimRight(padded, "=")
		for _, text := range []string{padded, bare, "/" + bare[1:], "/" + padded[1:], bare + " is the key", bare + "=x"} {
			hide(text)
		}
		for _, text := range []string{"/etc/tasmota-azd/", "key=", "key: "} {
			if text += bare; config.Quote(text) == strconv.Quote(text) {
				t.Errorf("%q is shown", text)
			}
		}
	}
	t.Logf("%d keys are hidden", n)
	for _, text := range []string{
		"/etc/tasmota-azd/device.key", "/etc/credstore.encrypted/x", "/usr/lib/systemd/system/tasmota-azd.service",
		"/etc/credstore.encrypted/tasmota-azd.hub.key", "/tmp/TestSomething12345/Test2/config", "/media/usb0/GPIO17/keys/pump1",
		"/home/anna/Steuerung/Haus1/Relais", "/sys/devices/platform/soc/fe200000", "/var/lib/NetworkManager/Secrets",
		"MemoryDenyWriteExecute=yes", "RestrictAddressFamilies=AF_UNIX", "5e0d7c2f4b1a4c0e8d7f6a5b4c3d2e1f", "GartenbewaesserungHinten2",
	} {
		if got := config.Quote(text); got != strconv.Quote(text) {
			t.Errorf("%s is %s", text, got)
		}
	}
}

// A fileInfo is a file of another owner.
type fileInfo struct {
	uid, gid uint32
	mode     fs.FileMode
}

func (f fileInfo) Name() string       { return "f" }
func (f fileInfo) Size() int64        { return 0 }
func (f fileInfo) Mode() fs.FileMode  { return f.mode }
func (f fileInfo) ModTime() time.Time { return time.Time{} }
func (f fileInfo) IsDir() bool        { return false }
func (f fileInfo) Sys() any           { return &syscall.Stat_t{Uid: f.uid, Gid: f.gid} }

// TestShut holds that following the advice never locks this process out.
func TestShut(t *testing.T) {
	euid, egid := uint32(os.Geteuid()), uint32(os.Getegid())
	const stranger = 3999999999
	if got := config.Shut("/a b", fileInfo{euid, stranger, 0o644}); got != "chmod o-rwx '/a b'" {
		t.Errorf("own file: %s", got)
	}
	if got := config.Shut("/it's", fileInfo{stranger, egid, 0o644}); !strings.HasPrefix(got, `chmod o-rwx '/it'\''s'`) {
		t.Errorf("file of the own group: %s", got)
	}
	got := config.Shut("/f", fileInfo{stranger, stranger, 0o644})
	switch {
	case euid == 0 && got != "chmod o-rwx /f":
		t.Errorf("as root: %s", got)
	case euid != 0 && !(strings.HasPrefix(got, "chgrp ") && strings.HasSuffix(got, " /f && chmod 640 /f")):
		t.Errorf("file of a stranger: %s", got)
	}
}

func TestFileFault(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: "/f", Err: syscall.ENOENT}, "does not exist"},
		{&fs.PathError{Op: "open", Path: "/f", Err: syscall.EACCES}, " /f && chmod g+r /f"},
		{&fs.PathError{Op: "read", Path: "/f", Err: syscall.EIO}, "cannot be read: input/output error"},
		{errors.New("on fire"), "on fire"},
	} {
		if got := config.FileFault("/f", tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

// TestKnown holds the list of keys that the sample is compared with.
func TestKnown(t *testing.T) {
	var all []string
	for section, name := range config.Known() {
		all = append(all, section+"/"+name)
	}
	for _, want := range []string{"/hub", "hub/connection_string_file", "dps/key_kind", "ntp/servers", "/relays", "relays[]/active_low", "/state_dir", "log/format"} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is not in %q", want, all)
		}
	}
	if len(all) != 53 {
		t.Errorf("%d keys, want 53: %q", len(all), all)
	}
}
