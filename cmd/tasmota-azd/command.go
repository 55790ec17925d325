package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// Set by the linker (see the Makefile): the release, and the date of its commit.
var (
	version   = "0.0.0-dev"
	buildTime = "1970-01-01T00:00:00"
)

const defaultConfig = "/etc/tasmota-azd/config.yaml"

// proper returns known for another path to the same file, such as a relative one: what
// depends on whose configuration it is must not depend on how that is written.
func proper(path, known string) string {
	a, errA := os.Stat(path)
	b, errB := os.Stat(known)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return known
	}
	return path
}

// command is the command line. Without a sub-command it runs the daemon.
func command(stdout, stderr io.Writer) *cobra.Command {
	var path string
	var ttl time.Duration
	serve := func(cmd *cobra.Command, _ []string) error {
		return run(cmd.Context(), path, ttl, stderr)
	}
	root := &cobra.Command{
		Use:           "tasmota-azd",
		Short:         "Tasmota relays for Azure IoT Hub",
		Long:          "tasmota-azd makes a Linux board behave like a Tasmota relay device on Azure IoT Hub.\nWithout a command it runs the daemon.",
		Args:          cobra.NoArgs,
		RunE:          serve,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.PersistentFlags().StringVarP(&path, "config", "c", defaultConfig, "the configuration file")

	daemon := &cobra.Command{
		Use: "run", Short: "Run the daemon (the default)", Args: cobra.NoArgs, RunE: serve,
	}
	for _, c := range []*cobra.Command{root, daemon} {
		c.Flags().DurationVar(&ttl, "token-ttl", 0, "lifetime of a token, down to 5s, for tests")
		if err := c.Flags().MarkHidden("token-ttl"); err != nil {
			panic(err) // only if the flag above is not there
		}
	}
	show := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Fprint(stdout, versionLine())
		},
	}
	root.AddCommand(daemon, checkCommand(&path, stdout), boardCommand(&path, stdout), configCommand(&path, stdout), enrollCommand(&path, stdout, stderr), supportCommand(&path, stdout), show)
	root.AddCommand(askCommands(stdout)...)
	return root
}

// versionLine says which program this is.
func versionLine() string {
	return fmt.Sprintf("tasmota-azd %s (%s, %s/%s, built %s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, buildTime)
}
