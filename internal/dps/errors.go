package dps

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Kind sorts what can go wrong by who has to do something about it.
type Kind int

// The kinds of errors.
const (
	// The network's or the service's trouble, which passes by itself.
	Unreachable Kind = iota // no answer: DNS, TCP, time limit
	Unavailable             // 5xx, or no decision within the limit
	Throttled               // 429
	// The owner's, who has to change something here or in the portal.
	Untrusted    // DPS's certificate is not believed
	BadAnswer    // something answered that is not DPS, or nonsense
	BadRequest   // 400 and others: not understood
	Unauthorized // 401, 403
	NotEnrolled  // 404
	Disabled     // the enrollment is switched off
	Failed       // DPS tried and found no hub; Code says why
)

// Passing reports whether the trouble may be over soon without the owner.
func (k Kind) Passing() bool { return k <= Throttled }

var kinds = [...]string{"unreachable", "unavailable", "throttled", "untrusted", "bad answer", "bad request",
	"unauthorized", "not enrolled", "disabled", "failed"}

// String returns the kind in words, such as "not enrolled".
func (k Kind) String() string { return kinds[k] }

// Codes of DPS that say more than their HTTP class (contract, section 7.5).
const (
	allocationFailed   = 400207
	noHub              = 400208
	notApproved        = 400209
	enrollmentNotFound = 404201
)

func isAllocation(c code) bool { return c == allocationFailed || c == noHub || c == notApproved }

// An Error says why a registration brought no assignment. Its text is for the
// owner: what happened, where, and what to do.
type Error struct {
	Kind       Kind
	Status     int           // of HTTP, zero without an answer
	Code       int           // DPS's own, such as 401002, zero if not said
	Message    string        // DPS's own words, or what is odd about its answer
	TrackingID string        // for Microsoft's support
	RetryAfter time.Duration // at least to be waited, zero if not said
	Err        error         // the cause, without an answer

	Endpoint, ScopeID, RegistrationID string // who was asked for whom
	Thumbprint                        string // of the certificate that was shown, empty without one
	// OtherKind is the dps.key_kind that the key would fit, empty if not known.
	OtherKind string
}

// Unwrap returns the cause, nil if DPS itself refused.
func (e *Error) Unwrap() error { return e.Err }

// Error is one line.
func (e *Error) Error() string {
	return e.What() + "; " + e.Remedy()
}

// What is the first half of the text: what happened, and where.
func (e *Error) What() string {
	return fmt.Sprintf("DPS %s: %s%s", e.Endpoint, e.what(), e.details())
}

// what says what happened.
func (e *Error) what() string {
	who := fmt.Sprintf("registration id %q in scope %s", e.RegistrationID, e.ScopeID)
	switch {
	case e.Kind == Unreachable:
		return "it cannot be reached"
	case e.Kind == Unavailable && e.Status < 300:
		return "it has not assigned a hub to " + who + " yet"
	case e.Kind == Unavailable && e.Status == http.StatusNotFound:
		return "it has lost the operation for " + who
	case e.Kind == Unavailable:
		return "it has trouble of its own"
	case e.Kind == Throttled:
		return "it has too much to do"
	case e.Kind == Untrusted:
		return "it shows a certificate that is not trusted"
	case e.Kind == BadAnswer:
		return "its answer makes no sense"
	case e.Kind == BadRequest:
		return "it does not take the request for " + who
	case e.Kind == Unauthorized && e.Status == http.StatusForbidden:
		return "it does not let this machine in"
	case e.Kind == Unauthorized && e.Thumbprint != "":
		return "the certificate does not fit " + who
	case e.Kind == Unauthorized:
		return "the key does not fit " + who
	case e.Kind == NotEnrolled:
		return "there is no enrollment for " + who
	case e.Kind == Disabled:
		return "the enrollment of " + who + " is disabled"
	}
	return "it found no hub for " + who + e.reason()
}

// reason puts the known codes of a failed allocation in words.
func (e *Error) reason() string {
	switch e.Code {
	case allocationFailed:
		return ": the enrollment's custom allocation failed"
	case noHub:
		return ": no IoT hub is linked that takes it"
	case notApproved:
		return ": the device is not approved, or blocked"
	}
	return ""
}

// details quotes the numbers and DPS's own words.
func (e *Error) details() string {
	var list []string
	if e.Status != 0 {
		list = append(list, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.Code != 0 {
		list = append(list, fmt.Sprintf("code %d", e.Code))
	}
	if e.Message != "" {
		list = append(list, e.Message)
	}
	if e.Err != nil {
		list = append(list, e.Err.Error())
	}
	if e.TrackingID != "" {
		list = append(list, "tracking id "+e.TrackingID)
	}
	if list == nil {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// Remedy is the second half: what to do.
func (e *Error) Remedy() string {
	switch {
	case e.Kind == Unreachable:
		return "check the network, DNS, that outgoing TCP 443 is allowed, and HTTPS_PROXY if there is a proxy"
	case e.Kind.Passing():
		return "nothing to do, it is asked again"
	case e.Kind == Untrusted:
		return e.trustRemedy()
	case e.Kind == BadAnswer:
		return "check dps.endpoint, and whether a proxy or a login page stands in between"
	case e.Kind == BadRequest:
		return "check dps.scope_id, dps.registration_id and dps.endpoint"
	case e.Kind == Unauthorized && e.Status == http.StatusForbidden:
		return "check the IP filter and private access of the DPS instance under Networking"
	case e.Kind == Unauthorized && e.Thumbprint != "":
		return "its SHA-256 thumbprint is " + strings.ToUpper(e.Thumbprint) + ": an individual enrollment must have exactly this certificate, " +
			"an enrollment group the one of its issuer, and either must be of the kind X.509; compare dps.scope_id with the ID Scope in the portal"
	case e.Kind == Unauthorized && e.OtherKind != "":
		return "the key is right, but of the other kind: write dps.key_kind: " + e.OtherKind
	case e.Kind == Unauthorized:
		return "compare dps.key_file with the enrollment's primary or secondary key and dps.scope_id with the ID Scope in the portal; " +
			"dps.key_kind is group for the key of an enrollment group, individual for that of an individual enrollment; " +
			"an enrollment of the kind X.509 takes no key but dps.cert_file; " +
			"an id that is not enrolled at all may be refused alike"
	case e.Kind == NotEnrolled:
		return "create an individual enrollment with exactly this registration id, or an enrollment group and use its key, " +
			"and compare dps.scope_id with the ID Scope in the portal"
	case e.Kind == Disabled:
		return "enable the entry under Manage enrollments in the portal"
	}
	return e.allocationRemedy()
}

func (e *Error) trustRemedy() string {
	if _, ok := errors.AsType[x509.HostnameError](e.Err); ok {
		return "check dps.endpoint, and whether a proxy or a login page stands in between"
	}
	if c, ok := errors.AsType[x509.CertificateInvalidError](e.Err); ok && c.Reason == x509.Expired {
		return "if the time it names is wrong, check ntp.servers; else the certificate has to be renewed over there"
	}
	return "install the system's CA certificates (ca-certificates), or name the issuer's in dps.ca_file"
}

func (e *Error) allocationRemedy() string {
	switch e.Code {
	case allocationFailed:
		return "look at the log of the allocation function"
	case noHub:
		return "link an IoT hub to the DPS instance and allow it in the enrollment"
	case notApproved:
		return "approve or unblock the device in IoT Central"
	}
	return "check the enrollment and its linked hubs in the portal"
}
