package doctor_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/doctor"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/document"
)

// TestMatrix makes one fault after the other. Each must be named by its check, and by no
// other. Those that take long are left out unless DOCTOR=long.
func TestMatrix(t *testing.T) {
	m := &matrix{}
	rows := os.Getenv(envRows)
	if rows == "" {
		rows = filepath.Join(t.TempDir(), "rows")
		t.Setenv(envRows, rows)
	}
	if inOwnWorld(t) {
		m.worlds(t)
		m.save(t, rows)
		return
	}
	m.load(t, rows)
	m.kernels(t)
	text := m.text()
	t.Logf("\n%s", text)
	if os.Getenv("DOCTOR_DOCUMENT") == "" {
		return
	}
	for maker, text := range map[string]string{"make doctor, checks": checks(t), "make doctor": text} {
		if err := document.Put(handbook, maker, text); err != nil {
			t.Error(err)
		}
	}
}

// handbook is where the checks and the matrix stand.
const handbook = "../../docs/doctor.md"

// checks is the table of all checks.
func checks(t *testing.T) string {
	t.Helper()
	rows := [][]string{{"group", "check", "makes sure that", "remedy"}}
	for _, c := range doctor.Checks() {
		if c.What == "" || c.Remedy == "" {
			t.Errorf("%s lacks words", c.Name)
		}
		rows = append(rows, []string{c.Group, c.Name, c.What, strings.ReplaceAll(c.Remedy, "CONFIG", "/etc/tasmota-azd/config.yaml")})
	}
	var b strings.Builder
	if err := document.Table(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHandbook: the document has the checks that there are.
func TestHandbook(t *testing.T) {
	text, err := os.ReadFile(handbook)
	if err != nil || !strings.Contains(string(text), checks(t)) {
		t.Errorf("%s is not up to date (make doctor): %v", handbook, err)
	}
}

// worlds makes the faults of machine, network and cloud.
func (m *matrix) worlds(t *testing.T) {
	for _, tt := range []struct {
		who  string
		as   account
		exit int
		want string
	}{
		{"root", root, 0, ""},
		{"the service", service, 0, ""},
		{"a user in its groups", operator, 0, ""},
		{"a user who may not read the file", stranger, 78, "file"},
	} {
		t.Run("no fault, asked by "+tt.who, func(t *testing.T) {
			m.add(t, fault{name: "none, asked by " + tt.who, check: tt.want, exit: tt.exit}, newWorld(t, time.Now).check(tt.as))
		})
	}
	for who, as := range map[string]account{"root": root, "the service": service} {
		t.Run("no fault, with a credential, asked by "+who, func(t *testing.T) {
			w := newWorld(t, time.Now)
			w.credential("/etc/credstore/pump.key")
			m.add(t, fault{name: "none, with a credential, asked by " + who}, w.check(as))
		})
	}
	t.Run("no fault, with DPS", func(t *testing.T) {
		w := newWorld(t, time.Now)
		w.group()
		m.add(t, fault{name: "none, with DPS"}, w.check(root))
	})
	t.Run("no fault, with a message that waits", func(t *testing.T) {
		w := newWorld(t, time.Now)
		w.daemon("/usr/bin/tasmota-azd", connected)
		w.halt()
		if err := w.sim.Wait(t.Context(), func() bool { l := w.sim.Logins(); return l[len(l)-1].End != "" }); err != nil {
			t.Fatal(err)
		}
		if _, err := w.sim.Send(deviceID, hubsim.C2D{Body: []byte("toggle")}); err != nil {
			t.Fatal(err)
		}
		before := w.sim.Logins()
		m.add(t, fault{name: "none, with a message that waits"}, w.check(root))
		queue := w.sim.Queue(deviceID)
		if len(queue) != 1 || queue[0].Deliveries != 0 || queue[0].Locked || len(w.sim.Logins()) != len(before) {
			t.Errorf("the message was touched: %+v, %d logins", queue, len(w.sim.Logins()))
		}
	})
	t.Run("no fault, beside a daemon", func(t *testing.T) {
		w := newWorld(t, time.Now)
		w.daemon("/usr/bin/tasmota-azd", connected)
		before := w.sim.Logins()
		m.add(t, fault{name: "none, beside a daemon"}, w.check(root))
		if after := w.sim.Logins(); len(after) != len(before) || after[len(after)-1].End != "" {
			t.Errorf("the session was disturbed: %+v", after)
		}
	})
	for _, f := range slices.Concat(machineFaults, networkFaults, cloudFaults, []fault{wrongClock}) {
		if f.slow && os.Getenv("DOCTOR") != "long" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			now := time.Now
			if f.check == wrongClock.check {
				now = func() time.Time { return time.Now().Add(time.Hour) }
			}
			w := newWorld(t, now)
			f.make(w)
			m.add(t, f, w.check(root))
		})
	}
}

