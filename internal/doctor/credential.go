package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

var credentialChecks = []Check{
	{Name: "credential", Group: "file", What: "the keys that systemd gives the service as credentials can be opened", After: []string{"unit"},
		Remedy: "sudo tasmota-azd enroll", run: (*patient).credential},
}

// A credential is what a unit gives to the service under a name: a file, which may be
// sealed to this machine.
type credential struct {
	name, path string
	sealed     bool
}

// credentials are those that have a file of their own.
func (u unit) credentials() (all []credential) {
	for _, text := range u.drops() {
		for _, line := range settings(text) {
			setting, value, _ := strings.Cut(line, "=")
			name, path, ok := strings.Cut(value, ":")
			if ok && (setting == "LoadCredential" || setting == "LoadCredentialEncrypted") {
				all = append(all, credential{name, path, setting == "LoadCredentialEncrypted"})
			}
		}
	}
	return all
}

// credential opens what the service gets to see when it starts, so that the rest can be
// checked before that. Whoever may not is given a key that is none in its place, which
// no check shows to anybody.
func (p *patient) credential(ctx context.Context) Finding {
	all := p.unit().credentials()
	switch {
	case len(all) == 0:
		return skip("the unit gives none")
	case p.o.Credentials != "":
		return ok("the service has them, in " + p.o.Credentials)
	}
	given := make(map[string]string)
	for _, c := range all {
		text, err := p.open(ctx, c)
		if errors.Is(err, fs.ErrPermission) {
			p.sealed = "not tried, because only root can open the credential " + c.name + "; run this with sudo"
			text, err = noKey, nil
		}
		if err != nil {
			return fault(fmt.Sprintf("the unit gives %s, which cannot be opened: %v", c.name, err), "")
		}
		given[c.name] = strings.TrimSpace(text)
	}
	p.given = given
	if p.sealed != "" {
		return skip("only root can open them; run this with sudo")
	}
	return ok(fmt.Sprintf("%d can be opened", len(all)))
}

// Credentials opens what the unit gives to the service, for who needs the configuration
// before systemd has opened it: their texts, by name. Only root can open what is sealed.
func Credentials(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	p, given := newPatient(Options{}), make(map[string]string)
	for _, c := range p.unit().credentials() {
		text, err := p.open(ctx, c)
		if err != nil {
			return given, fmt.Errorf("the unit gives %s, which cannot be opened (%w); run: sudo tasmota-azd enroll", c.name, err)
		}
		given[c.name] = strings.TrimSpace(text)
	}
	return given, nil
}

// noKey has the shape of a key.
const noKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func (p *patient) open(ctx context.Context, c credential) (string, error) {
	text, err := os.ReadFile(p.path(c.path))
	if err != nil || !c.sealed {
		return string(text), err
	}
	if os.Geteuid() != 0 {
		return "", fs.ErrPermission
	}
	out, err := exec.CommandContext(ctx, "systemd-creds", "decrypt", "--name="+c.name, p.path(c.path), "-").Output()
	if e, failed := errors.AsType[*exec.ExitError](err); failed {
		err = errors.New("systemd-creds: " + oneLine(string(e.Stderr)))
	}
	return string(out), err
}
