package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tasmota-azd/configs"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/config/fresh"
)

// configCommand is "config" with its sub-commands. The path of the configuration is
// known only when one of them runs.
func configCommand(path *string, stdout io.Writer) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "The configuration file: write a first one, its schema for editors", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	schema := &cobra.Command{Use: "schema", Short: "Print the JSON schema of the configuration file", Args: cobra.NoArgs,
		Long: "Prints the JSON schema (draft 7) of the configuration file. An editor that knows it, as the first\nline of the file tells it, completes keys, explains them, and underlines mistakes.",
		RunE: func(*cobra.Command, []string) error {
			out := json.NewEncoder(stdout)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			return out.Encode(config.Schema())
		}}
	c.AddCommand(initCommand(path, stdout), schema)
	return c
}

func initCommand(path *string, stdout io.Writer) *cobra.Command {
	var a fresh.Answers
	var relays []string
	cmd := &cobra.Command{Use: "init", Short: "Write a first configuration file, with every line explained", Args: cobra.NoArgs,
		Long: "Writes a configuration file that explains every line. Without flags it asks for what is needed, with flags\n" +
			"it asks nothing. A file that somebody has edited is never overwritten.",
		Example: "  tasmota-azd config init\n" +
			"  tasmota-azd config init --hub myiothub.azure-devices.net --device-id pump-1 --relay Pump=GPIO17 --relay Gate=GPIO27\n" +
			"  tasmota-azd config init --dps 0ne00223A39 --board waveshare-rpi-relay-board --relay Pump=CH1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			for _, text := range relays {
				r, wrong := fresh.ParseRelay(text)
				a.Relays, err = append(a.Relays, r), errors.Join(err, wrong)
			}
			if reflect.ValueOf(a).IsZero() {
				a, err = fresh.Ask(cmd.InOrStdin(), stdout)
			}
			if err != nil {
				return err
			}
			return writeFirst(*path, a, stdout)
		}}
	f := cmd.Flags()
	f.StringVar(&a.Host, "hub", "", "host name of the IoT Hub that the device was created in")
	f.StringVar(&a.Scope, "dps", "", "or the ID Scope of the Device Provisioning Service")
	f.StringVar(&a.DeviceID, "device-id", "", "id of the device, with --dps the registration id (default: the MAC address)")
	f.StringVar(&a.KeyFile, "key-file", "", "file with the key (default: device.key, with --dps enrollment.key)")
	f.StringVar(&a.KeyKind, "key-kind", "", "with --dps, whose key that is: group or individual (default: group)")
	f.StringVar(&a.Board, "board", "", "relay board, as \"tasmota-azd board list\" names it")
	f.StringArrayVar(&relays, "relay", nil, "a relay as `NAME=PIN`, or with --board as NAME=CHANNEL; once for each")
	f.StringVar((*string)(&a.ClosesAt), "closes-at", "", "level of the pin at which a relay closes: high or low (default: as the board does, else high)")
	return cmd
}

// writeFirst writes the configuration that follows from the answers, unless it has
// mistakes, and says what is left to do. A file of a key may come later.
func writeFirst(path string, a fresh.Answers, stdout io.Writer) error {
	text, err := a.Text()
	if err != nil {
		return err
	}
	_, err = config.Parse(strings.NewReader(text), path)
	var lacking []config.Mistake
	if mistakes, ok := errors.AsType[*config.Error](err); ok {
		for _, m := range mistakes.Mistakes {
			if !strings.HasSuffix(m.Key, ".key_file") || !strings.Contains(m.Text, " does not exist") {
				return fmt.Errorf("nothing is written: %s: %s", m.Key, m.Text)
			}
			lacking = append(lacking, m)
		}
	}
	if err := place(path, text); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is written. Next:\n", path)
	for _, m := range lacking {
		fmt.Fprintf(stdout, "  tasmota-azd enroll --config %s    # asks for the key, and seals it; or do it yourself:\n", path)
		fmt.Fprintf(stdout, "  %s: %s\n", m.Key, m.Text)
	}
	_, err = fmt.Fprintf(stdout, "  tasmota-azd check --config %s\n", path)
	return err
}

// place puts a new file at path, readable by its owner and its group only. Where the
// sample stands as it was shipped, it takes its place and its group.
func place(path, text string) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case string(old) != configs.Sample:
		return fmt.Errorf("%s exists already and is not the sample as shipped; edit it, or name another file with --config", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone if all went well
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o640), give(f, path), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if old == nil { // a file that has come meanwhile is not overwritten
		return os.Link(f.Name(), path)
	}
	return os.Rename(f.Name(), path)
}

// give hands a file that root made to the group of the one that it replaces, or else
// of the service.
func give(f *os.File, replaces string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if info, err := os.Stat(replaces); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			return f.Chown(int(st.Uid), int(st.Gid))
		}
	}
	g, err := user.LookupGroup("tasmota-azd")
	if err != nil {
		return nil // not installed as a service
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	return f.Chown(-1, gid)
}
