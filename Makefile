# tasmota-azd. `make` builds; `make test` is what CI runs; `make demo` shows it.

GO        ?= go
VERSION   := 0.1.0
# When it was released: every date in what is built is this one, so that two builds of
# one commit are the same.
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
BUILDTIME := $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%S)
LDFLAGS   := -s -w -X main.version=$(VERSION) -X main.buildTime=$(BUILDTIME)
# HTTP/2 is left out of net/http, by Go's own build tag: DPS is asked a few times in
# the life of a device, over HTTP/1.1, and the programs become 260 kB smaller.
TAGS      := nethttpomithttp2
# What no command goes through is built without inlining, which makes the programs 5 %
# smaller, and neither a command nor the start slower (docs/performance.md). The arithmetic
# of a handshake is not among it: where it has no assembler, as on ARM, it would take thrice.
COLD      := ./cmd/... ./internal/bundle ./internal/doctor ./internal/enroll ./internal/config/... ./internal/boards/... \
	./internal/clock ./internal/identity ./internal/dps ./internal/control ./internal/certificate ./internal/system/... ./internal/relay/gpiochip \
	gopkg.in/yaml.v3 github.com/spf13/... periph.io/... github.com/gorilla/websocket github.com/beevik/ntp \
	github.com/coreos/... github.com/warthog618/... golang.org/x/net/... vendor/golang.org/x/... \
	net net/http/... net/netip net/textproto net/url mime/... math/big reflect crypto/tls crypto/x509/...
BUILD     := CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' $(COLD:%=-gcflags=%=-l)
TOOL      := $(GO) tool -modfile=tools/go.mod
SOURCES   := $(shell git ls-files '*.go' 'configs/boards/*.yaml' go.mod go.sum 2>/dev/null)
DURATION  ?=

.PHONY: all
all: bin/tasmota-azd bin/hubsim

bin/tasmota-azd: $(SOURCES)
	$(BUILD) -o $@ ./cmd/tasmota-azd

bin/hubsim: $(SOURCES)
	$(BUILD) -o $@ ./cmd/hubsim

# The boards: Pi Zero and 1 (armv6), Pi 2 to 5 with a 64-bit system, PCs.
.PHONY: cross
cross:
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o bin/tasmota-azd-armv6 ./cmd/tasmota-azd
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o bin/hubsim-armv6 ./cmd/hubsim
	GOOS=linux GOARCH=arm64 $(BUILD) -o bin/tasmota-azd-arm64 ./cmd/tasmota-azd
	GOOS=linux GOARCH=amd64 $(BUILD) -o bin/tasmota-azd-amd64 ./cmd/tasmota-azd

# The packages of all boards, with what is in them (CycloneDX) and checksums, in dist.
# DEBS are Debian's names of the architectures; make packages DEBS=arm64 builds one.
DEBS        := armhf arm64 amd64 riscv64
for_armhf   := GOARCH=arm GOARM=6
for_arm64   := GOARCH=arm64
for_amd64   := GOARCH=amd64
for_riscv64 := GOARCH=riscv64

.PHONY: packages
packages: $(DEBS:%=dist/%/tasmota-azd)
	VERSION=$(VERSION) packaging/build.sh $(DEBS)

# Each time, since it holds the date of the commit.
dist/%/tasmota-azd: FORCE
	GOOS=linux $(for_$*) $(BUILD) -buildvcs=false -o $@ ./cmd/tasmota-azd

.PHONY: FORCE
FORCE:

# Signs the checksums, as SHA256SUMS.asc, with a key of the GnuPG of whoever releases:
# make sign-packages SIGNING_KEY=name@example.com. gpgv, which every Debian has, verifies it.
.PHONY: sign-packages
sign-packages:
	@[ -n "$(SIGNING_KEY)" ] || { echo "SIGNING_KEY= names no key"; exit 2; }
	cd dist && gpg --batch --yes --local-user '$(SIGNING_KEY)' --armor --detach-sign SHA256SUMS

# Builds the packages of this commit once more, in another folder, and compares.
.PHONY: verify-release
verify-release:
	packaging/verify.sh $(DEBS)

# Everything CI runs: format, vet, staticcheck, unit tests, vectors, fuzz seeds and
# the built binaries under the race detector, then Microsoft's SDK against hubsim.
# gotestsum counts the skips and says what each of them misses.
.PHONY: test
test: lint cross all licences
	$(TOOL) gotestsum --format pkgname-and-test-fails -- -race -timeout 15m ./...
	$(MAKE) conformance

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) fix -diff ./...
	$(TOOL) staticcheck ./...

# The licences of all that is in the program; fails if nobody has agreed to one.
.PHONY: licences
licences: bin/tasmota-azd
	@$(GO) run ./packaging/copyright bin/tasmota-azd >/dev/null

.PHONY: conformance
conformance: bin/hubsim
	cd conformance && npm ci --silent && HUBSIM=$(CURDIR)/bin/hubsim npm test --silent

# make demo ends with Ctrl-C; make demo DURATION=10s ends by itself, with exit status 0
# only if the command was answered.
.PHONY: demo
demo: all
	$(GO) run ./test/demo $(if $(DURATION),-duration $(DURATION))

