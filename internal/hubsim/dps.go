package hubsim

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxDPSBody is the largest request (contract, section 7.6).
const maxDPSBody = 96 << 10

// DPS serves the provisioning service over HTTPS (contract, sections 7.3 to
// 7.6; D02 to D09, D11).
func (s *Sim) DPS() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{scope}/registrations/{id}/register", s.dpsCall(http.MethodPut, RefuseRegister, s.register))
	mux.HandleFunc("/{scope}/registrations/{id}/operations/{op}", s.dpsCall(http.MethodGet, RefusePoll, s.poll))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.dpsRefuse(w, r, refusal(404000, "no such path"))
	})
	return mux
}

// A dpsError is an answer of status 300 and above (contract, section 7.5).
type dpsError struct {
	code       int // its first three digits are the status
	message    string
	retryAfter time.Duration
	why        error // not told
}

func refusal(code int, message string) *dpsError { return &dpsError{code: code, message: message} }

func (e *dpsError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.message) }

// dpsCall checks what all requests have in common and answers with what call
// returns.
func (s *Sim) dpsCall(method string, fault FaultKind, call func(*http.Request, *enrollment) (dpsAnswer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ms-Request-Id", rand.Text())
		e, err := s.dpsAdmit(method, fault, r)
		var a dpsAnswer
		if err == nil {
			a, err = call(r, e)
		}
		if err != nil {
			s.dpsRefuse(w, r, err)
			return
		}
		s.log.Info("provisioning", "registration", r.PathValue("id"), "method", r.Method, "status", a.Status)
		if a.Status == "assigning" {
			op := "/" + s.opts.ScopeID + "/registrations/" + r.PathValue("id") + "/operations/" + a.OperationID
			w.Header().Set("Location", "https://"+r.Host+op+"?api-version="+r.URL.Query().Get("api-version"))
			w.Header().Set("Retry-After", seconds(max(s.opts.DPSRetryAfter, 0)))
			writeJSON(w, http.StatusAccepted, a)
			return
		}
		writeJSON(w, http.StatusOK, a)
	}
}

// dpsAdmit judges method, version, scope, ids and proof.
func (s *Sim) dpsAdmit(method string, fault FaultKind, r *http.Request) (*enrollment, error) {
	id := r.PathValue("id")
	if f, ok := s.faults.take(fault, id); ok {
		return nil, &dpsError{code: faultCode(f.Code), message: "a fault was asked for", retryAfter: f.Delay}
	}
	switch {
	case r.Method != method:
		return nil, refusal(405000, "method "+r.Method)
	case !apiVersion.MatchString(r.URL.Query().Get("api-version")):
		return nil, refusal(400000, "api-version is missing")
	case !registrationID(id):
		return nil, refusal(400000, "invalid registration id")
	case r.PathValue("scope") != s.opts.ScopeID:
		return nil, dpsUnauthorized(errors.New("unknown id scope"))
	}
	e, err := s.admits(id, proofOf(r))
	switch {
	case errors.Is(err, ErrUnknownEnrollment):
		return nil, refusal(404201, "no enrollment for this registration id")
	case err != nil:
		return nil, dpsUnauthorized(err)
	}
	return e, nil
}

// dpsUnauthorized tells the device no more than that.
func dpsUnauthorized(why error) error {
	return &dpsError{code: 401002, message: "Unauthorized", why: why}
}

// faultCode is the error code that goes with a status asked for by a fault.
func faultCode(status int) int {
	switch status {
	case http.StatusUnauthorized:
		return 401002
	case http.StatusNotFound:
		return 404201
	case http.StatusTooManyRequests:
		return 429001
	}
	return status * 1000
}

// dpsAnswer is the body of an answer (contract, section 7.4).
type dpsAnswer struct {
	OperationID string    `json:"operationId"`
	Status      string    `json:"status"`
	State       *dpsState `json:"registrationState,omitempty"`
}

type dpsState struct {
	RegistrationID string `json:"registrationId"`
	Created        string `json:"createdDateTimeUtc,omitempty"`
	AssignedHub    string `json:"assignedHub,omitempty"`
	DeviceID       string `json:"deviceId,omitempty"`
	Status         string `json:"status"`
	Substatus      string `json:"substatus,omitempty"`
	ErrorCode      int    `json:"errorCode,omitempty"`
	ErrorMessage   string `json:"errorMessage,omitempty"`
	Updated        string `json:"lastUpdatedDateTimeUtc,omitempty"`
	ETag           string `json:"etag,omitempty"`

	Payload json.RawMessage `json:"payload,omitempty"`
}

