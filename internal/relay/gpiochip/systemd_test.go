package gpiochip_test

import (
	"strings"
	"testing"

	"tasmota-azd/test/uml"
)

const unit = `[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/local/bin/hold serve GPIO17=high GPIO22=low,high GPIO27=high,high
User=pi
Restart=always
RestartSec=0
FileDescriptorStoreMax=8
DevicePolicy=closed
DeviceAllow=char-gpiochip rw
`

// Held by systemd, lines stay as they are over restarts and crashes, even on a
// kernel that makes every released output an input.
func TestSystemdStore(t *testing.T) {
	r := boot(t, uml.Options{
		Systemd: true, NoPersist: true,
		Files: map[string]string{"/etc/systemd/system/relays.service": unit},
		Cmd: `log() { journalctl -u relays -o cat | grep -e requested -e adopted -e released | sort | uniq -c; }
			systemctl start relays
			systemctl restart relays
			systemctl kill -s KILL --kill-who=main relays
			until [ "$(systemctl show -P NRestarts relays)" = 1 ]; do sleep 0.05; done
			until systemctl -q is-active relays; do sleep 0.05; done
			systemctl daemon-reexec
			systemctl restart relays
			log
			systemctl kill -s USR1 --kill-who=main relays; gpio wait GPIO17 0
			sed -i 's/ GPIO22=low,high//; s/GPIO17=high/GPIO17=high GPIO23=high/' /etc/systemd/system/relays.service
			systemctl daemon-reload; systemctl restart relays
			log
			systemctl show -P NFileDescriptorStore relays
			systemctl stop relays
			journalctl -u relays -o cat | grep -v -e requested -e adopted -e released -e relays.service`,
	})
	same(t, "output", r.Stdout+r.Stderr, `      3 adopted: GPIO17 (pinctrl-bcm2711:17) Out/High off Low
      3 adopted: GPIO22 (pinctrl-bcm2711:22) Out/Low off High
      3 adopted: GPIO27 (pinctrl-bcm2711:27) Out/High off High
      1 requested: GPIO17 (pinctrl-bcm2711:17)
      1 requested: GPIO22 (pinctrl-bcm2711:22)
      1 requested: GPIO27 (pinctrl-bcm2711:27)
      3 adopted: GPIO17 (pinctrl-bcm2711:17) Out/High off Low
      1 adopted: GPIO17 (pinctrl-bcm2711:17) Out/Low off Low
      1 adopted: GPIO22 (pinctrl-bcm2711:22) Out/High off High
      3 adopted: GPIO22 (pinctrl-bcm2711:22) Out/Low off High
      3 adopted: GPIO27 (pinctrl-bcm2711:27) Out/High off High
      1 adopted: GPIO27 (pinctrl-bcm2711:27) Out/Low off High
      1 released: GPIO22 (pinctrl-bcm2711:22)
      1 requested: GPIO17 (pinctrl-bcm2711:17)
      1 requested: GPIO22 (pinctrl-bcm2711:22)
      1 requested: GPIO23 (pinctrl-bcm2711:23)
      1 requested: GPIO27 (pinctrl-bcm2711:27)
3
`)
	// Two moves by the toggle; "in" is the stop, or the release, by the kernel.
	same(t, "GPIO17", r.Moves("GPIO17"), "[set 1 out set 0 in]")
	same(t, "GPIO22", r.Moves("GPIO22"), "[set 0 out set 1 set 1 in]")
	same(t, "GPIO27", r.Moves("GPIO27"), "[set 1 out set 0 in]")
	same(t, "GPIO23", r.Moves("GPIO23"), "[set 1 out in]")
}

// A chip that went away takes its line out of the store, and no other.
func TestSystemdChipGone(t *testing.T) {
	r := boot(t, uml.Options{
		Systemd: true, NoPersist: true,
		Files: map[string]string{"/etc/systemd/system/relays.service": strings.Replace(unit, "GPIO22=low,high GPIO27=high,high", "WL_ON=high", 1)},
		Cmd: `stored() { systemctl show -P NFileDescriptorStore relays; }
			live=/sys/kernel/config/gpio-sim/chip1/live
			systemctl start relays; stored
			echo 0 >$live; echo 1 >$live; systemctl restart relays; stored
			systemctl restart relays; stored
			journalctl -u relays -o cat | grep -v relays.service | sort | uniq -c`,
	})
	same(t, "output", r.Stdout+r.Stderr, `2
2
2
      1 AdoptError: relay-raspberrypi-exp-gpio-1 from the store: raspberrypi-exp-gpio:1: its chip is gone: no such device
      2 adopted: GPIO17 (pinctrl-bcm2711:17) Out/High off Low
      1 adopted: WL_ON (raspberrypi-exp-gpio:1) Out/High off Low
      1 requested: GPIO17 (pinctrl-bcm2711:17)
      2 requested: WL_ON (raspberrypi-exp-gpio:1)
`)
	same(t, "GPIO17", r.Moves("GPIO17"), "[set 1 out]")
	same(t, "WL_ON", r.Moves("WL_ON"), "[set 1 out]")
	same(t, "WL_ON, as the kernel numbers it when it is back", r.Moves("439"), "[set 1 out]")
}

// The sandbox of a unit gives errors that name what to change in it.
func TestSystemdSandbox(t *testing.T) {
	r := boot(t, uml.Options{Systemd: true, Cmd: `
		systemd-run -q --wait --pipe -p DevicePolicy=closed hold list
		systemd-run -q --wait --pipe -p PrivateDevices=yes hold list`})
	same(t, "output", r.Stdout, `PermissionError: no permission to open /dev/gpiochip0, /dev/gpiochip1: a sandbox forbids it: a systemd unit needs DeviceAllow=char-gpiochip rw, a container --device /dev/gpiochip0
NoChipError: there is no /dev/gpiochip*: the kernel has gpiochip0, gpiochip1, but it is not to be seen here: a systemd unit must not have PrivateDevices=yes, a container needs --device /dev/gpiochip0
`)
	same(t, "events", len(r.Trace), 0)
}
