package doctor_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/systemd"
	"tasmota-azd/test/lab"
)

// Names and addresses of the healthy world. All are of this machine, in a network of
// its own.
const (
	hubName = "contoso.azure-devices.net"
	dpsName = "global.azure-devices-provisioning.net"
	ntpName = "ntp.example"
	hubAddr = "10.77.0.1"
	dpsAddr = "10.77.0.2"

	scope    = "0ne00000001"
	deviceID = "pump"
)

// Who runs the daemon there.
const (
	serviceUID = 990
	serviceGID = 990
	gpioGID    = 991
)

// A world is a machine, its network and its cloud. The machine is a directory that the
// program is locked into.
type world struct {
	t       *testing.T
	root    string
	config  string // as it is written when check runs
	sim     *hubsim.Sim
	ca      *hubsim.CA
	now     func() time.Time
	names   *lab.NameServer
	time    *lab.TimeServer
	closers []func()
	doors   map[string]net.Listener
	halt    func() // ends the daemon that was started last
}

// newWorld makes a healthy one.
func newWorld(t *testing.T, now func() time.Time) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir(), now: now, doors: make(map[string]net.Listener)}
	t.Cleanup(w.close)
	w.do(os.Chmod(w.root, 0o755))
	w.machine()
	w.cloud()
	w.config = w.head("key_file: device.key")
	return w
}

func (w *world) close() {
	slices.Reverse(w.closers)
	for _, f := range w.closers {
		f()
	}
}

func (w *world) later(f func()) { w.closers = append(w.closers, f) }

func (w *world) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.root, name) }

// write puts a file onto the machine.
func (w *world) write(name, text string, mode os.FileMode, gid int) {
	w.t.Helper()
	w.do(os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
	w.do(os.WriteFile(w.path(name), []byte(text), mode))
	w.do(os.Chmod(w.path(name), mode))
	w.do(os.Chown(w.path(name), 0, gid))
}

// machine installs the daemon, as the package does.
func (w *world) machine() {
	for _, dir := range []string{"proc", "sys", "dev", "tmp", "usr/bin", "var/lib", "run"} {
		w.do(os.MkdirAll(w.path(dir), 0o755))
	}
	for _, dir := range []string{"proc", "sys", "dev"} {
		w.mount("/"+dir, dir, "--rbind")
	}
	w.link(program, "usr/bin/tasmota-azd")
	w.accounts("tasmota-azd")
	w.write("etc/resolv.conf", "nameserver "+hubAddr+"\noptions timeout:1 attempts:1\n", 0o644, 0)
	w.write("usr/lib/systemd/system/tasmota-azd.service", systemd.Unit, 0o644, 0)
	w.write("usr/lib/systemd/libsystemd-shared-257.so", "", 0o644, 0)
	w.do(os.MkdirAll(w.path("etc/systemd/system/multi-user.target.wants"), 0o755))
	w.do(os.Symlink("/usr/lib/systemd/system/tasmota-azd.service", w.path("etc/systemd/system/multi-user.target.wants/tasmota-azd.service")))
	for _, dir := range []string{"var/lib/tasmota-azd", "run/tasmota-azd"} {
		w.do(os.MkdirAll(w.path(dir), 0o700))
		w.do(os.Chown(w.path(dir), serviceUID, serviceGID))
	}
}

// accounts writes who there is; members are those of the group gpio.
func (w *world) accounts(members string) {
	w.write("etc/passwd", fmt.Sprintf("root:x:0:0::/:/bin/sh\ntasmota-azd:x:%d:%d::/var/lib/tasmota-azd:/bin/false\n", serviceUID, serviceGID), 0o644, 0)
	w.write("etc/group", fmt.Sprintf("root:x:0:\ntasmota-azd:x:%d:\ngpio:x:%d:%s\n", serviceGID, gpioGID, members), 0o644, 0)
}

func (w *world) link(from, to string) {
	w.do(os.MkdirAll(filepath.Dir(w.path(to)), 0o755))
	if err := os.Link(from, w.path(to)); err != nil {
		text, err := os.ReadFile(from)
		w.do(err)
		w.do(os.WriteFile(w.path(to), text, 0o755))
	}
}

// mount mounts something onto the machine, which is taken away at the end.
func (w *world) mount(from, to string, args ...string) {
	w.t.Helper()
	w.run("mount", append(args, from, w.path(to))...)
	w.later(func() { w.run("umount", "-l", w.path(to)) })
}

func (w *world) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// cloud makes the hub, with the device, and DPS, names and the time.
func (w *world) cloud() {
	var err error
	w.ca, err = hubsim.NewCA(w.now())
	w.do(err)
	w.sim = hubsim.New(hubsim.Options{Hosts: []string{hubName, dpsName}, ScopeID: scope, Now: w.now, DPSPolls: -1, DPSRetryAfter: -1})
	w.later(w.sim.Close)
	w.write("etc/tasmota-azd/ca.pem", string(w.ca.PEM()), 0o644, 0)
	key := hubsim.NewKey()
	w.device(hubsim.Device{ID: deviceID}, key)
	w.write("etc/tasmota-azd/device.key", key, 0o640, serviceGID)
	config, err := w.sim.TLSConfig(w.ca)
	w.do(err)
	w.listen(hubAddr+":8883", func(ctx context.Context, l net.Listener) { w.sim.Serve(ctx, l, config) })
	w.listen(hubAddr+":443", func(ctx context.Context, l net.Listener) { w.sim.ServeWebSocket(ctx, l, config) })
	w.serveDPS(w.ca)
	w.names, err = lab.NewNameServer(hubAddr+":53", map[string]string{hubName: hubAddr, dpsName: dpsAddr, ntpName: hubAddr})
	w.do(err)
	w.later(func() { w.names.Close() })
	w.time, err = lab.ServeTime(hubAddr+":123", func() time.Time { return w.now() })
	w.do(err)
	w.later(func() { w.time.Close() })
}

// device makes one with a key.
func (w *world) device(d hubsim.Device, key string) {
	w.t.Helper()
	d.Hub, d.Key = hubName, parseKey(w.t, key)
	w.do(w.sim.AddDevice(d))
}

// listen opens a door, which shut closes.
func (w *world) listen(addr string, serve func(context.Context, net.Listener)) {
	w.t.Helper()
	l, err := net.Listen("tcp", addr)
	w.do(err)
	w.doors[addr] = l
	ctx, cancel := context.WithCancel(context.Background())
	go serve(ctx, l)
	w.later(func() { cancel(); l.Close() })
}

func (w *world) shut(addr string) { w.doors[addr].Close() }

// serveDPS opens the door of DPS, with a certificate of that CA.
func (w *world) serveDPS(ca *hubsim.CA) {
	w.t.Helper()
	config, err := w.sim.DPSConfig(ca)
	w.do(err)
	w.listen(dpsAddr+":443", func(_ context.Context, l net.Listener) {
		http.Serve(tls.NewListener(l, config), w.sim.DPS()) // ends with the listener
	})
}

// show opens one of the hub's doors anew, with another certificate.
func (w *world) show(addr string, cert tls.Certificate) {
	w.t.Helper()
	w.shut(addr)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert}
	w.listen(addr, func(ctx context.Context, l net.Listener) {
		if strings.HasSuffix(addr, ":443") {
			w.sim.ServeWebSocket(ctx, l, config)
		} else {
			w.sim.Serve(ctx, l, config)
		}
	})
}