# bin/bare is a paho program that does the same work and nothing else, bin/edge what
# measures edges in the small kernel.
.PHONY: bench
bench: all cross
	$(BUILD) -o bin/bare ./test/bench/bare
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o bin/bare-armv6 ./test/bench/bare
	GOOS=linux GOARCH=arm64 $(BUILD) -o bin/bare-arm64 ./test/bench/bare
	GOOS=linux GOARCH=amd64 $(BUILD) -o bin/bare-amd64 ./test/bench/bare
	$(BUILD) -o bin/edge ./test/bench/edge
	$(GO) run ./test/bench

# What the built daemon did to pins: scenarios, drivers, boards; it takes long.
# Prints the table, puts it into docs/pins.md, and fails if a test did. With
# SCENARIOS=reload only those that begin so are played, and the other rows stay.
.PHONY: pins
pins:
	@mkdir -p bin && rm -f bin/pins.rows
	@status=0; PINS_SCENARIOS="$(SCENARIOS)" PINS_ROWS=$(CURDIR)/bin/pins.rows $(TOOL) gotestsum --format testname -- \
		-count 1 -timeout 3h -run 'TestScenarios|TestPowerCut' ./test/pins || status=$$?; \
	$(GO) run ./test/pins/table bin/pins.rows docs/pins.md $(SCENARIOS) && exit $$status

.PHONY: bench-renewal
bench-renewal:
	$(GO) run ./test/bench/renewal

# Ten thousand devices after an outage of the hub: arrivals against its limits.
.PHONY: herd
herd:
	$(GO) test -count=1 -v -run '^TestHerd$$' ./internal/hub ./internal/identity

# A year of the daemon's parts in invented time, and thirty days of the built programs
# in the small kernel's simulated time. `make test` plays the first weeks and hours.
.PHONY: year
year:
	$(GO) test -v -count=1 -timeout 3h ./test/year -args -days=366

# The built daemon behind a network that misbehaves, and on a disk that does. Prints
# what became of each command, and puts it into docs/reliability.md.
.PHONY: faultlab
faultlab:
	FAULTLAB=long $(GO) test -v -count 1 -timeout 5h ./test/faultlab

# All end-to-end tests with the daemon in the unit as shipped, on a real systemd: half an
# hour. `make test` runs a few of them there.
.PHONY: hardened
hardened:
	HARDENED=long $(GO) test -v -count 1 -timeout 1h -run TestSuite ./test/hardened

# Runs what measures, puts the figures into docs/report.md, and fails if one misses its
# target. What this machine cannot measure is named there. It takes an hour.
.PHONY: report
report:
	$(GO) run ./test/report docs/report.md

# Faults of machine, network and cloud, one at a time: what does the built check name?
# Prints the matrix and puts it into docs/doctor.md. Takes root, and a minute or two.
.PHONY: doctor
doctor:
	DOCTOR=long DOCTOR_DOCUMENT=1 $(GO) test -v -count 1 -timeout 30m ./test/doctor

# Keys in what the program emits: how much was searched, and in which shapes; and whether
# the search finds the keys that a changed daemon shows.
.PHONY: canary
canary:
	@mkdir -p bin; $(GO) test -count 1 -v -run '^TestCanary|^TestSearchFinds|^TestEachShape' ./test/canary ./test/e2e >bin/canary.out; \
	status=$$?; grep -E '^(---|ok|FAIL)|canary: |leaks planted' bin/canary.out; exit $$status

# Known vulnerabilities in what the programs call; needs the network.
.PHONY: audit
audit:
	scripts/audit.sh

# FUZZTIME for each fuzz test, one after the other.
FUZZTIME ?= 30s
.PHONY: fuzz
fuzz:
	scripts/fuzz.sh $(FUZZTIME)

# Places the daemon on this machine, or under DESTDIR for a package.
.PHONY: install
install: bin/tasmota-azd
	install -D -m 0755 bin/tasmota-azd $(DESTDIR)/usr/bin/tasmota-azd
	install -D -m 0644 systemd/tasmota-azd.service $(DESTDIR)/usr/lib/systemd/system/tasmota-azd.service
	install -D -m 0644 systemd/tasmota-azd.sysusers $(DESTDIR)/usr/lib/sysusers.d/tasmota-azd.conf
	install -D -m 0644 systemd/tasmota-azd.rules $(DESTDIR)/usr/lib/udev/rules.d/60-tasmota-azd.rules
	install -D -m 0644 systemd/tasmota-azd.catalog $(DESTDIR)/usr/lib/systemd/catalog/tasmota-azd.catalog
	install -d -m 0755 $(DESTDIR)/etc/tasmota-azd
	install -d -m 0755 $(DESTDIR)/usr/share/tasmota-azd
	bin/tasmota-azd config schema >$(DESTDIR)/usr/share/tasmota-azd/config.schema.json
	[ -e $(DESTDIR)/etc/tasmota-azd/config.yaml ] || install -m 0640 configs/config.yaml $(DESTDIR)/etc/tasmota-azd/config.yaml

.PHONY: clean
clean:
	rm -rf bin dist conformance/node_modules
