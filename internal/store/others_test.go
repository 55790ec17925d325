package store_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/store"
)

// TestMembersOfALaterRelease: they are saved along, as long as the object is there to which
// they belong.
func TestMembersOfALaterRelease(t *testing.T) {
	type inner struct {
		A int `json:"a"`
	}
	type value struct {
		Plain  int              `json:"plain"`
		Inner  inner            `json:"inner"`
		Gone   inner            `json:"gone,omitzero"`
		ByName map[string]inner `json:"by_name"`
		List   []inner          `json:"list"`
	}
	s, dir, log := open(t)
	write(t, dir, "a", []byte(`{"version":1,"value":{"plain":1,"new":{"x":[1,null]},"inner":{"a":1,"b":2},"gone":{"a":1,"b":2},
		"by_name":{"stays":{"a":1,"b":2},"goes":{"a":1,"b":2}},"list":[{"a":1,"b":2}],"zero":0}}`))
	var v value
	if ok, err := s.Load("a", &v); !ok || err != nil {
		t.Fatal(ok, err)
	}
	v.Plain, v.Inner.A, v.Gone = 2, 2, inner{}
	delete(v.ByName, "goes")
	const want = `{"version":1,"value":{"by_name":{"stays":{"a":1,"b":2}},"inner":{"a":2,"b":2},"list":[{"a":1}],"new":{"x":[1,null]},"plain":2,"zero":0}}`
	for _, wrote := range []bool{true, false} {
		if did, err := s.Save("a", v); did != wrote || err != nil {
			t.Errorf("Save: %v, %v", did, err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "a")); strings.TrimSpace(string(got)) != want {
			t.Errorf("saved %s want  %s", got, want)
		}
	}
	if text, err := s.Pack("b", v); err != nil || strings.Contains(string(text), "new") {
		t.Errorf("another file got %s, %v", text, err)
	}
	s.Keep("a", json.RawMessage(`{"plain":2}`), value{})
	if text, err := s.Pack("a", 7); err != nil || string(text) != "7" {
		t.Errorf("a number became %s, %v", text, err)
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
}

// TestTooMuchOfALaterRelease: the state of this one is saved all the same.
func TestTooMuchOfALaterRelease(t *testing.T) {
	s, dir, log := open(t)
	write(t, dir, "a", []byte(`{"version":1,"value":{"period":1,"new":"`+strings.Repeat("x", store.MaxSize/2)+`"}}`))
	var v settings
	if ok, err := s.Load("a", &v); !ok || err != nil || v.Period != 1 {
		t.Fatal(ok, err, v)
	}
	if _, err := s.Save("a", v); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "a later release wrote") {
		t.Errorf("logged %s", log)
	}
}
