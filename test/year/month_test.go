package year_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// The built daemon and the built hub, real TLS and the kernel's TCP, in a small kernel
// whose clock jumps when all sleep. Each hour somebody switches the relay.
const month = `
start || exit 1
hubsim monitor-events --json >/run/events &
resident() { awk '/^VmRSS/ {print $2}' /proc/$pid/status; }
files() { ls /proc/$pid/fd | wc -l; }
hours=HOURS
began=$(date +%s)
for hour in $(seq $hours); do
	sleep 3600
	send power1 toggle || exit 2
	[ $hour != $(( hours / 3 )) ] || echo "early $(resident) $(files)"
done
sleep 60
echo "late $(resident) $(files)"
echo "seconds $(( $(date +%s) - began ))"
echo "commands $hours"
echo "answers $(grep -c '/RESULT"' /run/events)"
echo "answered $(grep '/RESULT"' /run/events | grep -o '"correlation-id":"[^"]*"' | sort -u | wc -l)"
hubsim logins --json >/run/logins
echo "logins $(grep -o '"code":' /run/logins | wc -l)"
echo "accepted $(grep -o '"code":0' /run/logins | wc -l)"
echo "refused $(grep -o '"code":[^0]' /run/logins | wc -l)"
kill -0 $pid || exit 3
stop USR2
`

// TestMonth plays some hours, or with -days=366 thirty days.
func TestMonth(t *testing.T) {
	hours := 4
	if *days >= 300 {
		hours = 30 * 24
	}
	uml.Need(t, false)
	programs, err := pins.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := pins.Run(t, programs, pins.Scenario{
		Cloud:  true,
		Config: "relays:\n  - {name: Pump, pin: GPIO17}\n",
		Options: uml.Options{
			Args: []string{"--skip-idle"}, Timeout: 4*time.Minute + time.Duration(hours)*10*time.Second,
			Cmd: strings.ReplaceAll(month, "HOURS", strconv.Itoa(hours)),
		},
	})
	if r.Exit != 0 {
		t.Fatalf("exit %d\n%s\n%s", r.Exit, r.Stdout, tail(r.Stderr))
	}
	got := make(map[string][]int)
	for line := range strings.Lines(r.Stdout) {
		words := strings.Fields(line)
		for _, w := range words[1:] {
			if n, err := strconv.Atoi(w); err == nil {
				got[words[0]] = append(got[words[0]], n)
			}
		}
	}
	moves := 0
	for _, what := range r.Moves("GPIO17") {
		if strings.HasPrefix(what, "set ") {
			moves++
		}
	}
	fmt.Printf("month: %d hours, %v, %d levels driven\n", hours, got, moves)
	for what, want := range map[string]int{"commands": hours, "answers": hours, "answered": hours, "refused": 0} {
		if len(got[what]) != 1 || got[what][0] != want {
			t.Errorf("%s %v, want %d", what, got[what], want)
		}
	}
	if moves != hours+1 {
		t.Errorf("the pin was driven %d times, want %d", moves, hours+1)
	}
	if early, late := got["early"], got["late"]; late[0] > early[0]*5/4 || late[1] > early[1] {
		t.Errorf("memory and open files grew from %v to %v", early, late)
	}
	if got["seconds"][0] < hours*3600 || got["logins"][0] < hours*28/24 {
		t.Errorf("%v seconds and %v logins are too few", got["seconds"], got["logins"])
	}
}

// tail is the end of a log.
func tail(text string) string { return text[max(len(text)-4000, 0):] }
