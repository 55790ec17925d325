package system_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/system"
)

// machine is a tree in testdata, with the addresses of its interfaces.
func machine(name string, addrs map[string][]string) *system.System {
	root := filepath.Join("testdata", name)
	return system.New(system.Options{
		Proc: filepath.Join(root, "proc"),
		Sys:  filepath.Join(root, "sys"),
		Etc:  filepath.Join(root, "etc"),
		CPUs: 4,
		Addrs: func(device string) ([]net.Addr, error) {
			var list []net.Addr
			for _, s := range addrs[device] {
				ip, n, err := net.ParseCIDR(s)
				if err != nil {
					return nil, err
				}
				list = append(list, &net.IPNet{IP: ip, Mask: n.Mask})
			}
			if list == nil {
				return nil, errors.New("no such interface")
			}
			return list, nil
		},
	})
}

func TestFacts(t *testing.T) {
	for _, tt := range []struct {
		machine string
		addrs   map[string][]string
		want    commands.Facts
	}{
		{
			"pi", map[string][]string{"eth0": {"2001:db8::1/64", "169.254.3.4/16", "192.168.1.20/24", "10.0.0.1/8"}},
			commands.Facts{
				Hostname: "garden", IPAddress: "192.168.1.20", Netmask: "255.255.255.0", Gateway: "192.168.1.1",
				DNS: [2]string{"192.168.1.1", "fe80::1%eth0"}, MAC: "B8:27:EB:12:34:56",
				FreeKiB: 612345, ProgramKiB: 4, LoadAvg: 10,
			},
		},
		{
			"pi", map[string][]string{"eth0": {"169.254.3.4/16"}, "wlan0": {"192.168.1.21/24"}},
			commands.Facts{
				Hostname: "garden", IPAddress: "169.254.3.4", Netmask: "255.255.0.0", Gateway: "192.168.1.1",
				DNS: [2]string{"192.168.1.1", "fe80::1%eth0"}, MAC: "B8:27:EB:12:34:56",
				FreeKiB: 612345, ProgramKiB: 4, LoadAvg: 10,
			},
		},
		{
			"pc", map[string][]string{"enp1s0": {"10.0.0.1/8", "fe80::1/64", "fd00::2/64"}},
			commands.Facts{
				Hostname: "bench", IPAddress: "fd00::2", Gateway: "fd00::1", MAC: "02:00:00:00:00:01",
			},
		},
		{
			"pc", nil, // the kernel does not tell addresses, as without netlink
			commands.Facts{Hostname: "bench", Gateway: "fd00::1", MAC: "02:00:00:00:00:01"},
		},
		{"nothing", nil, commands.Facts{}},
	} {
		got := machine(tt.machine, tt.addrs).Facts()
		if got.HeapKiB < 10 || got.HeapKiB > 1<<20 {
			t.Errorf("%s: a heap of %d KiB", tt.machine, got.HeapKiB)
		}
		got.HeapKiB = 0
		if got != tt.want {
			t.Errorf("%s:\n  got  %+v\n  want %+v", tt.machine, got, tt.want)
		}
	}
}

func TestDevice(t *testing.T) {
	for name, want := range map[string]commands.Device{
		"pi":   {Core: "Debian GNU/Linux 12 (bookworm)", Hardware: "Raspberry Pi 3 Model B Plus Rev 1.3", CPUMHz: 1400},
		"zero": {Core: "Linux", Hardware: "Raspberry Pi Zero W Rev 1.1"},
		"pc":   {Core: "Linux 6.12.0", Hardware: "OptiPlex 3050", CPUMHz: 2446},
	} {
		want.SDK = runtime.Version()
		if got := machine(name, nil).Device(); got != want {
			t.Errorf("%s:\n  got  %+v\n  want %+v", name, got, want)
		}
	}
	if got := machine("nothing", nil).Device().Hardware; got == "" {
		t.Error("a machine without a name has no processor either")
	}
}

func TestBootID(t *testing.T) {
	if got, want := machine("pi", nil).BootID(), "0c7b0e5c-7f0f-4a07-9d3c-6d0f9c6d2f11"; got != want {
		t.Errorf("boot id %q, want %q", got, want)
	}
	if got := machine("nothing", nil).BootID(); got != "" {
		t.Errorf("boot id %q where there is none", got)
	}
}

func TestRestartReason(t *testing.T) {
	for _, tt := range []struct{ before, now, want string }{
		{"", "b", "Power On"},
		{"a", "b", "Power On"},
		{"b", "b", "Software/System restart"},
		{"b", "", "Software/System restart"},
		{"", "", "Software/System restart"},
	} {
		if got := system.RestartReason(tt.before, tt.now); got != tt.want {
			t.Errorf("from %q to %q: %q, want %q", tt.before, tt.now, got, tt.want)
		}
	}
}

// TestHugeFiles: of a file that does not end only the beginning is read.
func TestHugeFiles(t *testing.T) {
	etc := t.TempDir()
	text := strings.Repeat("# nothing\n", 7000) + "nameserver 192.0.2.1\n"
	if err := os.WriteFile(filepath.Join(etc, "resolv.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := system.New(system.Options{Etc: etc}).Facts().DNS[0]; got != "" {
		t.Errorf("found %s behind 64 KiB", got)
	}
}

// TestHere asks the machine that runs the test for what every Linux has.
func TestHere(t *testing.T) {
	s := system.New(system.Options{})
	f := s.Facts()
	t.Logf("%+v", f)
	if f.Hostname == "" || f.ProgramKiB < 100 || f.HeapKiB == 0 || f.FreeKiB == 0 {
		t.Errorf("%+v", f)
	}
	if d := s.Device(); d.Core == "" || d.SDK == "" || d.Hardware == "" {
		t.Errorf("%+v", d)
	}
	if len(s.BootID()) != 36 {
		t.Errorf("boot id %q", s.BootID())
	}
}

func BenchmarkFacts(b *testing.B) {
	b.ReportAllocs()
	s := system.New(system.Options{})
	for b.Loop() {
		s.Facts()
	}
}
