package hubsim

import "net/http"

func (s *Sim) controlQuota(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"quota": s.Quota(), "usage": list(s.Usage())}, nil
}

func (s *Sim) controlSetQuota(r *http.Request) (int, any, error) {
	var q Quota
	if err := readBody(r, &q); err != nil {
		return 0, nil, err
	}
	return 0, nil, s.SetQuota(q)
}

func (s *Sim) controlSpend(r *http.Request) (int, any, error) {
	var in struct {
		Hub      string `json:"hub"`
		Messages int    `json:"messages"`
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	return 0, nil, s.Spend(in.Hub, in.Messages)
}

func (s *Sim) controlThrottle(*http.Request) (int, any, error) {
	return http.StatusOK, s.Throttle(), nil
}

func (s *Sim) controlSetThrottle(r *http.Request) (int, any, error) {
	var t Throttle
	if err := readBody(r, &t); err != nil {
		return 0, nil, err
	}
	return 0, nil, s.SetThrottle(t)
}
