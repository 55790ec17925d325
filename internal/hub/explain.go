package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// A Kind sorts what goes wrong, for whoever decides what to do about it.
type Kind int

// The kinds of an Error.
const (
	Unreachable Kind = iota // no connection to the hub's port
	NoName                  // the host name could not be resolved
	Untrusted               // no TLS with the hub
	Refused                 // the hub does not let the device in: over MQTT all refusals look alike (contract, section 1.4)
	Lost                    // a session ended that had begun
)

// An Error is why a session could not begin, or why it ended, in words for the
// owner of the device.
type Error struct {
	Kind  Kind
	Code  byte // of the CONNACK, 0 if there was none
	Reply int  // the service's code for an answer over HTTPS, such as 401003; 0 if it gave none
	words string
	cause error
}

// Error returns the words. They hold no secret.
func (e *Error) Error() string { return e.words }

// Unwrap returns the error underneath, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Network reports whether the network is to blame, which may let another Way
// pass: not a certificate that is not trusted, nor a hub that refuses. A name that
// is not found here may be found by the proxy.
func (e *Error) Network() bool {
	_, judged := errors.AsType[*tls.CertificateVerificationError](e.cause)
	return e.Kind == Unreachable || e.Kind == NoName || e.Kind == Untrusted && !judged
}

// Why a session ends that the other side did not end.
var (
	errTokenDue = errors.New("the token is nearly used up")
	errStopped  = errors.New("the session is being closed")
	errNoPing   = errors.New("the link is dead: a ping was not answered")
	errNoPuback = fmt.Errorf("the link is dead or the hub overloaded: a message was not acknowledged within %v", pubackWithin)
	errTimeout  = fmt.Errorf("not connected within %v", connectWithin)
)

// networkError is for a name that is not found and a port that is not reached.
func networkError(host string, port int, err error) *Error {
	e := &Error{Kind: Unreachable, cause: err}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && dns.IsNotFound:
		e.Kind = NoName
		e.words = fmt.Sprintf("there is no host %s: check the name of the hub, and the name server of this network", host)
	case isDNS:
		e.Kind = NoName
		e.words = fmt.Sprintf("the name server does not answer, so %s cannot be found: is this device online?", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.words = fmt.Sprintf("%s refuses connections on port %d: is the port right?", host, port)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.words = fmt.Sprintf("there is no way to %s: is this device online?", host)
	case isTimeout(err):
		e.words = fmt.Sprintf("%s does not answer on port %d: does a firewall block it?", host, port)
	default:
		e.words = fmt.Sprintf("cannot connect to %s, port %d: %s", host, port, plain(err))
	}
	return e
}

// tlsError is for a handshake that failed at now.
func tlsError(host string, port int, now time.Time, err error) *Error {
	e := &Error{Kind: Untrusted, cause: err}
	if invalid, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.words = certificateWords(host, now, invalid)
		return e
	}
	_, garbage := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case garbage:
		e.words = fmt.Sprintf("%s does not speak TLS on port %d: is the port right, or does a proxy answer instead of the hub?", host, port)
	case isTimeout(err):
		e.words = fmt.Sprintf("%s accepts connections on port %d but does not answer there", host, port)
	case isClosed(err):
		e.words = fmt.Sprintf("%s closed the connection during the TLS handshake: does a proxy or a firewall stand in between?", host)
	default:
		e.words = fmt.Sprintf("no TLS with %s: %s", host, plain(err))
	}
	return e
}

// certificateWords says what is wrong with the certificate that was shown.
func certificateWords(host string, now time.Time, err *tls.CertificateVerificationError) string {
	leaf := err.UnverifiedCertificates[0]
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate is for %s and not for %s: is the name of the hub right, or does a proxy answer instead of it?",
			clip(strings.Join(leaf.DNSNames, ", "), 200), host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("the certificate of %s, which counts from %s to %s, does not count now, at %s: is the clock right?",
			host, day(leaf.NotBefore), day(leaf.NotAfter), day(now))
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		top := err.UnverifiedCertificates[len(err.UnverifiedCertificates)-1]
		return fmt.Sprintf("the certificate of %s was issued by %q, whom this device does not trust: "+
			"install the package ca-certificates, or name the issuer's certificate in ca_file", host, clip(top.Issuer.String(), 200))
	}
	return fmt.Sprintf("the certificate of %s is not accepted: %s", host, plain(err))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// connackError is for a CONNECT that was answered with code (contract, section 1.4).
