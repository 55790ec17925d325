package gpiochip

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A function is something that a kernel can do with pins in place of us.
type function struct {
	name  string
	signs []string // beginnings of words in the name of its holder
	off   string   // how a Raspberry Pi is made to leave the pins alone
}

// functions come from the Raspberry Pi's documentation (config.txt, overlays) and
// raspi-config, where 1 means no.
var functions = []function{
	{"1-Wire", []string{"onewire", "w1"}, option("do_onewire", "dtoverlay=w1-gpio")},
	{"SPI", []string{"spi"}, option("do_spi", "dtparam=spi=on")},
	{"I2C", []string{"i2c"}, option("do_i2c", "dtparam=i2c_arm=on")},
	{"UART", []string{"serial", "uart"}, option("do_serial_hw", "enable_uart=1")},
	{"I2S sound", []string{"i2s"}, overlay("dtparam=i2s=on and the overlay of the sound card")},
	{"PWM", []string{"pwm"}, overlay("dtoverlay=pwm, pwm-2chan or audremap")},
	{"temperature sensor", []string{"dht11", "dht22"}, overlay("dtoverlay=dht11")},
	{"infrared", []string{"ir", "lirc"}, overlay("dtoverlay=gpio-ir or gpio-ir-tx")},
	{"pulse per second", []string{"pps"}, overlay("dtoverlay=pps-gpio")},
	{"fan", []string{"fan"}, option("do_fan", "dtoverlay=gpio-fan")},
	{"power button", []string{"shutdown", "power_ctrl", "poweroff", "button"}, overlay("dtoverlay=gpio-shutdown, gpio-poweroff or gpio-key")},
	{"LED", []string{"led", "ACT", "PWR"}, overlay("dtparam=act_led_gpio or dtoverlay=gpio-led")},
}

func option(command, line string) string {
	return fmt.Sprintf("run \"sudo raspi-config nonint %s 1\", or take %s out of config.txt, and restart", command, line)
}

func overlay(line string) string {
	return fmt.Sprintf("take %s out of config.txt, and restart", line)
}

// remedy says what an owner does about a holder. bcm is -1 off the Raspberry Pi.
func remedy(holder string, bcm int) string {
	switch holder {
	case consumer:
		return "another tasmota-azd has it, or systemd keeps it for one (see \"systemctl status tasmota-azd\")"
	case "sysfs":
		return "something exported it in /sys/class/gpio; stop that, or restart"
	}
	if f, ok := functionOf(holder); ok && bcm >= 0 {
		return "that is the kernel's " + f.name + ": " + f.off
	} else if ok {
		return "that is the kernel's " + f.name
	}
	return "stop that, or choose another line"
}

// functionOf recognises a function by a word of the holder's name: "spi0 CS1",
// "onewire@4", "fe804000.i2c".
func functionOf(holder string) (function, bool) {
	words := strings.FieldsFunc(holder, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, f := range functions {
		for _, sign := range f.signs {
			if slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, sign) }) {
				return f, true
			}
		}
	}
	return function{}, false
}
