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
		ID           string     `json:"deviceId"`
		Hub          string     `json:"hub"`
		Auth         AuthMethod `json:"authMethod"`
		Key          string     `json:"key"` // base64; empty: one is made
		SecondaryKey string     `json:"secondaryKey"`
		Thumbprints  []string   `json:"thumbprints"`
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	d := savedDevice{ID: in.ID, Hub: in.Hub, Auth: in.Auth, Key: in.Key, SecondaryKey: in.SecondaryKey, Thumbprints: in.Thumbprints}
	if err := s.createDevice(d); err != nil {
		return 0, nil, err
	}
	r.SetPathValue("id", in.ID)
	_, state, err := s.controlDevice(r)
	return http.StatusCreated, state, err
}

func (s *Sim) controlConnectionString(r *http.Request) (int, any, error) {
	primary, secondary, err := s.ConnectionStrings(r.PathValue("id"))
	answer := map[string]string{"connectionString": primary}
	if secondary != "" {
		answer["secondaryConnectionString"] = secondary
	}
	return http.StatusOK, answer, err
}

func (s *Sim) controlKeys(r *http.Request) (int, any, error) {
	return keysAnswer(s.Keys(r.PathValue("id")))
}

// keysAnswer shows a pair of keys.
func keysAnswer(primary, secondary string, err error) (int, any, error) {
	return http.StatusOK, map[string]string{"key": primary, "secondaryKey": secondary}, err
}

func (s *Sim) controlRenewKey(r *http.Request) (int, any, error) {
	return 0, nil, s.RenewKey(r.PathValue("id"), r.PathValue("which"))
}

func (s *Sim) controlCertificates(*http.Request) (int, any, error) {
	return http.StatusOK, list(s.Certificates()), nil
}

func (s *Sim) controlAddCertificate(r *http.Request) (int, any, error) {
	var in struct {
		Name string `json:"name"`
		PEM  string `json:"certificate"`
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	return 0, nil, s.AddCertificate(in.Name, []byte(in.PEM))
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
	var in savedEnrollment // the keys may be empty: they are made
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	if err := s.createEnrollment(in); err != nil {
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
	return keysAnswer(s.EnrollmentKeys(r.PathValue("id")))
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
