//go:build arm || arm64

package host

// The drivers of the Raspberry Pi's own chip and of its headers.
import (
	_ "periph.io/x/host/v3/bcm283x"
	_ "periph.io/x/host/v3/rpi"
)
