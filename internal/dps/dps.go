// Package dps asks Azure's Device Provisioning Service for the IoT hub of a
// device, over HTTPS as Tasmota does.
//
// It owns one exchange: a registration, the polls that follow it, and what
// the answers mean in words an owner can act on. It remembers nothing from
// one exchange to the next; when to ask again is for the caller to decide.
//
// Facts are from the azure-iot contract, section 7.
package dps

import (
	"cmp"
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"tasmota-azd/internal/token"
)

// DefaultEndpoint is DPS in Azure's public cloud.
const DefaultEndpoint = "global.azure-devices-provisioning.net"

// Options say who asks which DPS. The zero value of a field is its default
// where one is named.
type Options struct {
	Endpoint       string         // host[:port], default DefaultEndpoint
	ScopeID        string         // the ID scope of the DPS instance
	RegistrationID string         // sent byte for byte
	Key            token.Key      // the device's own key: of a group, the derived one
	Roots          *x509.CertPool // who may vouch for DPS, default the system's roots
	// Now dates the token and checks certificates, default time.Now.
	Now       func() time.Time
	UserAgent string
	// Transport carries the requests, default one made for the exchange with
	// Roots, Now and the proxy of the environment. Tests replace it.
	Transport http.RoundTripper
	Log       *slog.Logger // default: none
}

// An Assignment is where DPS sends a device.
type Assignment struct {
	Hub       string // host name of the IoT hub, in lower case
	DeviceID  string // may differ from the registration id, even in letter case
	Substatus string // "initialAssignment", "deviceDataMigrated" …, empty if not said
}

// Register asks DPS for the hub of the device and waits until DPS has decided,
// five minutes at most. While DPS is busy (429, 5xx) the same operation goes
// on. The error is an *Error, or the cause of ctx if that is done.
func Register(ctx context.Context, o Options) (Assignment, error) {
	o.Endpoint = cmp.Or(o.Endpoint, DefaultEndpoint)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	x := &exchange{Options: o, deadline: time.Now().Add(overallLimit)}
	if err := x.check(); err != nil {
		return Assignment{}, err
	}
	if x.Transport == nil {
		t := transport(o.Roots, o.Now)
		defer t.CloseIdleConnections()
		x.Transport = t
	}
	return x.run(ctx)
}
