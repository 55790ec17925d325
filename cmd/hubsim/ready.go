package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// addresses are where a stand-in can be reached. They are the ready file.
type addresses struct {
	PID          int      `json:"pid"`
	Hubs         []string `json:"hubs"`
	Hub          string   `json:"hub"`     // host:port of the hubs' listener
	DPS          string   `json:"dps"`     // host:port
	Control      string   `json:"control"` // host:port
	HubPort      int      `json:"hubPort"`
	DPSPort      int      `json:"dpsPort"`
	ScopeID      string   `json:"scopeId"`
	CAFile       string   `json:"caFile,omitempty"`
	GroupKeyFile string   `json:"groupKeyFile,omitempty"`
}

func (a *addresses) announce(w io.Writer) {
	fmt.Fprintf(w, "hub        %s, for %v\n", a.Hub, a.Hubs)
	fmt.Fprintf(w, "DPS        https://%s, id scope %s\n", a.DPS, a.ScopeID)
	fmt.Fprintf(w, "control    http://%s\n", a.Control)
	if a.CAFile != "" {
		fmt.Fprintf(w, "CA         %s\n", a.CAFile)
	}
	if a.GroupKeyFile != "" {
		fmt.Fprintf(w, "group key  %s\n", a.GroupKeyFile)
	}
	fmt.Fprintln(w, "Ctrl-C ends it.")
}

// write replaces path in one step: whoever sees it may read it.
func (a *addresses) write(path string) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
