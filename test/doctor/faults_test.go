package doctor_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/systemd"
)

// A fault is one thing that is wrong with a world.
type fault struct {
	name  string
	check string // that has to name it, and no other may
	exit  int    // of the program: 0 for a warning, 78 for the file
	slow  bool   // takes longer than a few seconds
	make  func(*world)
}

// day is how long a day is.
const day = 24 * time.Hour

var machineFaults = []fault{
	{"a credential that is not there", "credential", 1, false, func(w *world) { w.credential("/etc/credstore/other.key") }},
	{"no configuration", "file", 78, false, func(w *world) { w.config = "" }},
	{"a key that is not known", "file", 78, false, func(w *world) { w.config += "  gatewey: x\n" }},
	{"a key file that others may read", "file", 78, false, func(w *world) { w.do(os.Chmod(w.path("etc/tasmota-azd/device.key"), 0o644)) }},
	{"a secret in a file that others may read", "advice", 0, false, func(w *world) {
		key, err := os.ReadFile(w.path("etc/tasmota-azd/device.key"))
		w.do(err)
		w.config = w.head("key: " + string(key))
		w.place()
		w.do(os.Chmod(w.path("etc/tasmota-azd/config.yaml"), 0o644))
	}},
	{"a configuration that only root may read", "file-access", 1, false, func(w *world) {
		w.place()
		w.do(os.Chown(w.path("etc/tasmota-azd/config.yaml"), 0, 0))
	}},
	{"a directory that everybody may write", "file-guard", 1, false, func(w *world) { w.do(os.Chmod(w.path("etc/tasmota-azd"), 0o777)) }},
	{"a key file that only root may read", "key-access", 1, false, func(w *world) { w.do(os.Chown(w.path("etc/tasmota-azd/device.key"), 0, 0)) }},
	{"a key file in a folder of root's", "key-access", 1, false, func(w *world) {
		w.do(os.Mkdir(w.path("etc/keys"), 0o700))
		w.do(os.Rename(w.path("etc/tasmota-azd/device.key"), w.path("etc/keys/device.key")))
		w.config = strings.Replace(w.config, "device.key", "/etc/keys/device.key", 1)
	}},
	{"a certificate with ten days left", "certificate", 0, false, func(w *world) { w.certificate(355 * day) }},
	{"a certificate that is over", "certificate", 1, false, func(w *world) { w.certificate(370 * day) }},
	{"no user of the service", "user", 1, false, func(w *world) { w.write("etc/passwd", "root:x:0:0::/:/bin/sh\n", 0o644, 0) }},
	{"a user that is not in the group gpio", "group", 1, false, func(w *world) { w.accounts("") }},
	{"Linux 5.4", "kernel", 1, false, func(w *world) {
		w.write("tmp/osrelease", "5.4.0-150-generic\n", 0o644, 0)
		w.mount(w.path("tmp/osrelease"), "proc/sys/kernel/osrelease", "--bind")
	}},
	{"systemd 241", "systemd", 1, false, func(w *world) {
		w.do(os.Rename(w.path("usr/lib/systemd/libsystemd-shared-257.so"), w.path("usr/lib/systemd/libsystemd-shared-241.so")))
	}},
	{"systemd 252, and relays are to be held", "systemd", 0, false, func(w *world) {
		w.do(os.Rename(w.path("usr/lib/systemd/libsystemd-shared-257.so"), w.path("usr/lib/systemd/libsystemd-shared-252.so")))
		w.write("etc/tasmota-azd/config.yaml", w.config+strings.Replace(rest, "driver: sim", "driver: sim, on_stop: hold", 1), 0o640, serviceGID)
	}},
	{"a second program", "programs", 0, false, func(w *world) { w.link(older, "usr/local/bin/tasmota-azd") }},
	{"a daemon that does not run", "daemon", 1, false, func(w *world) { w.do(os.MkdirAll(w.path("run/systemd/system"), 0o755)) }},
	{"a daemon of another release", "version", 0, false, func(w *world) {
		w.link(older, "usr/bin/older")
		w.daemon("/usr/bin/older", connected)
	}},
	{"a program that was replaced", "version", 0, false, func(w *world) {
		w.daemon("/usr/bin/tasmota-azd", connected)
		w.do(os.Remove(w.path("usr/bin/tasmota-azd")))
		w.link(program, "usr/bin/tasmota-azd")
		w.do(os.Rename(w.path("usr/bin/tasmota-azd"), w.path("usr/bin/new"))) // with the links of others gone, the file of the daemon is
		text, err := os.ReadFile(program)
		w.do(err)
		w.do(os.WriteFile(w.path("usr/bin/tasmota-azd"), text, 0o755))
	}},
	{"a read-only disk", "writable", 1, false, func(w *world) {
		w.mount(w.path("var/lib/tasmota-azd"), "var/lib/tasmota-azd", "--bind")
		w.run("mount", "-o", "remount,bind,ro", w.path("var/lib/tasmota-azd"))
	}},
	{"a full disk", "space", 1, false, func(w *world) {
		w.memory("size=2m")
		w.write("var/lib/tasmota-azd/rubbish", strings.Repeat("x", 1<<20+1<<19), 0o600, 0)
	}},
	{"a state in memory", "lasting", 0, false, func(w *world) { w.memory("size=64m") }},
	{"reads that write", "wear", 0, false, func(w *world) {
		w.mount(w.path("var/lib/tasmota-azd"), "var/lib/tasmota-azd", "--bind")
		w.run("mount", "-o", "remount,bind,strictatime", w.path("var/lib/tasmota-azd"))
	}},
	{"a state directory that is root's", "state-dir", 1, false, func(w *world) { w.do(os.Chown(w.path("var/lib/tasmota-azd"), 0, 0)) }},
	{"a state directory that everybody may write", "state-dir", 1, false, func(w *world) { w.do(os.Chmod(w.path("var/lib/tasmota-azd"), 0o777)) }},
	{"another process that has the state", "lock", 1, false, func(w *world) {
		f, err := os.Create(w.path("var/lib/tasmota-azd/lock"))
		w.do(err)
		w.do(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
		w.later(func() { f.Close() })
	}},
	{"a state that is broken", "state-files", 0, false, func(w *world) { w.write("var/lib/tasmota-azd/state", "{", 0o600, 0) }},
	{"a state of a newer release", "state-files", 0, false, func(w *world) {
		w.write("var/lib/tasmota-azd/state", `{"version":9,"value":{"relays":{}}}`, 0o600, 0)
	}},
	{"a unit that was altered", "unit", 0, false, func(w *world) {
		w.write("etc/systemd/system/tasmota-azd.service", strings.Replace(systemd.Unit, "Restart=always", "Restart=no", 1), 0o644, 0)
	}},
	{"a drop-in that takes protection away", "drop-ins", 0, false, func(w *world) {
		w.write("etc/systemd/system/tasmota-azd.service.d/override.conf", "[Service]\nProtectSystem=no\n", 0o644, 0)
	}},
	{"a service that does not start with the machine", "enabled", 0, false, func(w *world) {
		w.do(os.RemoveAll(w.path("etc/systemd/system/multi-user.target.wants")))
	}},
}

var networkFaults = []fault{
	{"time servers that are silent", "time-servers", 1, true, func(w *world) { w.time.Silent.Store(true) }},
	{"a time server that does not exist", "time-servers", 1, false, func(w *world) { w.names.Forget(ntpName) }},
	{"a network that is down", "network", 1, false, func(w *world) {
		w.run("ip", "link", "set", "v0", "down")
		w.later(func() { w.run("ip", "link", "set", "v0", "up") })
	}},
	{"a name server that cannot tell", "name-server", 1, false, func(w *world) { w.names.Break() }},
	{"a name server that is not there", "name-server", 1, false, func(w *world) { w.names.Close() }},
	{"a proxy that is not there", "proxy", 1, false, func(w *world) { w.proxy("http://" + hubAddr + ":3128") }},
	{"an address of a proxy that is none", "proxy", 0, false, func(w *world) { w.proxy("http://%zz") }},
	{"a proxy that does not let through", "proxy", 1, false, func(w *world) {
		w.listen(hubAddr+":3128", func(_ context.Context, l net.Listener) {
			http.Serve(l, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) }))
		})
		w.proxy("http://" + hubAddr + ":3128")
	}},
	{"no root certificates", "roots", 1, false, func(w *world) { w.config = strings.Replace(w.config, "  ca_file: ca.pem\n", "", 1) }},
	{"no name of the hub", "hub-name", 1, false, func(w *world) { w.names.Forget(hubName) }},
	{"port 8883 closed", "mqtt-port", 0, false, func(w *world) { w.shut(hubAddr + ":8883") }},
	{"port 8883 closed, and no other allowed", "mqtt-port", 1, false, func(w *world) {
		w.shut(hubAddr + ":8883")
		w.config += "  transport: mqtt\n"
	}},
	{"port 8883 dropped by a firewall", "mqtt-port", 0, true, func(w *world) { w.drop("8883") }},
	{"port 443 closed", "https-port", 0, false, func(w *world) { w.shut(hubAddr + ":443") }},
	{"port 443 closed, and needed", "https-port", 1, false, func(w *world) {
		w.shut(hubAddr + ":443")
		w.config += "  transport: websocket\n"
	}},
	{"a certificate of another CA", "tls", 1, false, func(w *world) { w.show(hubAddr+":8883", w.issued(w.unknownCA(), 0, hubName)) }},
	{"a certificate for another name", "tls", 1, false, func(w *world) { w.show(hubAddr+":8883", w.issued(w.ca, 0, "other.azure-devices.net")) }},
	{"a certificate of the hub that is over", "tls", 1, false, func(w *world) { w.show(hubAddr+":8883", w.issued(w.ca, 370*day, hubName)) }},
	{"another CA on port 443 alone", "tls-https", 1, false, func(w *world) { w.show(hubAddr+":443", w.issued(w.unknownCA(), 0, hubName)) }},
	{"a certificate of the hub with ten days left", "tls-days", 0, false, func(w *world) {
		w.show(hubAddr+":8883", w.issued(w.ca, 355*day, hubName))
	}},
	{"somebody in between whom the system trusts", "interception", 1, false, func(w *world) {
		w.config = strings.Replace(w.config, "  ca_file: ca.pem\n", "", 1)
		w.write("etc/ssl/certs/ca-certificates.crt", string(w.ca.PEM()), 0o644, 0)
	}},
}

