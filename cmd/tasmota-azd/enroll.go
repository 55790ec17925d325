package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/config/edit"
	"tasmota-azd/internal/enroll"
	"tasmota-azd/internal/identity"
)

const enrollLong = `Gives this device its key. It asks for a secret, or reads one from the standard input:
the key of an enrollment group or of an individual enrollment of the Device Provisioning
Service (DPS), the key of a device in a hub, or a device's connection string. Which of
them a key is, it finds out by asking DPS and hub. No session begins at the hub, and none
is ended.

From the key of a group it derives the key of this device; that of the group is kept
nowhere. The device's key is sealed to this machine with systemd-creds(1), by the TPM2
chip if there is one (which is untested, and said so) and else by the key of the machine,
as a credential that systemd opens for the service alone. Where systemd cannot do that, it becomes a file that only
the service may read. Then the configuration is changed: it says what, and keeps all
else, comments included.

Without a yes of the cloud nothing is changed, so a key that works is not lost. A running
service takes the new key when it is restarted.

A configuration other than that of the service gets its key as a file beside it.

No key is taken as an argument, as a flag or from the environment: all users of the
machine can see arguments, and shells keep them.

The exit status is 0 if the device is enrolled, 75 if the cloud could not be asked now, so
that it is worth trying again later, 78 if the configuration has a mistake, else 1.`

const enrollExample = `  sudo tasmota-azd enroll
  sudo tasmota-azd enroll --scope-id 0ne00223A39 --device-id pump-house-1 < group.key
  az iot dps enrollment-group show … --output tsv | ssh pi@pump-house sudo tasmota-azd enroll --scope-id 0ne00223A39
  sudo tasmota-azd enroll --hub myiothub.azure-devices.net --device-id pump-house-1`

// errArgument does not quote what it is about.
var errArgument = errors.New("enroll takes no arguments, and a key least of all: arguments are seen by every user of this machine, and kept by the shell; " +
	"if that was a key, get a new one, and give it when it is asked for, or on the standard input")

func enrollCommand(path *string, stdout, stderr io.Writer) *cobra.Command {
	var w enroll.Where
	cmd := &cobra.Command{Use: "enroll", Short: "Prove the device's key to the cloud, seal it and write the configuration",
		Long: enrollLong, Example: enrollExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errArgument
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return enrollDevice(cmd.Context(), *path, w, cmd.InOrStdin(), stdout, stderr)
		}}
	f := cmd.Flags()
	f.StringVar(&w.Scope, "scope-id", "", "the ID Scope of DPS, for a key of an enrollment (default: that of the configuration)")
	f.StringVar(&w.Host, "hub", "", "host name of the hub, for the key of a device (default: that of the configuration)")
	f.StringVar(&w.ID, "device-id", "", "registration id or device id (default: that of the configuration, or else the MAC address)")
	f.StringVar(&w.ID, "registration-id", "", "the same")
	return cmd
}

// enrollDevice asks for the secret, enrolls the device and says what was done.
func enrollDevice(ctx context.Context, path string, w enroll.Where, in io.Reader, stdout, stderr io.Writer) error {
	if err := errors.Join(noCoreFile(), noDump()); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	path = proper(path, defaultConfig) // or the key would be one that the service cannot read
	if path == defaultConfig && os.Geteuid() != 0 {
		return fmt.Errorf("%s and the key belong to root; run: sudo tasmota-azd enroll", path)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // which is said better below
		return err
	}
	w.Named = func() string { return defaultID(path, string(text)) }
	secret, err := askSecret(ctx, &w, string(text), in, stdout)
	if err != nil {
		return err
	}
	done, err := enroll.Run(ctx, enroll.Options{
		Config: path, Secret: secret, Where: w, Vault: vault(path), Prove: newProver(stdout, stderr).prove, Out: stdout,
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, done.Report()+next(ctx, path, done))
	return err
}

// askSecret reads the secret, and asks somebody at a terminal for what it does not say.
func askSecret(ctx context.Context, w *enroll.Where, text string, in io.Reader, stdout io.Writer) (enroll.Secret, error) {
	t, ok := enroll.OpenTerminal(in, stdout)
	if !ok {
		return enroll.Read(in)
	}
	secret, err := t.Secret(ctx, "Key, or connection string of the device (it is not shown)")
	if err != nil || !secret.Alone() {
		return secret, err
	}
	if w.Scope+w.Host == "" {
		usual := cmp.Or(edit.Value(text, "dps", "scope_id"), edit.Value(text, "hub", "host"))
		place, err := t.Ask(ctx, "ID Scope of the provisioning service, or host name of the hub", usual)
		if err != nil {
			return secret, err
		}
		if w.Scope = place; strings.Contains(place, ".") {
			w.Scope, w.Host = "", place
		}
	}
	if w.ID == "" {
		w.ID, err = t.Ask(ctx, "Id of this device", cmp.Or(w.IDIn(text), w.Named()))
	}
	return secret, err
}

// defaultID is the id of a device that was given none, as the daemon would find it.
func defaultID(path, text string) string {
	dir := cmp.Or(edit.Value(text, "", "state_dir"), config.Defaults().StateDir)
	if path == defaultConfig {
		dir = config.Defaults().StateDir // the unit's
	}
	id, err := identity.DefaultID(os.DirFS(dir), os.DirFS("/sys/class/net"))
	if err != nil {
		return "" // which is said when it matters
	}
	return id
}

const service = "tasmota-azd.service"

// vault is where the key of a configuration goes: to systemd, if it is that of the
// service, and systemd is there.
func vault(path string) enroll.Vault {
	v := enroll.Vault{UID: os.Geteuid(), GID: os.Getegid()}
	if path != defaultConfig {
		return v
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		v.Unit = service
	}
	if u, err := user.Lookup("tasmota-azd"); err == nil {
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil {
			v.UID, v.GID = uid, gid
		}
	}
	return v
}

// next says what is left to do, and has systemd take notice of the drop-in.
func next(ctx context.Context, path string, done enroll.Outcome) string {
	var b strings.Builder
	b.WriteString("Next:\n")
	for _, file := range done.Unused {
		fmt.Fprintf(&b, "  sudo shred -u %s    # a key that is not used any more\n", file)
	}
	if path != defaultConfig {
		fmt.Fprintf(&b, "  tasmota-azd run --config %s\n", path)
		return b.String()
	}
	if done.Kept.DropIn != "" || done.Kept.Why != nil {
		if err := exec.CommandContext(ctx, "systemctl", "daemon-reload").Run(); err != nil {
			b.WriteString("  sudo systemctl daemon-reload\n")
		}
	}
	if exec.CommandContext(ctx, "systemctl", "--quiet", "is-active", service).Run() == nil {
		b.WriteString("  sudo systemctl restart tasmota-azd    # moves no relay\n")
	} else {
		b.WriteString("  sudo systemctl enable --now tasmota-azd\n")
	}
	return b.String()
}
