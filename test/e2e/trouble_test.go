package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
)

func TestTokenIsRenewedWithoutLoss(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig(), "--token-ttl", "5s")
	b.subscribed("pump")
	n := 0
	for ; b.logins(0) < 4; n++ {
		b.command("pump", fmt.Sprint("m", n), "/power1", "toggle",
			map[int]string{0: `{"POWER1":"ON"}`, 1: `{"POWER1":"OFF"}`}[n%2])
	}
	b.completed("pump")
	b.waitLog("INFO", "token renewed", "gap")
	if got := b.moves("GPIO17"); got != n {
		t.Errorf("%d moves after %d commands", got, n)
	}
	if refused := b.logins(5); refused != 0 {
		t.Errorf("%d logins refused", refused)
	}
	for _, r := range b.cloud.Records() {
		if r.Properties["iothub-MessageType"] == "Will" {
			t.Fatal("a renewal left a will")
		}
	}
}

func TestLinkCutWithoutAWord(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	b.check(b.cloud.Freeze("pump")) // takes everything, answers nothing, like a lost route
	b.send("pump", "m1", "/power1", "on")
	b.online(2)
	if got := string(b.answer("m1").Body); got != `{"POWER1":"ON"}` {
		t.Errorf("answered %s", got)
	}
	b.completed("pump")
	if got := b.moves("GPIO17"); got != 1 {
		t.Errorf("%d moves, want 1", got)
	}
}

func TestRefusedTokenIsTriedAgain(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.check(b.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5, Count: 2}))
	b.start(b.keyConfig())
	b.waitLog("WARN", "CONNACK 5", "the key is wrong")
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
}

func TestHubWithAnUnknownRootIsNamed(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.check(b.cloud.Inject(hubsim.Fault{Kind: hubsim.UnknownRoot}))
	b.start(b.keyConfig())
	b.waitLog("WARN", "hubsim test root", "ca_file")
	b.subscribed("pump")
}

// The cloud lives three minutes ahead of this machine. Without the time server's
// correction a token of one minute would be void before it is made.
func TestClockThreeMinutesWrong(t *testing.T) {
	const ahead = 3 * time.Minute
	b := newBench(t, hubsim.Options{Now: func() time.Time { return time.Now().Add(ahead) }}, ahead)
	b.start(b.keyConfig(), "--token-ttl", "1m")
	b.subscribed("pump")
	if refused := b.logins(5); refused != 0 {
		t.Errorf("%d logins refused", refused)
	}
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
}

func TestTimeServersSilent(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.time.Silent.Store(true)
	config := b.keyConfig()
	b.start(config)
	b.waitLog("WARN", "part=clock")
	if got := b.level("GPIO17") + b.level("GPIO27"); got != "01" {
		t.Errorf("levels %s, want the relays to stand without a clock", got)
	}
	if got := len(b.cloud.Logins()); got != 0 {
		t.Errorf("%d logins with a clock that nobody vouched for", got)
	}
	b.time.Silent.Store(false)
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
}

func TestProvisioning(t *testing.T) {
	b := newBench(t, hubsim.Options{DPSRetryAfter: time.Second}, 0)
	config := b.dpsConfig()
	b.check(b.cloud.Inject(hubsim.Fault{
		Kind: hubsim.RefuseRegister, Code: http.StatusTooManyRequests, Delay: 2 * time.Second,
	}))
	b.start(config)
	b.subscribed("board-7")
	b.command("board-7", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	b.stop()

	// A restart does not ask again, not even a DPS that would say no.
	b.check(b.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: http.StatusNotFound, Count: hubsim.Always}))
	b.start(config)
	b.online(2)
	b.command("board-7", "m2", "/power1", "", `{"POWER1":"ON"}`)
	if got := b.moves("GPIO17"); got != 1 {
		t.Errorf("%d moves, want 1", got)
	}
}

func TestProvisioningRefusedIsExplained(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.dpsConfig()
	b.check(b.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: http.StatusNotFound}))
	b.start(config)
	b.waitLog("ERROR", "no enrollment", "404", "create an individual enrollment")
	if got := b.level("GPIO17"); got != "0" {
		t.Errorf("level %s while DPS refuses", got)
	}
}
