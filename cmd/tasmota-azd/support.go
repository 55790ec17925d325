package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/bundle"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/control"
)

// supportCommand is "support-bundle".
func supportCommand(path *string, stdout io.Writer) *cobra.Command {
	var file, socket string
	days := 7
	c := &cobra.Command{Use: "support-bundle", Short: "Collect into an archive what those who are to help need to know", Args: cobra.NoArgs,
		Long: `Writes an archive (tar.gz, readable by you alone) with what those who are to help need to know, and
prints what is in it: versions, kernel and board, the unit with its drop-ins, the configuration, the
daemon's status and numbers and why its relays moved, its checks, its journal, its settings, the GPIO
lines with who holds them, the owners and modes of files, memory and disks. For the checks it asks
the network and the cloud what tasmota-azd check asks, for a minute at most.

It is made by a list: what the list does not name is not in it. Of the configuration and the unit only
those values are shown that are listed as harmless, no comments; of a key file, that it is there. No
key is in it, but names are: of the hub, the device, the relays, and what messages said of themselves.
So look at it before you send it.

It works whether or not the daemon runs, and before its first start. Run it with sudo: another user
gets an archive in which more is missing, and the file manifest.txt in it says what, and why.`,
		Example: "  sudo tasmota-azd support-bundle\n  sudo tasmota-azd support-bundle -o /tmp/pump.tar.gz --days 2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			name := "tasmota-azd-support-" + now.UTC().Format("20060102-150405")
			s := support{path: *path, now: now, days: days, socket: socket, client: control.NewClient(socket)}
			return s.write(cmd.Context(), name, cmp.Or(file, name+".tar.gz"), stdout)
		}}
	c.Flags().StringVarP(&file, "output", "o", "", "the archive, which must not exist yet (default: one named by the date, here)")
	c.Flags().StringVar(&socket, "socket", defaultSocket, "the daemon's control socket")
	c.Flags().IntVar(&days, "days", days, "how many days of the journal")
	return c
}

// A support collects the members of the archive.
type support struct {
	path   string // of the configuration
	now    time.Time
	days   int
	socket string // of the daemon
	client *control.Client

	view config.View // of a file that is YAML
	pid  int         // of the daemon, 0: none
}

// write makes the archive, and says what is in it.
func (s *support) write(ctx context.Context, name, path string, stdout io.Writer) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the archive: %w", err)
	}
	all, err := bundle.Write(ctx, f, s.members(), bundle.Options{Dir: name, At: s.now, Conceal: config.Conceal})
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("the archive: %w", err), os.Remove(path))
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, k := range all {
		if k.Size > 0 {
			fmt.Fprintf(w, "%s\t%d bytes\t%s\n", k.Name, k.Size, k.Holds)
		}
	}
	_ = w.Flush() // the last line says whether stdout takes anything
	for _, k := range all {
		if k.Note != "" {
			fmt.Fprintf(stdout, "not all of %s: %s\n", k.Name, k.Note)
		}
	}
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	_, err = fmt.Fprintf(stdout, "\n%s\nOnly you can read it. Look at it before you send it: tar -xzOf %s | less\n", path, path)
	return err
}
