// Command hubsim is a local stand-in of Azure IoT Hub and of its Device
// Provisioning Service. "hubsim serve" is the cloud; the other commands drive
// one that runs, much as "az iot" does the real one.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "hubsim: %v\n", err)
		os.Exit(1)
	}
}

// defaultControl is where serve listens for the other commands.
const defaultControl = "127.0.0.1:8880"

// command returns the whole program.
func command(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "hubsim",
		Short:         "A local stand-in of Azure IoT Hub and its provisioning service",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	control := defaultControl
	if env := os.Getenv("HUBSIM_CONTROL"); env != "" {
		control = env
	}
	c := &client{out: stdout}
	root.PersistentFlags().StringVar(&c.control, "control", control, "`address` of the control API, on the loopback interface (or set HUBSIM_CONTROL)")
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print what the control API answers, as JSON")
	root.AddCommand(
		serveCommand(&c.control),
		deviceCommand(c), c2dCommand(c), methodCommand(c), twinCommand(c), monitorCommand(c), queueCommand(c), feedbackCommand(c),
		enrollmentCommand(c), certificateCommand(c),
		faultCommand(c), quotaCommand(c), throttleCommand(c), loginsCommand(c), packetsCommand(c),
	)
	return root
}
