package hubsim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// restPrefix begins the paths of the device API over HTTPS. The stand-in has no more of
// it than what a device may ask in order to see whether it would be let in: to give a
// message back to the queue. Messages are lent by MQTT alone, so there is never one that
// HTTPS could give back, and nothing happens to any.
const restPrefix = "/devices/"

// The codes of answers (contract, section 12.4). A device that is not there is told so
// only in a request that is else in order; the service says 401003 for that too, as it
// does here.
const (
	restUnauthorized = 401003
	restOverQuota    = 403002
	restDisabled     = 403012
	restNoSuchPath   = 404000
	restLockLost     = 412002
)

// rest answers a request of a device over HTTPS.
func (s *Sim) rest(w http.ResponseWriter, r *http.Request, l *link) {
	code, err := s.judgeRest(r, l)
	s.log.Info("request over HTTPS", "method", r.Method, "path", r.URL.Path, "code", code, "why", err)
	writeJSON(w, code/1000, map[string]any{
		"errorCode": code, "message": restMessage(code), "timestampUtc": s.opts.Now().UTC().Format(timeFormat),
	})
}

func restMessage(code int) string {
	switch code {
	case restUnauthorized:
		return "Unauthorized"
	case restOverQuota:
		return "Total number of messages on IotHub exceeded the allocated quota."
	case restDisabled:
		return "The device is disabled."
	case restLockLost:
		return "The message is not locked by this token."
	}
	return "The request is refused."
}

// judgeRest checks path, version and proof, and returns the code of the answer, and for
// the log why it is no better one.
func (s *Sim) judgeRest(r *http.Request, l *link) (code int, err error) {
	// devices/{id}/messages/devicebound/{token}/abandon
	path := strings.Split(strings.TrimPrefix(r.URL.Path, restPrefix), "/")
	if r.Method != http.MethodPost || len(path) != 5 || path[1] != "messages" || !strings.EqualFold(path[2], "devicebound") || path[4] != "abandon" ||
		!apiVersion.MatchString(r.URL.Query().Get("api-version")) {
		return restNoSuchPath, errors.New("not of the part of the device API that there is")
	}
	if f, ok := s.faults.take(RefuseRequest, path[0]); ok {
		return f.Code, errors.New("a fault was asked for")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[path[0]]
	host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	if d == nil || d.hub != host {
		return restUnauthorized, fmt.Errorf("hub %q has no such device", host)
	}
	_, err = d.auth.admit(r.Header.Get("Authorization"), l.peer, host, d.id, s.opts.Now(), slices.Collect(maps.Values(s.certificates)))
	switch {
	case err != nil:
		return restUnauthorized, err
	case d.disabled:
		return restDisabled, errDisabled
	case !s.affords(d.hub, 0):
		return restOverQuota, ErrOverQuota
	}
	return restLockLost, errors.New("no message is lent over HTTPS")
}