func connackError(id Identity, code byte, err error) *Error {
	e := &Error{Kind: Refused, Code: code, cause: err}
	switch code {
	case 4, 5:
		why := "the key is wrong, the device is unknown or disabled there, the clock is off by minutes, or the hub's daily quota is used up"
		if !id.Certificate.IsZero() {
			why = fmt.Sprintf("its certificate %q is not the one that the hub knows it by, the device is unknown or disabled there, "+
				"or the hub's daily quota is used up", clip(id.Certificate.Name(), 128))
		}
		e.words = fmt.Sprintf("the hub does not let device %q in (CONNACK %d): %s", id.DeviceID, code, why)
	case 3:
		e.words = "the hub is not available at the moment (CONNACK 3)"
	case 2:
		e.words = fmt.Sprintf("the hub does not accept %q as a device id (CONNACK 2)", id.DeviceID)
	default:
		e.words = fmt.Sprintf("%s does not speak MQTT 3.1.1 as an IoT hub does (CONNACK %d)", id.Host, code)
	}
	return e
}

// silentError is for a hub that closes or says nothing where it should answer.
func silentError(id Identity, question string, err error) *Error {
	e := &Error{Kind: Refused, cause: err}
	switch {
	case isTimeout(err):
		e.Kind = Unreachable
		e.words = fmt.Sprintf("%s did not answer %s in time", id.Host, question)
	case isClosed(err):
		e.words = fmt.Sprintf("the hub closed the connection instead of answering %s: device %q may be disabled there, "+
			"or the hub's daily quota used up", question, id.DeviceID)
	case isAlert(err) && !id.Certificate.IsZero():
		e.words = fmt.Sprintf("the hub does not accept the certificate %q in TLS: %s", clip(id.Certificate.Name(), 128), plain(err))
	default:
		e.words = fmt.Sprintf("the link was lost before the hub answered %s: %s", question, plain(err))
	}
	return e
}

// isAlert reports whether the other side ended TLS. With TLS 1.3 it judges the
// certificate of the device when the handshake is over for this side.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// webError is for an answer to the request for a WebSocket that is none.
func webError(host string, port, status int) *Error {
	return &Error{Kind: Unreachable, words: fmt.Sprintf("%s does not open a WebSocket for MQTT on port %d (HTTP %d): "+
		"is the name of the hub right, or does a proxy answer instead of it?", host, port, status)}
}

// lostError is for a session that ended.
func lostError(err error) *Error {
	e := &Error{Kind: Lost, cause: err}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.words = "closed by the hub"
	case isClosed(err):
		e.words = "the connection was reset"
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.words = fmt.Sprintf("the link is dead: nothing could be sent for %v", writeWithin)
	case isTimeout(err):
		e.words = "the link is dead: the network carries nothing any more"
	default:
		e.words = plain(err)
	}
	return e
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errTimeout) || ok && n.Timeout()
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// plain is the text of err without addresses and port numbers, which differ from
// one attempt to the next, and without a token.
func plain(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return redact(err.Error())
}

// redact cuts tokens out of a text. Nobody should put one there; paho gets one
// for each CONNECT, and its errors are not ours.
func redact(s string) string {
	const mark = "SharedAccessSignature "
	for {
		before, after, found := strings.Cut(s, mark)
		if !found {
			return clip(s, 500)
		}
		end := strings.IndexFunc(after, func(r rune) bool { return r <= ' ' || r == '"' })
		if end < 0 {
			end = len(after)
		}
		s = before + "[token]" + after[end:]
	}
}
