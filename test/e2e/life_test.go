package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

func TestStopAndStartMoveNoRelay(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	b.start(config)
	b.subscribed("pump")
	b.command("pump", "m1", "/power0", "on", `{"POWER1":"ON"}`)
	b.command("pump", "m2", "/teleperiod", "60", `{"TelePeriod":60}`)
	b.completed("pump")
	b.stop()
	for _, r := range b.cloud.Records() {
		if r.Properties["iothub-MessageType"] == "Will" {
			t.Error("a stop in good order left a will: DISCONNECT was not sent")
		}
	}
	b.start(config)
	b.online(2)
	b.command("pump", "m3", "/power2", "", `{"POWER2":"ON"}`)
	b.command("pump", "m4", "/teleperiod", "", `{"TelePeriod":60}`)
	if b.moves("GPIO17") != 1 || b.moves("GPIO27") != 1 {
		t.Errorf("%d and %d moves, want only the one that was commanded", b.moves("GPIO17"), b.moves("GPIO27"))
	}
}

func TestKilledDaemonComesBackAsItWas(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	b.start(config)
	b.subscribed("pump")
	for n := range 5 {
		b.command("pump", fmt.Sprintf("on-%d", n), "/power1", "toggle",
			map[int]string{0: `{"POWER1":"ON"}`, 1: `{"POWER1":"OFF"}`}[n%2])
		b.completed("pump") // acknowledged means saved
		b.check(b.d.Kill())
		b.start(config)
		b.online(n + 2)
	}
	if got := b.moves("GPIO17"); got != 5 {
		t.Errorf("%d moves, want the 5 that were commanded", got)
	}
}

func TestCommandSentWhileTheDaemonIsDown(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	b.start(config)
	b.subscribed("pump")
	b.stop()
	b.send("pump", "m1", "/power1", "on")
	b.start(config)
	if got := string(b.answer("m1").Body); got != `{"POWER1":"ON"}` {
		t.Errorf("answered %s", got)
	}
	b.completed("pump")
}

func TestSecondDaemonLeavesAtOnce(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	first := b.start(config)
	b.subscribed("pump")
	before := len(b.cloud.Logins())
	second, err := lab.Start(daemon, config, t.Output(), nil)
	if err != nil {
		t.Fatal(err)
	}
	status, err := second.Wait()
	b.check(err)
	if status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if _, err := second.WaitLog(fmt.Sprint(first.PID), "in use"); err != nil {
		t.Error(err)
	}
	if len(b.cloud.Logins()) != before || b.moves("GPIO17")+b.moves("GPIO27") != 0 {
		t.Error("the second daemon touched a pin or the hub")
	}
}

func TestBrokenFileNamesEveryMistake(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.write("config.yaml", "hub:\n  host: https://h.azure-devices.net\n  prot: 8883\nrelays:\n  - {name: A, pin: GPIO17, active_lo: true}\n")
	for _, verb := range []string{"run", "check"} {
		out, err := exec.Command(daemon, verb, "--config", config).CombinedOutput()
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.ExitCode() != 78 {
			t.Errorf("%s: %v, want exit status 78", verb, err)
		}
		for _, want := range []string{config + ":2: ", config + ":3: ", "port", config + ":5: ", "active_low"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: output lacks %q:\n%s", verb, want, out)
			}
		}
	}
}

func TestCheckAcceptsAGoodFile(t *testing.T) {
	if os.Getenv("LAB_STARTER") != "" {
		t.Skip("the service is there, and may not enter a test's folder")
	}
	b := newBench(t, hubsim.Options{}, 0)
	out, err := exec.Command(daemon, "check", "--config", b.keyConfig()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "no mistakes") {
		t.Errorf("%v: %s", err, out)
	}
}

// What the unit does: SIGUSR2 comes before a restart, SIGTERM ends the service.
func TestStopOpensRelaysAndRestartDoesNot(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	text, err := os.ReadFile(config)
	b.check(err)
	b.write("config.yaml", strings.Replace(string(text), "on_stop: hold", "on_stop: off", 1))
	b.start(config)
	b.subscribed("pump")
	b.command("pump", "m1", "/power0", "on", `{"POWER1":"ON"}`)
	b.completed("pump")

	b.check(b.d.Signal(syscall.SIGUSR2))
	if status, err := b.d.Wait(); status != 0 || err != nil {
		t.Errorf("SIGUSR2: exit status %d, %v", status, err)
	}
	b.start(config)
	b.online(2)
	if b.moves("GPIO17") != 1 || b.moves("GPIO27") != 1 {
		t.Errorf("%d and %d moves after a restart, want only the one that was commanded", b.moves("GPIO17"), b.moves("GPIO27"))
	}
	b.stop()
	if b.level("GPIO17") != "0" || b.level("GPIO27") != "1" {
		t.Errorf("levels %s and %s after a stop, want 0 and 1: off", b.level("GPIO17"), b.level("GPIO27"))
	}
	b.waitLog("relay switched", "GPIO27", "on=false", "cause=stop")
	b.start(config)
	b.online(3)
	if b.level("GPIO17") != "1" || b.level("GPIO27") != "0" {
		t.Errorf("levels %s and %s after the next start, want 1 and 0: as before the stop", b.level("GPIO17"), b.level("GPIO27"))
	}
}
