package gpiochip

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	gpio4 := Place{Chip: "gpiochip0", Label: "pinctrl-bcm2711", Offset: 4, Line: "GPIO4", BCM: 4}
	usb := Place{Chip: "gpiochip2", Label: "ftdi-cbus", Offset: 1, Line: "CBUS1", BCM: -1}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&InUseError{gpio4, "onewire@4"},
			`GPIO4 (pinctrl-bcm2711:4) is in use by "onewire@4": that is the kernel's 1-Wire: ` +
				`run "sudo raspi-config nonint do_onewire 1", or take dtoverlay=w1-gpio out of config.txt, and restart`},
		{&InUseError{gpio4, "spi0 CS1"},
			`GPIO4 (pinctrl-bcm2711:4) is in use by "spi0 CS1": that is the kernel's SPI: ` +
				`run "sudo raspi-config nonint do_spi 1", or take dtparam=spi=on out of config.txt, and restart`},
		{&InUseError{gpio4, "shutdown_button@3"},
			`GPIO4 (pinctrl-bcm2711:4) is in use by "shutdown_button@3": that is the kernel's power button: ` +
				`take dtoverlay=gpio-shutdown, gpio-poweroff or gpio-key out of config.txt, and restart`},
		{&InUseError{usb, "spi0 CS1"}, `CBUS1 (ftdi-cbus:1) is in use by "spi0 CS1": that is the kernel's SPI`},
		{&InUseError{gpio4, "gpioset"}, `GPIO4 (pinctrl-bcm2711:4) is in use by "gpioset": stop that, or choose another line`},
		{&InUseError{gpio4, "sysfs"}, `GPIO4 (pinctrl-bcm2711:4) is in use by "sysfs": something exported it in /sys/class/gpio; stop that, or restart`},
		{&InUseError{gpio4, ""}, `GPIO4 (pinctrl-bcm2711:4) is in use by something that gives no name: stop that, or choose another line`},
		{&InUseError{gpio4, "tasmota-azd"},
			`GPIO4 (pinctrl-bcm2711:4) is in use by "tasmota-azd": another tasmota-azd has it, or systemd keeps it for one ` +
				`(see "systemctl status tasmota-azd")`},
		{&PermissionError{[]string{"/dev/gpiochip0", "/dev/gpiochip1"}, "gpio", "pump", syscall.EACCES},
			`no permission to open /dev/gpiochip0, /dev/gpiochip1: run "sudo usermod -aG gpio pump" and log in again`},
		{&PermissionError{[]string{"/dev/gpiochip0"}, "", "pump", syscall.EACCES},
			`no permission to open /dev/gpiochip0: only root may, as long as udev has no rule like ` +
				`SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"`},
		{&PermissionError{[]string{"/dev/gpiochip0"}, "gpio", "pump", syscall.EPERM},
			`no permission to open /dev/gpiochip0: a sandbox forbids it: a systemd unit needs ` +
				`DeviceAllow=char-gpiochip rw, a container --device /dev/gpiochip0`},
		{&OldKernelError{"5.4.83-v7+"}, `the kernel (5.4.83-v7+) is too old for GPIO lines without glitches: it takes 5.10 or later`},
		{&GoneError{usb, syscall.ENODEV}, `CBUS1 (ftdi-cbus:1): its chip is gone: no such device`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestNoChip(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a computer", nil,
			"there is no /dev/gpiochip*: this machine has no GPIO that Linux knows (a computer without a device tree, so not a Raspberry Pi)"},
		{"another board", map[string]string{"proc/device-tree/model": "Some Board\x00"},
			"there is no /dev/gpiochip*: this machine has no GPIO that Linux knows (Some Board)"},
		{"a container on a Pi", map[string]string{
			".dockerenv":                        "",
			"proc/device-tree/model":            "Raspberry Pi 4 Model B Rev 1.4\x00",
			"sys/bus/gpio/devices/gpiochip0/ok": "",
		}, "there is no /dev/gpiochip*: the kernel has gpiochip0, but it is not to be seen here: a systemd unit must not have " +
			"PrivateDevices=yes, a container needs --device /dev/gpiochip0"},
		{"a container elsewhere", map[string]string{"run/.containerenv": ""},
			"there is no /dev/gpiochip*: this is a container on a machine without GPIO (a computer without a device tree, so not a Raspberry Pi)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range tt.files {
				write(t, filepath.Join(root, name), text)
			}
			if got := noChip(root).Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestOneErrorForAllChips(t *testing.T) {
	var errs []error
	for _, path := range []string{"/dev/gpiochip0", "/dev/gpiochip1"} {
		err := error(&PermissionError{[]string{path}, "gpio", "pump", syscall.EACCES})
		if !merged(errs, err) {
			errs = append(errs, err)
		}
	}
	want := `no permission to open /dev/gpiochip0, /dev/gpiochip1: run "sudo usermod -aG gpio pump" and log in again`
	if got := errors.Join(errs...).Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