// register begins an operation (D03). A disabled enrollment is told so at once
// (D07).
func (s *Sim) register(r *http.Request, e *enrollment) (dpsAnswer, error) {
	id := r.PathValue("id")
	payload, err := readRegisterBody(r, id)
	if err != nil {
		return dpsAnswer{}, err
	}
	if s.enrollmentDisabled(e) {
		return dpsAnswer{Status: "disabled", State: &dpsState{RegistrationID: id, Status: "disabled"}}, nil
	}
	op := &operation{id: "5." + rand.Text()[:16] + "." + rand.Text(), registration: id, payload: payload, enrollment: e, polls: max(s.opts.DPSPolls, 0)}
	if len(e.Certificates) > 0 {
		op.thumbprint = ThumbprintOf(proofOf(r).chain[0].Raw)
	}
	if f, ok := s.faults.take(FailRegister, id); ok {
		op.fail = f.Code
	}
	s.operations.add(op)
	return dpsAnswer{OperationID: op.id, Status: "assigning"}, nil
}

func (s *Sim) enrollmentDisabled(e *enrollment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.Disabled
}

// poll tells how far an operation is (D03, D04, D06, D10).
func (s *Sim) poll(r *http.Request, _ *enrollment) (dpsAnswer, error) {
	op := s.operations.get(r.PathValue("op"))
	if op == nil || fold(op.registration) != fold(r.PathValue("id")) {
		return dpsAnswer{}, refusal(404202, "no such operation")
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	if wait := op.tooSoon(time.Now()); wait > 0 {
		return dpsAnswer{}, &dpsError{code: 429001, message: "polled too often", retryAfter: wait}
	}
	if op.polls > 0 {
		op.polls--
		return dpsAnswer{OperationID: op.id, Status: "assigning"}, nil
	}
	if op.fail == 0 && op.done == nil {
		if err := s.settle(op); err != nil {
			return dpsAnswer{}, refusal(500000, err.Error())
		}
	}
	if op.fail != 0 {
		state := &dpsState{RegistrationID: op.registration, Status: "failed", ErrorCode: op.fail, ErrorMessage: failMessage(op.fail)}
		return dpsAnswer{OperationID: op.id, Status: "failed", State: state}, nil
	}
	return dpsAnswer{OperationID: op.id, Status: "assigned", State: op.done.state()}, nil
}

// settle ends an operation: the device is assigned, or the custom allocation
// has failed (D12). The caller holds op.mu.
func (s *Sim) settle(op *operation) error {
	next, err := s.allocate(op)
	if err != nil {
		s.log.Warn("allocation failed", "registration", op.registration, "err", err)
		op.fail = 400207
		return nil
	}
	reg, err := s.assign(op, next)
	if err == nil {
		op.done = &reg
	}
	return err
}

func (r Registration) state() *dpsState {
	return &dpsState{
		RegistrationID: r.ID, AssignedHub: r.Hub, DeviceID: r.DeviceID, Status: "assigned", Substatus: r.Substatus,
		Created: r.Created.Format(timeFormat), Updated: r.Updated.Format(timeFormat), ETag: strconv.Quote(strconv.Itoa(r.Times)),
		Payload: r.Returned,
	}
}

func failMessage(code int) string {
	switch code {
	case 400207:
		return "The custom allocation function failed."
	case 400208:
		return "No IoT hub is linked that the device could be assigned to."
	case 400209:
		return "The device is not approved, or is blocked."
	}
	return "A fault was asked for."
}

// dpsRefuse answers with an error.
func (s *Sim) dpsRefuse(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*dpsError](err)
	if !ok {
		e = refusal(500000, err.Error())
	}
	s.log.Info("provisioning refused", "path", r.URL.Path, "status", e.code/1000, "code", e.code, "message", e.message, "why", e.why)
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", seconds(e.retryAfter))
	}
	writeJSON(w, e.code/1000, map[string]any{
		"errorCode": e.code, "trackingId": rand.Text(), "message": e.message, "timestampUtc": s.opts.Now().UTC().Format(timeFormat),
	})
}

// seconds writes a Retry-After, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that has gone need not be told
}