var cloudFaults = []fault{
	{"a kept id that is broken", "identity", 1, false, func(w *world) {
		w.config = strings.Replace(w.config, "  device_id: "+deviceID+"\n", "", 1)
		w.write("var/lib/tasmota-azd/device-id", "{", 0o600, 0)
	}},
	{"no name of DPS", "dps-name", 1, false, func(w *world) { w.group(); w.names.Forget(dpsName) }},
	{"DPS's port closed", "dps-port", 1, false, func(w *world) { w.group(); w.shut(dpsAddr + ":443") }},
	{"DPS with a certificate of another CA", "dps-tls", 1, false, func(w *world) {
		w.group()
		w.shut(dpsAddr + ":443")
		w.serveDPS(w.unknownCA())
	}},
	{"somebody before DPS whom the system trusts", "dps-tls", 1, false, func(w *world) {
		w.group()
		w.shut(dpsAddr + ":443")
		other := w.unknownCA()
		w.serveDPS(other)
		w.write("etc/ssl/certs/ca-certificates.crt", string(other.PEM()), 0o644, 0)
		w.config = strings.Replace(w.config, "key_file: enrollment.key, ca_file: ca.pem", "key_file: enrollment.key", 1)
	}},
	{"a key that DPS does not know", "dps-key", 1, false, func(w *world) {
		w.group()
		w.write("etc/tasmota-azd/enrollment.key", hubsim.NewKey(), 0o640, serviceGID)
	}},
	{"a key of the other kind", "dps-key", 1, false, func(w *world) {
		w.group()
		w.config = strings.Replace(w.config, "key_file: enrollment.key", "key_file: enrollment.key, key_kind: individual", 1)
	}},
	{"a scope that is another's", "dps-key", 1, false, func(w *world) { w.group(); w.config = strings.Replace(w.config, scope, "0ne00000002", 1) }},
	{"an enrollment that is disabled", "assignment", 1, false, func(w *world) { w.dps(hubsim.Enrollment{ID: "boards", Group: true, Disabled: true}) }},
	{"DPS without a hub", "assignment", 1, false, func(w *world) {
		w.group()
		w.do(w.sim.Inject(hubsim.Fault{Kind: hubsim.FailRegister, Code: 400208, Count: hubsim.Always}))
	}},
	{"a key that the hub does not know", "login", 1, false, func(w *world) {
		w.write("etc/tasmota-azd/device.key", hubsim.NewKey(), 0o640, serviceGID)
	}},
	{"a key that was renewed under a running daemon", "login", 1, false, func(w *world) {
		w.daemon("/usr/bin/tasmota-azd", connected)
		w.do(w.sim.RenewKey(deviceID, "primary"))
	}},
	{"a device that is disabled", "login", 1, false, func(w *world) { w.do(w.sim.Disable(deviceID)) }},
	{"a device that the hub does not know", "login", 1, false, func(w *world) { w.do(w.sim.DeleteDevice(deviceID)) }},
	{"a hub that is busy", "login", 1, false, func(w *world) { w.refuse(429001) }},
	{"a secondary key that the hub does not know", "secondary-key", 0, false, func(w *world) {
		w.write("etc/tasmota-azd/second.key", hubsim.NewKey(), 0o640, serviceGID)
		w.config += "  secondary_key_file: second.key\n"
	}},
	{"a hub that lets nobody in over MQTT", "session", 1, true, func(w *world) {
		w.do(w.sim.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 3, Count: hubsim.Always}))
		began := time.Now()
		w.daemon("/usr/bin/tasmota-azd", func(s string) bool { return strings.Contains(s, `"why"`) && time.Since(began) > 25*time.Second })
	}},
	{"a second device with this id", "second-device", 1, true, func(w *world) {
		w.do(os.MkdirAll(w.path("var/lib/second"), 0o700))
		w.do(os.Chown(w.path("var/lib/second"), serviceUID, serviceGID))
		w.start("/usr/bin/tasmota-azd", "/var/lib/second", "/var/lib/second")
		w.daemon("/usr/bin/tasmota-azd", func(s string) bool { return strings.Contains(s, `"rival": true`) })
	}},
	{"a hub of the basic tier", "tier", 1, false, func(w *world) { w.refuse(403010) }},
	{"a quota that is used up", "quota", 1, false, func(w *world) {
		w.do(w.sim.SetQuota(hubsim.Quota{Limit: 1}))
		w.do(w.sim.Spend(hubName, 1))
	}},
	{"a daily limit that is nearly spent", "quota", 0, false, func(w *world) {
		w.config += "telemetry: {daily_limit: 3}\n"
		w.daemon("/usr/bin/tasmota-azd", func(s string) bool { return connected(s) && strings.Contains(s, `"messages": 3`) })
	}},
}