// issued makes a certificate that began some time ago; it lasts for a year.
func (w *world) issued(ca *hubsim.CA, ago time.Duration, names ...string) tls.Certificate {
	w.t.Helper()
	cert, err := ca.Certificate(w.now().Add(-ago), names...)
	w.do(err)
	return cert
}

// head is a configuration for a device that was made by hand.
func (w *world) head(key string) string {
	return fmt.Sprintf("hub:\n  host: %s\n  device_id: %s\n  %s\n  ca_file: ca.pem\n", hubName, deviceID, key)
}

// dps makes an enrollment group and a configuration for it.
func (w *world) dps(e hubsim.Enrollment) {
	w.t.Helper()
	key := hubsim.NewKey()
	e.Hub = hubName
	w.do(w.sim.CreateEnrollment(e, key))
	w.write("etc/tasmota-azd/enrollment.key", key, 0o640, serviceGID)
	w.config = fmt.Sprintf("hub: {device_id: board-7, ca_file: ca.pem}\ndps: {scope_id: %s, key_file: enrollment.key, ca_file: ca.pem}\n", scope)
}

const rest = `ntp: {servers: [ntp.example]}
gpio: {driver: sim}
relays:
  - {name: Pump, pin: GPIO17}
`

// place writes the configuration, unless a fault has done so.
func (w *world) place() {
	if _, err := os.Stat(w.path("etc/tasmota-azd/config.yaml")); errors.Is(err, os.ErrNotExist) && w.config != "" {
		w.write("etc/tasmota-azd/config.yaml", w.config+rest, 0o640, serviceGID)
	}
}

// An account is somebody who runs the program.
type account struct {
	uid, gid uint32
	groups   []uint32
}

// Who there is.
var (
	root     = account{}
	service  = account{serviceUID, serviceGID, []uint32{gpioGID}}
	operator = account{1000, 1000, []uint32{serviceGID, gpioGID}} // who was put into the groups of the service
	stranger = account{1001, 1001, nil}
)

// command is the program, locked into the machine.
func (w *world) command(as account, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin", "HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: w.root, Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: as.uid, Gid: as.gid, Groups: as.groups},
	}
	return cmd
}

// start starts the daemon, as its unit would.
func (w *world) start(name, state, runtime string) {
	w.t.Helper()
	w.place()
	cmd := w.command(service, name, "run")
	cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+state, "RUNTIME_DIRECTORY="+runtime)
	cmd.Stderr = w.t.Output()
	w.do(cmd.Start())
	w.halt = func() {
		cmd.Process.Kill()
		cmd.Wait() // it was killed
	}
	w.later(w.halt)
}

// daemon starts the daemon and waits until its status says what is wanted.
func (w *world) daemon(name string, until func(status string) bool) {
	w.t.Helper()
	w.start(name, "/var/lib/tasmota-azd", "/run/tasmota-azd")
	deadline := time.After(lab.Patience)
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		out, _ := w.command(root, "/usr/bin/tasmota-azd", "status", "--json").Output() // it may not listen yet
		if until(string(out)) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("the daemon does not come to it: %s", out)
		}
	}
}

// A diagnosis is what check has said.
type diagnosis struct {
	exit   int
	Checks []struct{ Name, Outcome, Found, Remedy string }
	text   string
}

// check runs the program.
func (w *world) check(as account) diagnosis {
	w.t.Helper()
	w.place()
	cmd := w.command(as, "/usr/bin/tasmota-azd", "check", "--json")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var d diagnosis
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		w.t.Fatal(err)
	}
	d.exit, d.text = cmd.ProcessState.ExitCode(), string(out)+stderr.String()
	if err := json.Unmarshal(out, &d); err != nil {
		w.t.Fatalf("%v: %s%s", err, out, &stderr)
	}
	return d
}

// named are the checks that have found something.
func (d diagnosis) named() (names []string) {
	for _, c := range d.Checks {
		if c.Outcome == "fault" || c.Outcome == "warning" {
			names = append(names, c.Name)
		}
	}
	return names
}
