package hubsim

import (
	"encoding/json"
	"net/http"
	"time"
)

type callJSON struct {
	Method          string          `json:"methodName"`
	Payload         json.RawMessage `json:"payload,omitempty"` // left out: the body is empty
	ResponseTimeout duration        `json:"responseTimeout,omitzero"`
	ConnectTimeout  duration        `json:"connectTimeout,omitzero"`
}

// MarshalJSON writes a call as the control API takes it.
func (c Call) MarshalJSON() ([]byte, error) {
	return json.Marshal(callJSON{c.Method, c.Payload, duration(c.ResponseTimeout), duration(c.ConnectTimeout)})
}

// UnmarshalJSON reads a call; unknown members are mistakes.
func (c *Call) UnmarshalJSON(data []byte) error {
	var in callJSON
	err := strict(data, &in)
	*c = Call{in.Method, in.Payload, time.Duration(in.ResponseTimeout), time.Duration(in.ConnectTimeout)}
	return err
}

type answerJSON struct {
	Status  int             `json:"status"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func (s *Sim) controlInvoke(r *http.Request) (int, any, error) {
	var c Call
	if err := readBody(r, &c); err != nil {
		return 0, nil, err
	}
	a, err := s.Invoke(r.Context(), r.PathValue("id"), c)
	return http.StatusOK, answerJSON{a.Status, a.Body}, err
}

func (s *Sim) controlTwin(r *http.Request) (int, any, error) {
	t, err := s.Twin(r.PathValue("id"))
	return http.StatusOK, t, err
}

// controlUpdateTwin takes a patch in the form of the service.
func (s *Sim) controlUpdateTwin(r *http.Request) (int, any, error) {
	var in struct {
		Properties struct {
			Desired json.RawMessage `json:"desired"`
		} `json:"properties"`
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	if _, err := s.UpdateTwin(r.PathValue("id"), in.Properties.Desired); err != nil {
		return 0, nil, err
	}
	return s.controlTwin(r)
}