// wrongClock is a system clock that is an hour slow.
var wrongClock = fault{"a system clock that is an hour slow", "clock", 0, false, func(*world) {}}

// connected reports whether a status is that of a daemon with a session.
func connected(status string) bool { return strings.Contains(status, `"connected": true`) }

// group enrolls a group in good order.
func (w *world) group() { w.dps(hubsim.Enrollment{ID: "boards", Group: true}) }

func (w *world) refuse(code int) {
	w.do(w.sim.Inject(hubsim.Fault{Kind: hubsim.RefuseRequest, Code: code, Count: hubsim.Always}))
}

// unknownCA is one that nobody trusts.
func (w *world) unknownCA() *hubsim.CA {
	ca, err := hubsim.NewCA(w.now())
	w.do(err)
	return ca
}

// memory puts the state into memory.
func (w *world) memory(options string) {
	w.mount("tmpfs", "var/lib/tasmota-azd", "-t", "tmpfs", "-o", options+",mode=700")
	w.do(os.Chown(w.path("var/lib/tasmota-azd"), serviceUID, serviceGID))
}

// credential has systemd give the key to the service, from that file.
func (w *world) credential(path string) {
	w.do(os.MkdirAll(w.path("etc/credstore"), 0o700))
	w.do(os.Rename(w.path("etc/tasmota-azd/device.key"), w.path("etc/credstore/pump.key")))
	w.do(os.Chmod(w.path("etc/credstore/pump.key"), 0o600))
	w.write("etc/systemd/system/tasmota-azd.service.d/enroll.conf", "[Service]\nLoadCredential=device.key:"+path+"\n", 0o644, 0)
}

