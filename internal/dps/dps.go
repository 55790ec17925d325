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
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"tasmota-azd/internal/certificate"
	"tasmota-azd/internal/token"
)

// DefaultEndpoint is DPS in Azure's public cloud.
const DefaultEndpoint = "global.azure-devices-provisioning.net"

// Options say who asks which DPS. The zero value of a field is its default
// where one is named.
type Options struct {
	Endpoint       string    // host[:port], default DefaultEndpoint
	ScopeID        string    // the ID scope of the DPS instance
	RegistrationID string    // sent byte for byte
	Key            token.Key // the device's own key: of a group, the derived one
	// Certificate signs in by TLS, in place of Key.
	Certificate certificate.Certificate
	Roots       *x509.CertPool // who may vouch for DPS, default the system's roots
	// Now dates the token and checks certificates, default time.Now.
	Now       func() time.Time
	UserAgent string
	ModelID   string // of IoT Plug and Play, empty for none (contract, section 11.2)
	// Transport carries the requests, default one made for the exchange with
	// Certificate, Roots, Now and the proxy of the environment. Tests replace it.
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
	x := newExchange(o)
	defer x.end()
	if err := x.check(); err != nil {
		return Assignment{}, err
	}
	return x.run(ctx)
}

// Fits reports whether DPS takes the key for the registration id. It is false, too, if
// that cannot be found out.
func Fits(ctx context.Context, o Options) bool { return Prove(ctx, o) == nil }

// Prove finds out whether DPS takes the key, or the certificate, for the registration id.
// It registers nothing: it asks after an operation that never was, which DPS tells only
// whom it knows. It cannot see whether the enrollment is disabled. The error is an *Error,
// or the cause of ctx if that is done.
func Prove(ctx context.Context, o Options) error {
	x := newExchange(o)
	defer x.end()
	if err := x.check(); err != nil {
		return err
	}
	x.operation = noOperation
	a, err := x.send(ctx)
	switch {
	case err != nil:
		return err
	case a.body.ErrorCode == enrollmentNotFound:
		return x.fail(a.err(NotEnrolled))
	case a.status == http.StatusNotFound, a.status == http.StatusBadRequest, a.status < 300:
		return nil
	}
	_, e := a.judge(true)
	return x.fail(e)
}
