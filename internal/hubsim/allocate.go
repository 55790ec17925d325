package hubsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// An Allocation is what Options.Allocate is asked about: a device that
// registers (D12).
type Allocation struct {
	RegistrationID string
	Hub            string          // where the device is, or where its enrollment sends it
	Payload        json.RawMessage // the device's, an object; nil if it sent none
}

// registerBody is what a device sends to register; nothing of it is required.
type registerBody struct {
	RegistrationID string          `json:"registrationId"`
	Payload        json.RawMessage `json:"payload"`
}

// modelID is what a device announces to be (contract, section 11).
func modelID(payload json.RawMessage) string {
	var in struct {
		ModelID string `json:"modelId"`
	}
	json.Unmarshal(payload, &in) // if it is something else, no model is announced
	return in.ModelID
}

// readRegisterBody reads and checks the body of a registration of id, and
// returns its payload.
func readRegisterBody(r *http.Request, id string) (json.RawMessage, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDPSBody))
	if err != nil {
		return nil, refusal(413000, "request body: "+err.Error())
	}
	if len(body) == 0 {
		return nil, nil
	}
	if ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); ct != "application/json" {
		return nil, refusal(415000, "the body is not application/json")
	}
	var in registerBody
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refusal(400000, "request body: "+err.Error())
	}
	if in.RegistrationID != "" && fold(in.RegistrationID) != fold(id) {
		return nil, refusal(400000, "registrationId differs from the path")
	}
	if in.Payload, err = payloadObject(in.Payload); err != nil {
		return nil, refusal(400000, "payload: "+err.Error())
	}
	return in.Payload, nil
}

// payloadObject checks that a text of JSON is an object, or nothing.
func payloadObject(text json.RawMessage) (json.RawMessage, error) {
	switch s := strings.TrimSpace(string(text)); {
	case s == "" || s == "null":
		return nil, nil
	case s[0] != '{' || !json.Valid(text):
		return nil, errors.New("not an object")
	}
	return text, nil
}

// allocate asks Options.Allocate, if there is one, and checks what it says. The
// caller does not hold s.mu.
func (s *Sim) allocate(op *operation) (Reassignment, error) {
	if s.opts.Allocate == nil {
		return Reassignment{}, nil
	}
	s.mu.Lock()
	hub := op.enrollment.Hub
	if r := s.registrations[fold(op.registration)]; r != nil {
		hub = r.Hub
	}
	s.mu.Unlock()
	r, err := s.opts.Allocate(Allocation{op.registration, hub, op.payload})
	if err != nil {
		return r, err
	}
	return s.checkReassignment(r)
}

// over is r where it says something, else what was planned before.
func (r Reassignment) over(before Reassignment) Reassignment {
	setTo(&before.Hub, r.Hub)
	setTo(&before.DeviceID, r.DeviceID)
	before.Reset = before.Reset || r.Reset
	if r.Payload != nil {
		before.Payload = r.Payload
	}
	return before
}

func (s *Sim) checkReassignment(r Reassignment) (Reassignment, error) {
	r.Hub = strings.ToLower(r.Hub)
	if r.Hub != "" && !s.hasHost(r.Hub) {
		return r, fmt.Errorf("%w: no hub is called %q", ErrInvalid, r.Hub)
	}
	if r.DeviceID != "" {
		if err := checkDeviceID(r.DeviceID); err != nil {
			return r, err
		}
	}
	var err error
	if r.Payload, err = payloadObject(r.Payload); err != nil {
		return r, fmt.Errorf("%w: payload: %w", ErrInvalid, err)
	}
	return r, nil
}