// proxy has the unit say which proxy there is.
func (w *world) proxy(url string) {
	w.write("etc/systemd/system/tasmota-azd.service.d/proxy.conf", "[Service]\nEnvironment=HTTPS_PROXY="+url+"\n", 0o644, 0)
}

// drop has a firewall swallow what goes to a port.
func (w *world) drop(port string) {
	rules := "add table inet wall; add chain inet wall out { type filter hook output priority 0; }; add rule inet wall out tcp dport " + port + " drop"
	if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
		w.t.Skipf("NOT TESTED: nftables does not work here: %s", out)
	}
	w.later(func() { w.run("nft", "flush", "ruleset") })
}

// certificate makes a device with a certificate that began so long ago.
func (w *world) certificate(ago time.Duration) {
	pair, err := hubsim.SelfSigned(w.now().Add(-ago), "fan")
	w.do(err)
	key, err := marshalKey(pair.PrivateKey)
	w.do(err)
	w.write("etc/tasmota-azd/fan.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})), 0o644, 0)
	w.write("etc/tasmota-azd/fan-key.pem", string(key), 0o640, serviceGID)
	w.do(w.sim.AddDevice(hubsim.Device{ID: "fan", Hub: hubName, Auth: hubsim.Thumbprint, Thumbprints: []string{hubsim.ThumbprintOf(pair.Certificate[0])}}))
	w.config = strings.NewReplacer("device_id: "+deviceID, "device_id: fan", "key_file: device.key", "cert_file: fan.pem\n  cert_key_file: fan-key.pem").Replace(w.config)
}
