package hubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// controlEvents writes D2C messages, one JSON object a line. With follow=true
// it goes on until the client leaves.
func (s *Sim) controlEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	seen, err := s.parseSince(q.Get("since"))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	for out := http.NewResponseController(w); ; {
		var fresh []Record
		fresh, seen = s.RecordsSince(seen)
		out.SetWriteDeadline(time.Now().Add(30 * time.Second)) // where that is not possible, nobody waits long
		for _, rec := range fresh {
			if id := q.Get("device"); id != "" && id != rec.Device {
				continue
			}
			if json.NewEncoder(w).Encode(rec) != nil {
				return
			}
		}
		if out.Flush() != nil || q.Get("follow") != "true" {
			return
		}
		if s.Wait(r.Context(), func() bool { return s.events.last() > seen }) != nil {
			return
		}
	}
}

// parseSince reads the number after which events are wanted.
func (s *Sim) parseSince(text string) (uint64, error) {
	switch text {
	case "":
		return 0, nil
	case "now":
		return s.events.last(), nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: since=%q is neither a number nor \"now\"", ErrInvalid, text)
	}
	return n, nil
}
