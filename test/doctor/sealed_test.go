package doctor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tasmota-azd/systemd"
	"tasmota-azd/test/uml"
)

// TestSealedCredential: before the first start the key is only in a credential that is
// sealed to the machine, on a real systemd. Root can open it; a key that is broken shows
// that it was really read, and is not shown.
func TestSealedCredential(t *testing.T) {
	const text = "not-base64-but-secret"
	r := uml.Run(t, uml.Options{
		Board: "none", Systemd: true, Bins: []string{program},
		Files: map[string]string{
			"/usr/lib/systemd/system/tasmota-azd.service":           systemd.Unit,
			"/etc/systemd/system/tasmota-azd.service.d/enroll.conf": "[Service]\nLoadCredentialEncrypted=device.key:/etc/credstore.encrypted/x\n",
			"/etc/tasmota-azd/config.yaml":                          "hub: {host: h.azure-devices.net, device_id: pump, key_file: device.key}\nrelays: [{name: Pump, pin: GPIO17}]\n",
			"/etc/tasmota-azd/good":                                 "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
			"/etc/tasmota-azd/bad":                                  text,
		},
		Cmd: `mkdir -p /etc/credstore.encrypted
try() { systemd-creds encrypt --name=device.key /etc/tasmota-azd/$1 /etc/credstore.encrypted/x >&2; tasmota-azd check --only advice --json; echo "exit $?" >&2; echo ,; }
echo '['; try good; try bad
systemd-creds encrypt --name=other /etc/tasmota-azd/good /etc/credstore.encrypted/x >&2; tasmota-azd check --only advice --json; echo ']'`,
	})
	var all []diagnosis
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil || len(all) != 3 {
		t.Fatalf("%v: %s%s", err, r.Stdout, r.Stderr)
	}
	for i, want := range []string{"", "file", "credential"} {
		m := &matrix{}
		all[i].exit = map[string]int{"": 0, "file": 78, "credential": 1}[want]
		m.add(t, fault{name: want, check: want, exit: all[i].exit}, all[i])
	}
	if strings.Contains(r.Stdout+r.Stderr, text) {
		t.Error("the secret was shown")
	}
}
