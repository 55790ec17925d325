package hub

// The topics of the device twin (contract, section 6.1).
const (
	twinPrefix    = "$iothub/twin/res/"
	desiredPrefix = "$iothub/twin/PATCH/properties/desired/"
)
