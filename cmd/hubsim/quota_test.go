package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestQuota(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"), "--quota", "8000", "--meter", "512")
	c.run("device", "create", "pump")
	c.run("quota", "spend", "--messages", "7999")
	c.run("c2d", "send", "--device", "pump")
	if got := c.run("quota", "show"); !strings.Contains(got, "localhost  8000  8000   512    ") || !strings.HasSuffix(got, "drop          refuse\n") {
		t.Errorf("quota show:\n%s", got)
	}
	if _, err := c.try("c2d", "send", "--device", "pump"); err == nil || !strings.Contains(err.Error(), "403002") {
		t.Errorf("c2d send: %v", err)
	}
	c.run("quota", "set", "--connect", "sever")
	c.run("c2d", "send", "--device", "pump")
	if got := c.run("quota", "show", "--json"); !strings.Contains(got, `"limit":0,"meter":4096,"publish":"drop","connect":"sever"`) {
		t.Errorf("quota show --json: %s", got)
	}
	c.run("throttle", "--rate", "0.5")
	for _, args := range [][]string{{"quota", "set", "--connect", "x"}, {"throttle", "--rate", "-1"}, {"quota", "spend", "--hub", "x"}} {
		if _, err := c.try(args...); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	must(t, c.stop())
}
