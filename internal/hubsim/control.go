package hubsim

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// maxControlBody is the largest request to the control API: a C2D message in
// base64, and its properties.
const maxControlBody = 256 << 10

// Control serves the control API, which docs/hubsim.md describes. It answers
// only to names of the loopback interface, so that no page in a browser can
// drive it.
func (s *Sim) Control() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]control{
		"GET /v1/info": s.controlInfo,

		"GET /v1/devices":                        s.controlDevices,
		"POST /v1/devices":                       s.controlCreateDevice,
		"GET /v1/devices/{id}":                   s.controlDevice,
		"DELETE /v1/devices/{id}":                onDevice(s.DeleteDevice),
		"GET /v1/devices/{id}/connection-string": s.controlConnectionString,
		"GET /v1/devices/{id}/keys":              s.controlKeys,
		"POST /v1/devices/{id}/keys/{which}":     s.controlRenewKey,
		"POST /v1/devices/{id}/enable":           onDevice(s.Enable),
		"POST /v1/devices/{id}/disable":          onDevice(s.Disable),
		"POST /v1/devices/{id}/kick":             onDevice(s.Kick),
		"POST /v1/devices/{id}/reset":            onDevice(s.Reset),
		"POST /v1/devices/{id}/freeze":           onDevice(s.Freeze),
		"POST /v1/devices/{id}/deafen":           onDevice(s.Deafen),
		"POST /v1/devices/{id}/mute":             onDevice(s.Mute),
		"GET /v1/devices/{id}/messages":          s.controlQueue,
		"POST /v1/devices/{id}/messages":         s.controlSend,
		"POST /v1/devices/{id}/methods":          s.controlInvoke,
		"GET /v1/devices/{id}/twin":              s.controlTwin,
		"PATCH /v1/devices/{id}/twin":            s.controlUpdateTwin,

		"GET /v1/enrollments":                  s.controlEnrollments,
		"POST /v1/enrollments":                 s.controlCreateEnrollment,
		"DELETE /v1/enrollments/{id}":          onDevice(s.DeleteEnrollment),
		"GET /v1/enrollments/{id}/key":         s.controlEnrollmentKey,
		"POST /v1/enrollments/{id}/enable":     onDevice(func(id string) error { return s.EnableEnrollment(id, true) }),
		"POST /v1/enrollments/{id}/disable":    onDevice(func(id string) error { return s.EnableEnrollment(id, false) }),
		"GET /v1/registrations":                s.controlRegistrations,
		"POST /v1/registrations/{id}/reassign": s.controlReassign,

		"GET /v1/certificates":         s.controlCertificates,
		"POST /v1/certificates":        s.controlAddCertificate,
		"DELETE /v1/certificates/{id}": onDevice(s.DeleteCertificate),

		"GET /v1/faults":    s.controlFaults,
		"POST /v1/faults":   s.controlInject,
		"DELETE /v1/faults": s.controlClearFaults,

		"GET /v1/feedback":     s.controlFeedback,
		"GET /v1/quota":        s.controlQuota,
		"PUT /v1/quota":        s.controlSetQuota,
		"POST /v1/quota/spend": s.controlSpend,
		"GET /v1/throttle":     s.controlThrottle,
		"PUT /v1/throttle":     s.controlSetThrottle,

		"GET /v1/logins":  s.controlLogins,
		"GET /v1/packets": s.controlPackets,
	} {
		mux.Handle(pattern, h)
	}
	mux.HandleFunc("GET /v1/events", s.controlEvents)
	return guard(mux)
}

// A control is a route of the control API: it returns the status and the
// answer, if there is one.
type control func(*http.Request) (int, any, error)

// ServeHTTP answers in JSON, mistakes too.
func (c control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
	status, answer, err := c(r)
	if err != nil {
		refuse(w, statusOf(err), err.Error())
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, status, answer)
}

func refuse(w http.ResponseWriter, status int, why string) {
	writeJSON(w, status, map[string]string{"error": why})
}

func statusOf(err error) int {
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &size), errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, ErrUnknownDevice), errors.Is(err, ErrUnknownEnrollment), errors.Is(err, ErrUnknownCertificate), errors.Is(err, ErrNotOnline):
		return http.StatusNotFound
	case errors.Is(err, ErrDeviceExists), errors.Is(err, ErrEnrollmentExists), errors.Is(err, ErrCertificateExists):
		return http.StatusConflict
	case errors.Is(err, ErrOverQuota), errors.Is(err, ErrQueueFull), errors.Is(err, ErrTooManyCalls):
		return http.StatusForbidden
	case errors.Is(err, ErrBadAnswer):
		return http.StatusBadGateway
	case errors.Is(err, ErrNoAnswer):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// guard refuses what a page in a browser could send: a request under another
// name than one of the loopback interface, one that comes from elsewhere, and
// one whose body is not JSON.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch origin := r.Header.Get("Origin"); {
		case !loopback(r.Host):
			refuse(w, http.StatusForbidden, "the control API answers to localhost only")
		case origin != "" && !loopbackOrigin(origin):
			refuse(w, http.StatusForbidden, "the control API is not for web pages")
		case r.ContentLength != 0 && r.Header.Get("Content-Type") != "application/json":
			refuse(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && loopback(u.Hostname())
}

// loopback reports whether host, with or without a port, is this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readBody decodes a JSON body, in which unknown members are mistakes.
func readBody(r *http.Request, v any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := strict(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// onDevice is a route that does something to what the path names.
func onDevice(f func(id string) error) control {
	return func(r *http.Request) (int, any, error) { return 0, nil, f(r.PathValue("id")) }
}

func (s *Sim) controlInfo(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"hubs": s.opts.Hosts, "scopeId": s.opts.ScopeID, "now": s.opts.Now().UTC()}, nil
}

func (s *Sim) controlFaults(*http.Request) (int, any, error) {
	return http.StatusOK, list(s.Faults()), nil
}

func (s *Sim) controlInject(r *http.Request) (int, any, error) {
	var f Fault
	if err := readBody(r, &f); err != nil {
		return 0, nil, err
	}
	return 0, nil, s.Inject(f)
}

func (s *Sim) controlClearFaults(r *http.Request) (int, any, error) {
	s.ClearFaults(FaultKind(r.URL.Query().Get("kind")))
	return 0, nil, nil
}

func (s *Sim) controlFeedback(r *http.Request) (int, any, error) {
	return http.StatusOK, list(ofDevice(s.Feedback(), r, func(f Feedback) string { return f.Device })), nil
}

func (s *Sim) controlLogins(r *http.Request) (int, any, error) {
	return http.StatusOK, list(ofDevice(s.Logins(), r, func(l Login) string { return l.Device })), nil
}

func (s *Sim) controlPackets(r *http.Request) (int, any, error) {
	return http.StatusOK, list(ofDevice(s.Packets(), r, func(p Packet) string { return p.Device })), nil
}

// ofDevice keeps what belongs to the device that the request names.
func ofDevice[T any](all []T, r *http.Request, device func(T) string) []T {
	id := r.URL.Query().Get("device")
	var kept []T
	for _, v := range all {
		if id == "" || device(v) == id {
			kept = append(kept, v)
		}
	}
	return kept
}

// list is v, and in JSON never null.
func list[T any](v []T) []T { return append([]T{}, v...) }
