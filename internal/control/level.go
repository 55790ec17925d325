package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// Levels are the words for how much is logged.
var Levels = []string{"debug", "info", "warn", "error"}

// A level is the body of a question about the log's level, and of its answer.
type level struct {
	Level string `json:"level"`
}

// LogLevel makes the daemon log from this level on, one of Levels, until it ends. With
// "" it changes nothing. It returns the level in force.
func (c *Client) LogLevel(ctx context.Context, want string) (string, error) {
	if want == "" {
		var is level
		err := c.ask(ctx, http.MethodGet, "/v1/log-level", nil, &is)
		return is.Level, err
	}
	body, err := json.Marshal(level{want})
	if err != nil {
		return "", err
	}
	var is level
	err = c.ask(ctx, http.MethodPut, "/v1/log-level", body, &is)
	return is.Level, err
}

func (o *Options) level(w http.ResponseWriter, _ *http.Request) {
	answer(w, level{strings.ToLower(o.Level.Level().String())}, nil)
}

func (o *Options) setLevel(w http.ResponseWriter, r *http.Request) {
	var in level
	var want slog.Level
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !slices.Contains(Levels, in.Level) || want.UnmarshalText([]byte(in.Level)) != nil {
		fail(w, http.StatusBadRequest, "the level must be one of "+strings.Join(Levels, ", "))
		return
	}
	if was := o.Level.Level(); was != want {
		o.Level.Set(min(was, want, slog.LevelWarn)) // or else nobody would see it
		o.Log.Warn("another level of the log", "from", was, "to", want, "who", peerOf(r).String())
		o.Level.Set(want)
	}
	o.level(w, r)
}
