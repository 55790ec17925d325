package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tasmota-azd/test/document"
)

func TestRows(t *testing.T) {
	most := goal(figure{name: "x", pattern: `x: ([0-9.]+)`, unit: " MiB"}, 1400.5)
	of := figure{name: "y", pattern: `(\d+) of (\d+)`}
	failed := errors.New("exit status 1")
	for _, tt := range []struct {
		name, output string
		failed       error
		figure       figure
		want         row
	}{
		{"met", "    x_test.go:1: x: 1400.5\r\n", nil, most, row{"x", "1,400.5 MiB", "≤ 1,400.5 MiB", met, "c"}},
		{"not met, and so failed", "x: 1401", failed, most, row{"x", "1,401 MiB", "≤ 1,400.5 MiB", missed, "c"}},
		{"the worst", "x: 3\nx: 1400\nx: 5", nil, most, row{"x", "1,400 MiB", "≤ 1,400.5 MiB", met, "c"}},
		{"all", "39 of 39", nil, of, row{"y", "39 of 39", "all", met, "c"}},
		{"not all", "38 of 39", nil, of, row{"y", "38 of 39", "all", missed, "c"}},
		{"no target", "size: 9371810", nil, figure{name: "s", pattern: `size: (\d+)`}, row{"s", "9,371,810", "", none, "c"}},
		{"skipped", "    SKIPPED, there is no disk\n", nil, most, row{"x", "NOT MEASURED: there is no disk", "≤ 1,400.5 MiB", none, "c"}},
		{"failed", "panic", failed, most, row{"x", "NOT MEASURED: the command ends with exit status 1", "≤ 1,400.5 MiB", none, "c"}},
		{"silent", "", nil, most, row{"x", "NOT MEASURED: the command does not print it", "≤ 1,400.5 MiB", none, "c"}},
	} {
		if got := (measurement{"c", []figure{tt.figure}}).rows(tt.output, tt.failed); got[0] != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got[0], tt.want)
		}
	}
}

// Each command prints what it is asked for when it runs in a few seconds' time: the
// patterns stand here beside the lines of the tests that print them.
func TestPatterns(t *testing.T) {
	const said = `
    hardened_test.go:25: → Overall exposure level for tasmota-azd.service: 1.2 OK
    suite_test.go:90: 39 of 39 end-to-end tests passed in the unit
    suite_test.go:91: 0 system calls denied
    leaks_test.go:145: leaks planted in the daemon: 12 of 12 found, each on its surface
31 of 31 faults are named by their check and by no other.
    canary.go:207: canary: 9 surfaces x 7 shapes of 5 secrets (900 patterns), 812345 bytes searched: 0 hits
    rest_test.go:60: amd64 at rest: resident 13.6 MiB, anonymous 4.0 MiB, 0.92 wake-ups a second
    rest_test.go:60: arm64 at rest: resident 13.6 MiB, anonymous 4.0 MiB, 0.92 wake-ups a second
bin/tasmota-azd-armv6: 8000000
bin/tasmota-azd-arm64: 1
bin/tasmota-azd-amd64: 2
dist/tasmota-azd_0.1.0-1_armhf.deb: 3
dist/tasmota-azd_0.1.0-1_arm64.deb: 4
dist/tasmota-azd_0.1.0-1_amd64.deb: 5
dist/tasmota-azd_0.1.0-1_riscv64.deb: 6
    disk_test.go:64: 0 commands a day: 300 KB in 90 writes
`
	for _, m := range measurements {
		for _, r := range m.rows(said, nil) {
			if r.verdict == missed || r.value[0] == 'N' {
				t.Errorf("%+v", r)
			}
		}
	}
}

// What was not measured again stays, with when and where it was.
func TestMerged(t *testing.T) {
	one, two := measurements[0].figures[0].name, measurements[len(measurements)-1].figures[0].name
	const first, then = "yesterday, 0123", "today, 4567"
	var b strings.Builder
	if err := document.Table(&b, append([][]string{head}, merged("", []row{{name: one, value: "1.3", target: "≤ 1.3", verdict: met}, {name: two, value: "12 KB"}}, first)...)); err != nil {
		t.Fatal(err)
	}
	got := merged(b.String(), []row{{name: one, value: "1.2", target: "≤ 1.3", verdict: met}}, then)
	want := [][]string{
		{one, "1.2", "≤ 1.3", "met", then, "`" + measurements[0].command + "`"},
		{two, "12 KB", "", "", first, "`" + measurements[len(measurements)-1].command + "`"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
