package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// call calls a direct method and shows what its caller is told.
func call(ctx context.Context, bin string, cloud addresses) error {
	say(`4. The cloud calls the direct method Power2 with "on", and waits for the answer`)
	answer, err := runOnce(ctx, filepath.Join(bin, "hubsim"), "--control", cloud.Control, "--json",
		"method", "invoke", "--device", board, "--method", "Power2", "--payload", `"on"`)
	if err != nil {
		return fmt.Errorf("%w: %s", err, answer)
	}
	if !strings.Contains(answer, `{"POWER2":"ON"}`) {
		return fmt.Errorf("the answer is %s", answer)
	}
	say("   the answer: %s", answer)
	return nil
}

// desire changes the twin and shows how the board acknowledges it.
func desire(ctx context.Context, bin string, cloud addresses) error {
	const patch = `{"relays":{"3":{"power":"ON"}}}`
	say("5. The cloud desires, in the twin: %s", patch)
	hubsim := func(args ...string) (string, error) {
		return runOnce(ctx, filepath.Join(bin, "hubsim"), append([]string{"--control", cloud.Control, "--json", "twin"}, args...)...)
	}
	if out, err := hubsim("update", "--device", board, "--desired", patch); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for {
		out, err := hubsim("show", "--device", board)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if relay, ok := acknowledged(out); ok {
			say("   the board reports: %s", relay)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// acknowledged returns what a twin reports of relay 3, when the wish is answered.
func acknowledged(twin string) (relay string, ok bool) {
	var t struct {
		Properties struct {
			Reported struct{ Relays map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal([]byte(twin), &t); err != nil {
		return "", false
	}
	var three struct {
		Ack struct{ AC int }
	}
	text := t.Properties.Reported.Relays["3"]
	return string(text), json.Unmarshal(text, &three) == nil && three.Ack.AC == 200
}
