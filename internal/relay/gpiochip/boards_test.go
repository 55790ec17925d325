package gpiochip_test

import (
	"fmt"
	"strconv"
	"strings"

	"tasmota-azd/internal/relay/gpiochip"
)

// The chips of some boards as their kernels list them. Raspberry Pi OS names the
// header's lines GPIO2 to GPIO27; upstream device trees name many by function.
var (
	upstream = "ID_SDA ID_SCL SDA1 SCL1 GPIO_GCLK GPIO5 GPIO6 SPI_CE1_N SPI_CE0_N SPI_MISO SPI_MOSI SPI_SCLK " +
		"GPIO12 GPIO13 TXD1 RXD1 GPIO16..GPIO27"
	header = "ID_SDA ID_SCL GPIO2..GPIO27"

	pi3 = []gpiochip.Chip{
		chip(0, "pinctrl-bcm2835", 54, upstream+" HDMI_HPD_N STATUS_LED_G"),
		chip(1, "raspberrypi-exp-gpio", 8, "BT_ON WL_ON"),
	}
	pi4 = []gpiochip.Chip{
		chip(0, "pinctrl-bcm2711", 58, header+" RGMII_MDIO RGMIO_MDC"),
		chip(1, "raspberrypi-exp-gpio", 8, "BT_ON WL_ON PWR_LED_OFF"),
	}
	cm4 = []gpiochip.Chip{chip(0, "pinctrl-bcm2711", 58, "ID_SDA ID_SCL GPIO2..GPIO45 SMPS_SCL")}
	// The first kernels for the Pi 5 count its own chips before the one of the header;
	// later ones put the header first and keep a link with the old name.
	pi5first = []gpiochip.Chip{
		chip(0, "gpio-brcmstb@107d508500", 32, "- 2712_BOOT_CS_N"),
		chip(1, "gpio-brcmstb@107d508520", 4, "WIFI_SDIO_CLK"),
		chip(4, "pinctrl-rp1", 54, header+" PCIE_RP1_WAKE"),
	}
	pi5 = []gpiochip.Chip{
		linked(chip(0, "pinctrl-rp1", 54, header+" PCIE_RP1_WAKE"), "gpiochip4"),
		chip(10, "gpio-brcmstb@107d508500", 32, "- 2712_BOOT_CS_N"),
	}
	// Not a Raspberry Pi; one chip has lines with names, the labels are those of x86.
	other = []gpiochip.Chip{
		chip(0, "INT33FF:00", 98, ""),
		chip(1, "aobus-banks", 4, "7J1-11 7J1-13 7J1-15 GPIO17"),
	}
	twins = []gpiochip.Chip{chip(0, "pinctrl-bcm2711", 58, header), chip(2, "ftdi-cbus", 4, "- GPIO17"), chip(3, "ftdi-cbus", 4, "CBUS0")}
)

// chip makes a chip; names are separated by spaces, "-" is none, GPIO2..GPIO5 four.
func chip(number int, label string, lines int, names string) gpiochip.Chip {
	name := fmt.Sprintf("gpiochip%d", number)
	c := gpiochip.Chip{Path: "/dev/" + name, Name: name, Label: label, Lines: make([]gpiochip.Info, lines)}
	offset := 0
	for part := range strings.FieldsSeq(names) {
		first, last, isRange := strings.Cut(part, "..")
		if !isRange {
			c.Lines[offset].Name = strings.TrimPrefix(part, "-")
			offset++
			continue
		}
		from, _ := strconv.Atoi(strings.TrimPrefix(first, "GPIO"))
		to, _ := strconv.Atoi(strings.TrimPrefix(last, "GPIO"))
		for ; from <= to; from++ {
			c.Lines[offset].Name = fmt.Sprintf("GPIO%d", from)
			offset++
		}
	}
	return c
}

func linked(c gpiochip.Chip, alias string) gpiochip.Chip {
	c.Aliases = []string{alias}
	return c
}
