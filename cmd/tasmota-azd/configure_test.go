package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/configs"
)

// say runs a command line without a configuration of its own.
func say(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command(&out, &out)
	cmd.SetIn(strings.NewReader(input))
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestConfigInit writes a file by flags and by answers, in place of nothing and of the
// sample as shipped. The file passes the check when the key is there.
func TestConfigInit(t *testing.T) {
	flags := []string{"--hub", "h.azure-devices.net", "--relay", "Pump=GPIO17", "--relay", "Gate=GPIO27"}
	for name, tt := range map[string]struct {
		before string
		input  string
		flags  []string
	}{
		"flags":            {"", "", flags},
		"answers":          {"", "hub\nh.azure-devices.net\n\n\n\nhigh\nPump\nGPIO17\nGate\nGPIO27\n\n", nil},
		"the sample stood": {configs.Sample, "", flags},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			if tt.before != "" {
				if err := os.WriteFile(file, []byte(tt.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := say(t, tt.input, append([]string{"config", "init", "--config", file}, tt.flags...)...)
			if err != nil || !strings.Contains(out, "device.key does not exist") || !strings.Contains(out, "tasmota-azd enroll") || !strings.Contains(out, "tasmota-azd check") {
				t.Fatalf("%v: %s", err, out)
			}
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
				t.Errorf("%v, %v; want mode 0640", info.Mode(), err)
			}
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), "device.key"), []byte(strings.Repeat("QUJD", 8)), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := say(t, "", "check", "--only", "file", "--config", file); err != nil || !strings.Contains(out, "no mistakes; 2 relay(s)") {
				t.Errorf("check: %v: %s", err, out)
			}
			if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 2 {
				t.Errorf("%v, %v; want the file and the key", files, err)
			}
		})
	}
}

// TestConfigInitRefuses: what is wrong is not written, and nothing is written over what
// somebody has edited.
func TestConfigInitRefuses(t *testing.T) {
	good := []string{"--hub", "h.azure-devices.net", "--relay", "Pump=GPIO17"}
	for name, tt := range map[string]struct {
		before string
		flags  []string
		want   string
	}{
		"edited":          {configs.Sample + "\n", good, "exists already"},
		"empty":           {" ", good, "exists already"},
		"wrong host":      {"", []string{"--hub", "mqtts://h", "--relay", "Pump=GPIO17"}, "nothing is written: hub.host: "},
		"wrong pin":       {"", []string{"--hub", "h.azure-devices.net", "--relay", "Pump=GPIO017"}, "nothing is written: relays[0].pin: "},
		"the key itself":  {"", append([]string{"--key-file", "c2FtcGxlIG9ubHksIG5vdCBhIHJlYWwga2V5ISEhISE="}, good...), "looks like the secret itself"},
		"no pin":          {"", []string{"--hub", "h.azure-devices.net", "--relay", "Pump"}, "such as Pump=GPIO17"},
		"nobody to ask":   {"", nil, "--help"},
		"not enough said": {"", []string{"--hub", "h.azure-devices.net"}, "at least one relay"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			if tt.before != "" {
				if err := os.WriteFile(file, []byte(tt.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := say(t, "", append([]string{"config", "init", "--config", file}, tt.flags...)...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error()+out, "c2FtcGxl") {
				t.Errorf("%v: %s; want %q", err, out, tt.want)
			}
			text, err := os.ReadFile(file)
			if tt.before == "" && err == nil || string(text) != tt.before {
				t.Errorf("the file is now %q (%v)", text, err)
			}
		})
	}
}

// TestConfigSchema: it is JSON, and a file names it where an editor looks.
func TestConfigSchema(t *testing.T) {
	out, err := say(t, "", "config", "schema")
	var schema struct {
		Schema     string `json:"$schema"`
		Properties map[string]any
	}
	if err != nil || json.Unmarshal([]byte(out), &schema) != nil || schema.Schema == "" || schema.Properties["hub"] == nil {
		t.Errorf("%v: %.200s", err, out)
	}
	if first, _, _ := strings.Cut(configs.Sample, "\n"); first != "# yaml-language-server: $schema=/usr/share/tasmota-azd/config.schema.json" {
		t.Errorf("the sample begins with %q", first)
	}
}
