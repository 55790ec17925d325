package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
)

// place writes a file with a mode, and returns its path.
func place(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file with a secret is refused if others may read or write it, whatever the secret
// is, and the message says how to close it.
func TestOpenSecretFiles(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "first", key, 0o600)
	for _, mode := range []os.FileMode{0o644, 0o602, 0o604, 0o666} {
		for _, tt := range []struct{ at, secret, text string }{
			{"hub.key_file", key, "hub: {host: h.example, key_file: ./secret}"},
			{"hub.secondary_key_file", strings.Repeat("QUJD", 8), "hub: {host: h.example, key_file: first, secondary_key_file: secret}"},
			{"hub.connection_string_file", connection, "hub: {connection_string_file: ./secret}"},
			{"dps.key_file", key, "dps: {scope_id: 0ne00223A39, key_file: ./secret}"},
		} {
			secret := place(t, dir, "secret", tt.secret, mode)
			path := place(t, dir, "config.yaml", tt.text+"\n"+relays, 0o644)
			want := fmt.Sprintf("others may read %s (mode %04o); run: chmod o-rwx %[1]s", secret, mode)
			_, err := config.Load(path, "")
			if err == nil || !strings.Contains(err.Error(), ":1: "+tt.at+": ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %04o: %v, want %q", tt.at, mode, err, want)
			}
		}
	}
}

// A name without a path is a credential's first, a path never.
func TestCredentials(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	other := strings.Repeat("QUJD", 8)
	place(t, dir, "both.key", other, 0o600)
	place(t, dir, "file.key", other, 0o600)
	place(t, credentials, "both.key", key+"\n", 0o400)
	for _, tt := range []struct{ name, credentials, want string }{
		{"both.key", credentials, key},
		{"./both.key", credentials, other},
		{filepath.Join(dir, "both.key"), credentials, other},
		{"file.key", credentials, other},
		{"both.key", "", other},
	} {
		path := place(t, dir, "config.yaml", "hub: {host: h.example, key_file: "+tt.name+"}\n"+relays, 0o644)
		cfg, err := config.Load(path, tt.credentials)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		sameKey(t, &cfg.Hub.Key, tt.want)
	}
}

// Outside the service there are no credentials, and the message says so.
func TestCredentialsOutside(t *testing.T) {
	dir := t.TempDir()
	for name, credentials := range map[string]string{"gone.key": dir, "./gone.key": "", dir + "/gone.key": ""} {
		path := place(t, dir, "config.yaml", "hub: {host: h.example, key_file: "+name+"}\n"+relays, 0o644)
		if _, err := config.Load(path, credentials); err == nil || strings.Contains(err.Error(), "credential") {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := place(t, dir, "config.yaml", "hub: {host: h.example, key_file: gone.key}\n"+relays, 0o644)
	if _, err := config.Load(path, ""); err == nil || !strings.HasSuffix(err.Error(), "(a credential of the unit is seen by the service alone)") {
		t.Errorf("gone.key: %v", err)
	}
}