// A matrix is what was named for each fault.
type matrix struct {
	Rows          [][]string
	Picture       []string
	Clean, Faults int
}

// save and load hand it from the process inside to the one outside.
func (m *matrix) save(t *testing.T, file string) {
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

func (m *matrix) load(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, m)
	}
	if err != nil {
		t.Error(err)
	}
}

// add judges a diagnosis: exactly the check of the fault has something to say.
func (m *matrix) add(t *testing.T, f fault, d diagnosis) {
	t.Helper()
	named := d.named()
	var want []string
	if f.check != "" {
		want = []string{f.check}
		m.Faults++
	}
	good := slices.Equal(named, want) && d.exit == f.exit
	if !good {
		t.Errorf("named %q, exit %d; want %q, exit %d\n%s", named, d.exit, want, f.exit, d.text)
	} else if f.check != "" {
		m.Clean++
	}
	for _, c := range d.Checks {
		if (c.Outcome == "fault" || c.Outcome == "warning") && (c.Remedy == "" || c.Found == "") {
			t.Errorf("%s says not what to do: %+v", c.Name, c)
		}
	}
	m.Rows = append(m.Rows, []string{f.name, or(f.check, "none"), or(strings.Join(named, ", "), "none"), fmt.Sprint(d.exit)})
	if f.check == "" {
		return
	}
	var line strings.Builder
	for _, c := range doctor.Checks() {
		switch {
		case slices.Contains(named, c.Name) && c.Name == f.check:
			line.WriteByte('#')
		case slices.Contains(named, c.Name):
			line.WriteByte('!')
		case c.Name == f.check:
			line.WriteByte('?')
		default:
			line.WriteByte('.')
		}
	}
	m.Picture = append(m.Picture, line.String()+"  "+f.name)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// text is the table, and the picture of it: a column for each check, in the order of
// the report.
func (m *matrix) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d faults are named by their check and by no other.\n\n", m.Clean, m.Faults)
	if err := document.Table(&b, append([][]string{{"fault", "its check", "named", "exit"}}, m.Rows...)); err != nil {
		panic(err) // a Builder takes everything
	}
	fmt.Fprintf(&b, "\nThe same as a picture, a column for each check in the order of the report: `#` named and right, `!` named and wrong, `?` not named.\n\n```text\n%s\n```\n", strings.Join(m.Picture, "\n"))
	return b.String()
}

// TestEveryCheckHasAFault: each check has a fault in the lab, or is one of those that
// cannot be had here.
func TestEveryCheckHasAFault(t *testing.T) {
	had := make(map[string]bool)
	for _, f := range slices.Concat(machineFaults, networkFaults, cloudFaults, pinFaults(), []fault{wrongClock}) {
		had[f.check] = true
	}
	for _, c := range doctor.Checks() {
		if !had[c.Name] {
			t.Errorf("no fault trips %s", c.Name)
		}
		delete(had, c.Name)
	}
	for name := range had {
		t.Errorf("there is no check %s", name)
	}
}

func marshalKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
