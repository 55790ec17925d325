package config

// What the tests, which stand outside of the package, check in it.
var (
	Known          = known
	PinName        = pinName
	Header         = header
	HubHost        = hubHostFault
	Endpoint       = endpointFault
	DeviceID       = deviceIDFault
	RegistrationID = registrationIDFault
	ScopeID        = scopeIDFault
	Nearest        = nearest
	Quote          = quote
	Shut           = shut
	FileFault      = fileFault
)
