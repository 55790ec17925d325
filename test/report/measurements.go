package main

// goal makes a target of a figure.
func goal(f figure, most float64) figure {
	f.most, f.aimed = most, true
	return f
}

var measurements = []measurement{
	{"go test -count=1 -v -run TestExposure ./test/hardened", []figure{
		goal(figure{name: "exposure of the unit, of 10", pattern: `Overall exposure level .*: ([0-9.]+) `}, 1.3),
	}},
	{"make -s hardened", []figure{
		{name: "end-to-end tests that pass inside the unit", pattern: `(\d+) of (\d+) end-to-end tests passed in the unit`},
		goal(figure{name: "system calls that the unit denied the daemon in them", pattern: `(\d+) system calls denied`}, 0),
	}},
	{"make -s doctor", []figure{
		{name: "faults that the doctor names, and no other", pattern: `(\d+) of (\d+) faults are named`},
	}},
	{"make -s canary", []figure{
		goal(figure{name: "planted keys found in what the program emits", pattern: `canary: .*: (\d+) hits`}, 0),
		{name: "leaks planted in the daemon that this search finds", pattern: `leaks planted in the daemon: (\d+) of (\d+) found`},
	}},
	{"go test -count=1 -v -run TestAtRest/amd64 ./test/report", atRest("amd64")},
	{"go test -count=1 -v -run TestAtRest/arm64 ./test/report", atRest("arm64")},
	{"make -s cross packages && stat -c '%n: %s' bin/tasmota-azd-* dist/*.deb", sizes()},
	{"FAULTLAB=long go test -count=1 -v -timeout 1h -run 'TestWear/^0$' ./test/faultlab", []figure{
		{name: "written to the card in a day without a command", pattern: `0 commands a day: (\d+) KB`, unit: " KB"},
	}},
}

// atRest are the figures of TestAtRest on a machine, which it reports in one line.
func atRest(arch string) []figure {
	on := arch + ", everything on, at rest: "
	return []figure{
		goal(figure{name: on + "resident memory", pattern: arch + ` at rest: resident ([0-9.]+) MiB`, unit: " MiB"}, 14),
		goal(figure{name: on + "of which anonymous", pattern: arch + ` at rest: .*anonymous ([0-9.]+) MiB`, unit: " MiB"}, 8),
		{name: on + "wake-ups a second", pattern: arch + ` at rest: .* ([0-9.]+) wake-ups`},
	}
}

// sizes are those of the programs and of the packages.
func sizes() (list []figure) {
	for _, arch := range []string{"armv6", "arm64", "amd64"} {
		f := figure{name: "size of the program, " + arch, pattern: `bin/tasmota-azd-` + arch + `: (\d+)`, unit: " bytes"}
		if arch == "armv6" {
			f = goal(f, 9_000_000)
		}
		list = append(list, f)
	}
	for _, arch := range []string{"armhf", "arm64", "amd64", "riscv64"} {
		list = append(list, figure{name: "size of the package, " + arch, pattern: `dist/tasmota-azd_\S+_` + arch + `\.deb: (\d+)`, unit: " bytes"})
	}
	return list
}
