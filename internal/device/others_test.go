package device_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

// TestDowngrade: what a later release saved is there when it comes back, whether it saved
// it in the file or in the journal.
func TestDowngrade(t *testing.T) {
	const later = `{"relays":{"GPIO17":true,"GPIO27":false},"rules":["on power1 do x"],"spent":{"day":"2026-11-25","messages":3,"bytes":9},
		"settings":{"SetOption":{"140":1,"26":1},"PulseTime":[7],"TelePeriod":300,"FilePeriod":300,"BootCount":1,"SaveCount":0},"journal":0}`
	for _, where := range []string{"file", "journal"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "state")
				s, err := store.Open(dir, nil)
				if err != nil {
					t.Fatal(err)
				}
				text := strings.Join(strings.Fields(later), " ")
				if where == "file" {
					err = os.WriteFile(filepath.Join(dir, device.StateFile), []byte(`{"version":1,"value":`+text+`}`), 0o600)
				} else {
					j, failed := journal.Open(s, 0)
					if failed != nil {
						t.Fatal(failed)
					}
					_, err = j.Done(journal.Outcome{State: json.RawMessage(text)})
					j.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
				s.Close()

				for range 2 { // this release, and once more
					r := start(t, dir, "")
					if !r.state.Relays["GPIO17"] {
						t.Error("the relay is not as it was left")
					}
					r.take(command("m1", "SetOption59", "1"))
					found(t, "noted", newest(t, copied(t, dir)))
					r.end(t)
				}
				data, err := os.ReadFile(filepath.Join(dir, device.StateFile))
				if err != nil {
					t.Fatal(err)
				}
				found(t, "saved", string(data))
			})
		})
	}
}

// newest is the last state in the journal.
func newest(t *testing.T, dir string) string {
	t.Helper()
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log, all, err := s.OpenLog(journal.File, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var state string
	for _, r := range all {
		if strings.Contains(string(r.Value), `"state":`) {
			state = string(r.Value)
		}
	}
	return state
}

func found(t *testing.T, where, text string) {
	t.Helper()
	for _, want := range []string{`"rules":["on power1 do x"]`, `"PulseTime":[7]`, `"140":1`, `"59":1`, `"26":1`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s without %s: %s", where, want, text)
		}
	}
}
