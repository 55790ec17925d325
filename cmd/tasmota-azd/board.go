package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/boards"
	"tasmota-azd/internal/config"
)

// boardCommand is "board" with its sub-commands. The path of the configuration is
// known only when one of them runs.
func boardCommand(path *string, stdout io.Writer) *cobra.Command {
	board := &cobra.Command{Use: "board", Short: "Relay boards: which there are, what is wired to what, a test", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "List the relay boards that are known by name", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return listBoards(stdout) }}
	show := &cobra.Command{Use: "show NAME", Short: "Print a relay board as YAML to paste into the configuration",
		Args: cobra.ExactArgs(1), ValidArgs: boards.Names(),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := findBoard(args[0])
			if err != nil {
				return err
			}
			return b.Show(stdout)
		}}
	boot := &cobra.Command{Use: "boot-config", Short: "Print lines for config.txt that hold the relays off while the board starts", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return printBootConfig(*path, stdout) }}
	test := &cobra.Command{Use: "test [NAME]", Short: "Click one relay after the other, to find out order and polarity",
		Long: "Clicks one relay after the other, asks what happened, and prints the relays: that follow from it.\n" +
			"With NAME it tries the pins of that relay board, else those of the configuration. The daemon must\n" +
			"be stopped. Nothing is clicked without a typed yes, and every relay that was tried is off at the end.",
		Args: cobra.MaximumNArgs(1), ValidArgs: boards.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tryBoard(cmd.Context(), *path, strings.Join(args, ""), cmd.InOrStdin(), stdout)
		}}
	board.AddCommand(list, show, boot, test)
	return board
}

// findBoard returns the board of that name, also one that cannot be used.
func findBoard(name string) (boards.Board, error) {
	b, ok := boards.Find(name)
	if !ok {
		return b, fmt.Errorf("no relay board is known as %q; tasmota-azd board list has the names", name)
	}
	return b, nil
}

// listBoards prints the boards that can be used, then the others.
func listBoards(w io.Writer) error {
	var text, others strings.Builder
	width := 0
	for _, name := range boards.Names() {
		width = max(width, len(name))
	}
	fmt.Fprintf(&text, "%-*s  RELAYS  CLOSES AT  BOARD\n", width, "NAME")
	for _, b := range boards.All() {
		if b.Unsupported != "" {
			fmt.Fprintf(&others, "  %s, %s: %s\n", b.Name, b.Title, b.Unsupported)
			continue
		}
		fmt.Fprintf(&text, "%-*s  %-6d  %-9s  %s\n", width, b.Name, len(b.Channels), b.Active, b.Title)
	}
	_, err := fmt.Fprintf(w, "%s\nNot supported:\n%s", text.String(), others.String())
	return err
}

func printBootConfig(path string, w io.Writer) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	model, err := os.ReadFile("/proc/device-tree/model")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text, err := bootConfig(cfg, strings.TrimRight(string(model), "\x00\n"))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// bootConfig returns lines for config.txt, which the firmware of a Raspberry Pi
// reads at power-on: each relay's pin becomes an output at the level that opens
// the relay. The model is that of this machine, empty if it has no device tree.
func bootConfig(cfg config.Config, model string) (string, error) {
	switch {
	case cfg.GPIO.Driver == config.DriverSim:
		return "", errors.New("gpio.driver is sim: simulated pins move only when they are told to, so nothing has to be held")
	case model != "" && !strings.HasPrefix(model, "Raspberry Pi"):
		return "", fmt.Errorf("this is a %s: only the firmware of a Raspberry Pi reads config.txt; ask the maker how pins are set at power-on", model)
	}
	var text strings.Builder
	text.WriteString("# Made by tasmota-azd board boot-config: holds the relays off until tasmota-azd starts.\n" +
		"# For the end of /boot/firmware/config.txt, or /boot/config.txt on systems older than Bookworm.\n[all]\n")
	held := 0
	for _, r := range cfg.Relays {
		n, ok := r.BCM()
		if !ok {
			fmt.Fprintf(&text, "# %s on %s is left out: that is no GPIO of the 40-pin header by its name, and the firmware knows no other.\n", r.Name, r.Pin)
			continue
		}
		held++
		level := "dl"
		if r.ActiveLow { // it is open while the pin is high
			level = "dh"
		}
		fmt.Fprintf(&text, "# %s\ngpio=%d=op,%s\n", r.Name, n, level)
	}
	if held == 0 {
		return "", errors.New("no relay of the configuration is on a GPIO of the 40-pin header by its name, such as GPIO17, and the firmware knows no other pins")
	}
	return text.String(), nil
}
