// Command demo shows the whole way once: it starts hubsim and the daemon with four
// simulated relays, lets the daemon provision itself by DPS, sends it a "toggle",
// and shows the pin move and the answer arrive; then it calls a direct method and
// changes the twin. Then it keeps running, so that one can try more. It is what `make demo` runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"tasmota-azd/internal/hubsim"
)

const (
	board = "demo-board"
	pin   = "GPIO17"
)

func main() {
	duration := flag.Duration("duration", 0, "end after this time, with exit status 0 only if all was answered; 0: until Ctrl-C")
	bin := flag.String("bin", "bin", "directory of the built programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}
	if err := run(ctx, *bin); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

// run is the demo. Whatever ends it, everything it started is ended too.
func run(ctx context.Context, bin string) error {
	dir, err := os.MkdirTemp("", "tasmota-azd-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var all processes
	defer all.stop()

	say("1. The cloud: a local stand-in of IoT Hub and DPS (%s/hubsim)", bin)
	cloud, err := startCloud(ctx, &all, bin, dir)
	if err != nil {
		return err
	}
	say("2. The board: %s/tasmota-azd with four simulated relays", bin)
	config, err := writeConfig(dir, cloud)
	if err != nil {
		return err
	}
	events, err := all.start("cloud", asEvent, filepath.Join(bin, "hubsim"), "--control", cloud.Control, "--json", "monitor-events", "--since", "0")
	if err != nil {
		return err
	}
	device, err := all.start("board", asIs, filepath.Join(bin, "tasmota-azd"), "run", "--config", config)
	if err != nil {
		return err
	}
	if err := events.wait(ctx, board+"/STATE"); err != nil {
		return giveUp("the board did not reach the cloud", err, device)
	}
	if err := toggle(ctx, bin, dir, cloud, events); err != nil {
		return giveUp("the toggle was not answered", err, device)
	}
	if err := call(ctx, bin, cloud); err != nil {
		return giveUp("the method was not answered", err, device)
	}
	if err := desire(ctx, bin, cloud); err != nil {
		return giveUp("the twin was not acknowledged", err, device)
	}
	say("6. It works. Type in another terminal:")
	fmt.Printf("\n   %s/hubsim%s c2d send --device %s --topic /power2 --body toggle\n\n   (or --topic /status0; the pins are files in %s; Ctrl-C ends everything)\n\n",
		bin, cloud.controlFlag(), board, filepath.Join(dir, "pins"))
	select {
	case <-ctx.Done():
	case <-device.ended:
		return errors.New("the daemon ended by itself")
	}
	say("Ending.")
	return nil
}

// toggle sends the command and waits for the pin and for the answer.
func toggle(ctx context.Context, bin, dir string, cloud addresses, events *process) error {
	say("3. The cloud sends: Topic=/power1, body toggle. %s is %s", pin, level(dir))
	before := level(dir)
	send, err := runOnce(ctx, filepath.Join(bin, "hubsim"), "--control", cloud.Control,
		"c2d", "send", "--device", board, "--message-id", "demo-1", "--topic", "/power1", "--body", "toggle")
	if err != nil {
		return fmt.Errorf("%w: %s", err, send)
	}
	if err := events.wait(ctx, `demo-1`); err != nil {
		return err
	}
	after := level(dir)
	if before == after {
		return fmt.Errorf("answered, but %s is still %s", pin, after)
	}
	say("   %s moved from %s to %s, and the answer arrived", pin, before, after)
	return nil
}

// asEvent shows what the cloud received: its topic and its body.
func asEvent(line string) string {
	var r hubsim.Record
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return line
	}
	return r.Properties["topic"] + "  " + string(r.Body)
}

// level is the electrical level of the first relay's pin.
func level(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "pins", pin))
	if err != nil {
		return "not driven"
	}
	return string(data)
}

// writeConfig writes the board's configuration, as its owner would.
func writeConfig(dir string, cloud addresses) (string, error) {
	text := fmt.Sprintf(`hub:
  port: %d
  device_id: %s
  ca_file: %s
dps:
  scope_id: %s
  endpoint: localhost:%d
  key_file: %s
  ca_file: %s
ntp:
  servers: []          # the stand-in lives on this machine's clock
gpio: {driver: sim, sim_dir: %s, max_per_minute: 0}
relays:
  - {name: Pump, pin: GPIO17}
  - {name: Gate, pin: GPIO27}
  - {name: Light, pin: GPIO22}
  - {name: Heater, pin: GPIO23, active_low: true}
state_dir: %s
log: {level: info, format: text}
`, cloud.HubPort, board, cloud.CAFile, cloud.ScopeID, cloud.DPSPort, cloud.GroupKeyFile, cloud.CAFile,
		filepath.Join(dir, "pins"), filepath.Join(dir, "state"))
	path := filepath.Join(dir, "config.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// giveUp words the end of a demo that did not work, with the board's last lines.
func giveUp(what string, err error, device *process) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("the time was up")
	}
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C
	}
	return fmt.Errorf("%s: %w; the board said last:\n%s", what, err, strings.Join(device.last(5), "\n"))
}

func say(format string, args ...any) {
	fmt.Printf("\n== "+format+"\n", args...)
}
