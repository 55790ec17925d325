package pins_test

import "fmt"

// A scenario is a story of four relays, A to D, of which C and D close at low.
type scenario struct {
	name    string
	steps   string // with the words of steps.sh; $A to $D are the lines, $E is another
	gpio    string // further keys of gpio: than driver
	cloud   bool   // commands are sent
	systemd bool   // makes sense under systemd only
	bare    bool   // makes sense without systemd only
	short   form   // where the short form of the table plays it
	long    bool   // in some places only, for that alone
	letGo   string // why systemd lets go of lines, so that the kernel decides
	release string // why the daemon lets go of lines, wherever it was started
}

// A form says in which places of the short form a scenario is played.
type form int

const (
	fullOnly form = iota
	bareToo       // where the daemon was started bare
	unitToo       // under systemd
	bothToo
)

// in tells whether the short form plays it there.
func (f form) in(systemd bool) bool {
	return f == bothToo || f == unitToo && systemd || f == bareToo && !systemd
}

const dropped = "systemd 252 drops its store at a stop"

// begins is how most of them begin: two relays are on, two off.
const begins = `saved "on off on off"; wanted on off on off; up; are on off on off; `

// After a power cut the relays are as they were saved, or off if that is lost.
const (
	restored = `wanted on off on off; up; are on off on off`
	lost     = `wanted off off off off; up; are off off off off; became "counts as missing\|was set aside"`
)

