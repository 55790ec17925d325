package e2e

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

// The numbers, on the socket and at an address, with every one that an alert asks for.
func TestMetrics(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	address := free(t)
	config := b.keyConfig()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "metrics: {listen: \""+address+"\"}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start(config)
	b.subscribed("pump")
	b.asked([]string{"cmd", "Power1", "toggle"}, `{"POWER1":"ON"}`)
	page := b.asked([]string{"metrics"},
		`tasmota_relay_on{relay="1",`, `tasmota_relay_moves_total{relay="1",pin="GPIO17",door="local"} 1`+"\n",
		`tasmota_command_duration_seconds_count{door="local"} 1`+"\n", `tasmota_commands_total{door="local",outcome="done"} 1`+"\n",
		"tasmota_session_connected 1\n", "tasmota_sessions_total 1\n", "tasmota_renewal_gap_seconds_count 0\n", "tasmota_clock_proven 1\n")
	if at := get(t, "http://"+address+"/metrics"); families(at) != families(page) {
		t.Errorf("at the address:\n%s\non the socket:\n%s", families(at), families(page))
	}
	if resp, err := http.Get("http://" + address + "/v1/status"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the address answers more than it should: %v, %v", resp, err)
	}
	// Those that come with a limit, and with trouble.
	may := families(page) + " tasmota_quota_messages tasmota_quota_limit_messages tasmota_connection_failures_total tasmota_command_duration_seconds_bucket up"
	alerts := filepath.Join("..", "..", "configs", "alerts.yaml")
	for _, name := range asks(t, alerts) {
		if !slices.Contains(strings.Fields(may), name) {
			t.Errorf("an alert asks for %s, which there is not", name)
		}
	}
	promtool(t, page, "check", "metrics")
	promtool(t, "", "check", "rules", alerts)
}

// How much is logged changes without a restart.
func TestLogLevel(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	b.asked([]string{"log-level"}, "debug\n")
	b.asked([]string{"log-level", "error"}, "error\n")
	b.asked([]string{"cmd", "Power1", "on"}, "ON")
	b.asked([]string{"log-level", "debug"}, "debug\n")
	b.asked([]string{"cmd", "Power1", "off"}, "OFF")
	if out, err := b.ask("log-level", "loud"); err == nil || !strings.Contains(out, "debug, info, warn, error") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := b.d.WaitLog("command done", "arg=off"); err != nil {
		t.Fatal(err)
	}
	log := strings.Join(b.d.Log(), "\n")
	if n := strings.Count(log, "another level of the log"); n != 2 {
		t.Errorf("%d changes are logged", n)
	}
	if strings.Contains(log, "arg=on") {
		t.Errorf("the level is not in force:\n%s", log)
	}
}

// free is an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, body)
	}
	return string(body)
}

// families are the names that a page of metrics has.
func families(text string) string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return strings.Join(all, " ")
}

// asks are the metrics that the rules in a file ask for.
func asks(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +expr: (.+)`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, regexp.MustCompile(`\b(tasmota_\w+|process_\w+|go_\w+|up)\b`).FindAllString(m[1], -1)...)
	}
	if len(names) < 10 {
		t.Fatalf("only %q found in %s", names, file)
	}
	return names
}

// promtool runs Prometheus's own judgement.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Run("promtool "+strings.Join(args[:2], " "), func(t *testing.T) {
		path, err := exec.LookPath("promtool")
		if err != nil {
			t.Skip("SKIPPED, there is no promtool (Debian's package prometheus)")
		}
		cmd := exec.Command(path, args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil || stdin != "" && len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
