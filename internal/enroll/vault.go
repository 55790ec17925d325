package enroll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Vault keeps the secret of the device on this machine.
type Vault struct {
	// Unit is the service that is to get the secret as a credential of systemd's, empty if
	// there is none: then the secret is a file beside the configuration.
	Unit string
	Root string // where /etc is, for tests
	// UID and GID are those of the service, for a secret that is a file.
	UID, GID int
}

// Kept says where the secret is.
type Kept struct {
	File   string // with the secret, or Sealed if that is set
	Sealed string // the sealed credential
	TPM    bool   // sealed to the chip as well
	DropIn string // of the unit
	Why    error  // why it is not sealed, nil if it is, or is not meant to be
}

const (
	credstore = "/etc/credstore.encrypted"
	sealLimit = time.Minute // a TPM2 chip takes seconds
	maxSealed = 64 << 10
)

// keep puts the secret and the changed configuration in their places. Each is written
// whole beside its place first, so that a full disk changes nothing.
func (v Vault) keep(ctx context.Context, t Try, path, text string) (Kept, error) {
	var todo batch
	defer todo.forget()
	for _, name := range []string{keyName, connectionName} { // of a run that was killed: a key, and not sealed
		todo.remove(step{to: filepath.Join(filepath.Dir(path), name)}.from())
	}
	kept, err := v.secret(ctx, t, path, &todo)
	if err != nil {
		return Kept{}, err
	}
	if err := todo.replace(path, []byte(text)); err != nil {
		return Kept{}, err
	}
	return kept, todo.commit()
}

// secret prepares the place of the secret.
func (v Vault) secret(ctx context.Context, t Try, path string, todo *batch) (Kept, error) {
	var kept Kept
	if v.Unit != "" {
		sealed, err := seal(ctx, t.file(), t.text())
		if err == nil {
			return v.credential(ctx, t.file(), sealed, todo)
		}
		if ctx.Err() != nil {
			return kept, context.Cause(ctx)
		}
		kept.Why = err
		todo.remove(v.dropIn()) // or what it gives would hide the file
		todo.remove(v.sealed(keyName))
		todo.remove(v.sealed(connectionName))
	}
	kept.File = filepath.Join(filepath.Dir(path), t.file())
	return kept, todo.write(kept.File, append(t.text(), '\n'), 0o600, v.UID, v.GID)
}

func (v Vault) dropIn() string {
	return filepath.Join(v.Root, "/etc/systemd/system", v.Unit+".d", "enroll.conf")
}

func (v Vault) sealed(name string) string {
	return filepath.Join(v.Root, credstore, strings.TrimSuffix(v.Unit, ".service")+"."+name)
}

// credential prepares a sealed credential, and the lines that give it to the service.
// The path is said: the name alone is found by newer releases of systemd only.
func (v Vault) credential(ctx context.Context, name string, sealed []byte, todo *batch) (Kept, error) {
	kept := Kept{Sealed: v.sealed(name), DropIn: v.dropIn(), TPM: hasTPM(ctx)}
	kept.File = kept.Sealed
	for _, other := range []string{keyName, connectionName} {
		if other != name {
			todo.remove(v.sealed(other))
		}
	}
	for dir, mode := range map[string]fs.FileMode{filepath.Dir(kept.Sealed): 0o700, filepath.Dir(kept.DropIn): 0o755} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return kept, err
		}
	}
	lines := fmt.Sprintf("# Written by \"tasmota-azd enroll\": the key of this device, sealed to this machine.\n[Service]\nLoadCredentialEncrypted=%s:%s\n",
		name, strings.TrimPrefix(kept.Sealed, v.Root))
	return kept, errors.Join(todo.write(kept.Sealed, sealed, 0o600, os.Geteuid(), os.Getegid()),
		todo.write(kept.DropIn, []byte(lines), 0o644, os.Geteuid(), os.Getegid()))
}

// seal encrypts a credential of the name, and proves that this machine can open it. The
// secret goes through pipes: arguments and environment are seen by others, and a file
// would have to be erased.
func seal(ctx context.Context, name string, secret []byte) ([]byte, error) {
	sealed, err := creds(ctx, secret, "encrypt", "--name="+name, "-", "-")
	if err != nil {
		return nil, err
	}
	opened, err := creds(ctx, sealed, "decrypt", "--name="+name, "-", "-")
	if err == nil && !bytes.Equal(opened, secret) {
		err = errors.New("systemd-creds does not give back what it was given")
	}
	return sealed, err
}

// hasTPM reports whether systemd seals to a TPM2 chip here.
func hasTPM(ctx context.Context) bool {
	_, err := creds(ctx, nil, "has-tpm2", "--quiet")
	return err == nil
}

// creds runs systemd-creds.
func creds(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, sealLimit)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, "systemd-creds", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("there is no systemd-creds on this machine (systemd 250 or later has it)")
	}
	if err != nil {
		return nil, fmt.Errorf("systemd-creds %s: %w: %s", args[0], err, firstLine(said.String()))
	}
	if out.Len() > maxSealed {
		return nil, errors.New("systemd-creds says too much")
	}
	return out.Bytes(), nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line[:min(len(line), 200)]
}

// owner returns who owns a file.
func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return os.Geteuid(), os.Getegid()
}
