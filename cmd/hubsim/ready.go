package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// addresses are where a stand-in can be reached. They are the ready file.
type addresses struct {
	PID           int      `json:"pid"`
	Hubs          []string `json:"hubs"`
	Hub           string   `json:"hub"`       // host:port of the hubs' listener
	WebSocket     string   `json:"webSocket"` // host:port of the one for MQTT over WebSocket
	DPS           string   `json:"dps"`       // host:port
	Control       string   `json:"control"`   // host:port
	HubPort       int      `json:"hubPort"`
	WebSocketPort int      `json:"webSocketPort"`
	DPSPort       int      `json:"dpsPort"`
	ScopeID       string   `json:"scopeId"`
	CAFile        string   `json:"caFile,omitempty"`
	GroupKeyFile  string   `json:"groupKeyFile,omitempty"`
}

// announce tells people and, if there is a ready file, programs where all is.
func (a *addresses) announce(w io.Writer, ready string) error {
	if ready != "" {
		if err := a.write(ready); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("hub        %s, for %s\nWebSocket  wss://%s/$iothub/websocket\nDPS        https://%s, id scope %s\ncontrol    http://%s\n",
		a.Hub, strings.Join(a.Hubs, " and "), a.WebSocket, a.DPS, a.ScopeID, a.Control)
	if a.CAFile != "" {
		text += "CA         " + a.CAFile + "\n"
	}
	if a.GroupKeyFile != "" {
		text += "group key  " + a.GroupKeyFile + "\n"
	}
	_, err := io.WriteString(w, text+"Ctrl-C ends it.\n")
	return err
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