// scenarios are those of one boot; each starts with lines that nobody has driven.
var scenarios = append(coldStarts(), []scenario{
	{name: "warm start", short: bareToo, steps: `saved "on off on off" '{"PowerOnState":1}' $boot; wanted on off on off; up; are on off on off`},
	{name: "commands", short: bareToo, cloud: true, steps: begins + `
		obeys() { wanted $3 $4 $5 $6; send $1 $2; until are $3 $4 $5 $6; do sleep 0.02; done; }
		obeys power2 on on on on off
		obeys power3 toggle on on off off
		obeys power0 on on on on on
		obeys power0 off off off off off`},
	{name: "SIGTERM with on_stop off, start", short: bothToo, gpio: "on_stop: off", letGo: dropped, steps: begins + `
		wanted off off off off; down; wanted on off on off; up; are on off on off`},
	{name: "SIGTERM with on_stop hold, start", short: bareToo, gpio: "on_stop: hold", letGo: dropped, steps: begins + `down; up; are on off on off`},
	{name: "kill -9, start", short: bothToo, steps: begins + `killed; are on off on off`},
	{name: "restart", short: bothToo, steps: begins + `restart; are on off on off; restart; are on off on off`},
	{name: "upgrade: another binary, restart", short: unitToo, steps: begins + `upgrade; are on off on off`},
	{name: "file changed: B gone, C inverted, E new", short: bareToo, letGo: "B is released, in its off state", steps: `
		saved "on on on off"; wanted on on on off; up
		sed -i '/name: B/d; /name: C/s/, active_low: true//' $config; echo "  - {name: E, pin: $E}" >>$config
		want $E=0
		# Under systemd B is ours still, and goes off; C has its level still, and is off now.
		# Without it B is the kernel's, and C on as it was saved.
		if [ "$systemd" ]; then want $B=0; else want $C=1; fi
		restart; restart`},
	{name: "file broken, then mended", short: unitToo, steps: begins + `
		good; echo "rellays: []" >>$config; refused rellays; mended; are on off on off
		sed -i "s/pin: $A/pin: GPIO71/" $config; refused GPIO71; mended; are on off on off`},
	{name: "reload: nothing changed, then E added", short: bothToo, steps: begins + `
		reload; are on off on off
		echo "  - {name: E, pin: $E}" >>$config; want $E=0; reload; are on off on off
		[ ! "$systemd" ] || restart; are on off on off`},
	{name: "reload: B removed", short: bothToo, release: "B is released, in its off state", steps: `
		saved "on on on off"; wanted on on on off; up
		sed -i '/name: B/d' $config; want $B=0; reload; are on - on off
		[ ! "$systemd" ] || restart; are on - on off`},
	{name: "reload: C inverted", short: bothToo, steps: begins + `
		sed -i '/name: C/s/, active_low: true//' $config; want $C=1; reload; are on off off off
		[ ! "$systemd" ] || restart`},
	{name: "reload: B gone, C inverted, E new", release: "B is released, in its off state", steps: `
		saved "on on on off"; wanted on on on off; up
		sed -i '/name: B/d; /name: C/s/, active_low: true//' $config; echo "  - {name: E, pin: $E}" >>$config
		want $B=0 $C=1 $E=0; reload
		[ ! "$systemd" ] || restart`},
	{name: "reload: the file broken in three ways, then good", short: bothToo, steps: begins + `
		good; echo "rellays: []" >>$config; kept rellays; are on off on off
		cp /run/good.yaml $config; echo "  - {name: E, pin: GPIO71}" >>$config; kept GPIO71; are on off on off
		cp /run/good.yaml $config; echo "  - {name: E, pin: $A}" >>$config; kept "$A"; are on off on off
		cp /run/good.yaml $config; reload; are on off on off
		[ ! "$systemd" ] || restart; are on off on off`},
	{name: "line held by another, then free", short: bareToo, letGo: "the other lets go of B", steps: `saved "on off on off"
		hold run $B open=low pause & holder=$!; gpio wait $B 0; until hold find $B | grep -q InUse; do sleep 0.05; done
		wanted free - free free; fails 'in use\|busy'
		wanted on off on off; kill $holder; recovers; are on off on off`},
	{name: "crash loop: 10 times kill -9", steps: begins + `for i in 0 1 2 3 4 5 6 7 8 9; do killed; done; are on off on off`},
	{name: "watchdog: the process is stopped, and killed", short: unitToo, systemd: true,
		steps: `mkdir -p /run/systemd/system/tasmota-azd.service.d; printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/tasmota-azd.service.d/watchdog.conf
		systemctl daemon-reload; ` + begins + `
		again systemctl kill -s STOP --kill-who=main tasmota-azd; became "Watchdog timeout"; are on off on off`},
	{name: "stop while no daemon runs, start", short: unitToo, systemd: true, letGo: dropped, steps: begins + `
		good; echo "rellays: []" >>$config; refused rellays; down; cp /run/good.yaml $config; up; are on off on off`},
	{name: "power cut: the new state half written", steps: `saved "on off on off"; cd $state; head -c 40 state >.state.tmp; ` + restored},
	{name: "power cut: the saved state empty", short: bareToo, steps: `saved "on off on off"; : >$state/state; ` + lost},
	{name: "power cut: the saved state half there", steps: `saved "on off on off"; cd $state; head -c 40 state >half; mv half state; ` + lost},
	{name: "power cut: the journal cut short", short: bareToo, bare: true, steps: begins + `
		until [ -s $state/journal ]; do sleep 0.05; done; stop KILL || true
		size=$(wc -c <$state/journal); head -c $((size - 10)) $state/journal >$state/half; mv $state/half $state/journal
		` + restored},
	{name: "1,000 starts, every second after kill -9", bare: true, long: true, steps: begins + `
		for i in $(seq 500); do stop USR2; swift; stop KILL || swift; done; are on off on off`},
	{name: "100 systemctl restart", systemd: true, long: true, steps: begins + `for i in $(seq 100); do restart; done; are on off on off`},
}...)

// coldStarts are starts after a power-on, with each PowerOnState.
func coldStarts() []scenario {
	list := []scenario{{name: "cold start, SetOption0 off", steps: `
		saved "on off on off" '{"SetOption":{"0":0}}'; wanted off off off off; up; are off off off off`}}
	for n, want := range []struct{ saved, unsaved string }{
		{"off off off off", "off off off off"},
		{"on on on on", "on on on on"},
		{"off on off on", "off off off off"},
		{"on off on off", "off off off off"},
		{"on on on on", "on on on on"},
	} {
		start := `saved "%s" '{"PowerOnState":%d}'; wanted %s; up; are %[3]s` + "\n"
		one := scenario{name: fmt.Sprintf("cold start, PowerOnState %d", n), steps: fmt.Sprintf(start, "on off on off", n, want.saved)}
		if n == 4 { // locked
			one.cloud = true
			one.steps += "send power1 off; became command=POWER; are on on on on"
		}
		if n == 3 || n == 4 {
			one.short = bareToo
		}
		list = append(list, one, scenario{name: one.name + ", nothing saved", steps: fmt.Sprintf(start, "", n, want.unsaved)})
	}
	return list
}
