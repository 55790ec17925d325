package twin

import "strconv"

// ModelID names the model of a device with so many relays, which configs/dtdl has. A
// model says which components a device has, so there is one for each number; empty
// stands for a device that has none.
func ModelID(relays int) string {
	if relays == 0 {
		return ""
	}
	return "dtmi:tasmotaAzd:Relays" + strconv.Itoa(relays) + ";1"
}

// Component names the component of the model that is a relay, counted from 1. For 0
// it is empty: the device itself.
func Component(relay int) string {
	if relay == 0 {
		return ""
	}
	return "relay" + strconv.Itoa(relay)
}
