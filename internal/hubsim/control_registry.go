package hubsim

import (
	"net/http"
)

func (s *Sim) controlDevices(*http.Request) (int, any, error) {
	return http.StatusOK, list(s.Devices()), nil
}

func (s *Sim) controlDevice(r *http.Request) (int, any, error) {
	for _, d := range s.Devices() {
		if d.ID == r.PathValue("id") {
			return http.StatusOK, d, nil
		}
	}
	return 0, nil, ErrUnknownDevice
}

func (s *Sim) controlCreateDevice(r *http.Request) (int, any, error) {
	var in struct {
		ID  string `json:"deviceId"`
		Hub string `json:"hub"`
		Key string `json:"key"` // base64; empty: one is made
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Key == "" {
		in.Key = NewKey()
	}
	if err := s.CreateDevice(in.ID, in.Hub, in.Key); err != nil {
		return 0, nil, err
	}
	r.SetPathValue("id", in.ID)
	_, d, err := s.controlDevice(r)
	return http.StatusCreated, d, err
}

func (s *Sim) controlConnectionString(r *http.Request) (int, any, error) {
	text, err := s.ConnectionString(r.PathValue("id"))
	return http.StatusOK, map[string]string{"connectionString": text}, err
}

func (s *Sim) controlQueue(r *http.Request) (int, any, error) {
	if _, _, err := s.controlDevice(r); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, list(s.Queue(r.PathValue("id"))), nil
}

func (s *Sim) controlSend(r *http.Request) (int, any, error) {
	var m C2D
	if err := readBody(r, &m); err != nil {
		return 0, nil, err
	}
	seq, err := s.Send(r.PathValue("id"), m)
	return http.StatusCreated, map[string]uint64{"seq": seq}, err
}

func (s *Sim) controlEnrollments(*http.Request) (int, any, error) {
	return http.StatusOK, list(s.Enrollments()), nil
}

func (s *Sim) controlCreateEnrollment(r *http.Request) (int, any, error) {
	var in savedEnrollment // the key may be empty: one is made
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Key == "" {
		in.Key = NewKey()
	}
	if err := s.CreateEnrollment(in.enrollment(), in.Key); err != nil {
		return 0, nil, err
	}
	for _, e := range s.Enrollments() {
		if e.ID == in.ID {
			return http.StatusCreated, e, nil
		}
	}
	return 0, nil, ErrUnknownEnrollment // deleted in the meantime
}

func (s *Sim) controlEnrollmentKey(r *http.Request) (int, any, error) {
	text, err := s.EnrollmentKey(r.PathValue("id"))
	return http.StatusOK, map[string]string{"key": text}, err
}

func (s *Sim) controlRegistrations(*http.Request) (int, any, error) {
	return http.StatusOK, list(s.Registrations()), nil
}

func (s *Sim) controlReassign(r *http.Request) (int, any, error) {
	var in Reassignment
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	return 0, nil, s.Reassign(r.PathValue("id"), in)
}
