package device_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"tasmota-azd/internal/device"
)

// peek reads the saved state beside the running daemon.
func peek(t *testing.T, dir string) device.State {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, device.StateFile))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Value device.State }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Value
}
