package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func methodCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "method", Short: "Direct methods"}
	cmd.AddCommand(methodInvoke(c))
	return cmd
}

func methodInvoke(c *client) *cobra.Command {
	var device, payload string
	var call hubsim.Call
	cmd := &cobra.Command{
		Use: "invoke", Short: "Call a method of a device and print its answer", Args: cobra.NoArgs,
		Example: `  hubsim method invoke --device pump --method Power1 --payload '"toggle"'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			call.Payload = []byte(payload)
			if payload != "" && !json.Valid(call.Payload) {
				return notJSON("--payload", payload)
			}
			return c.answer(cmd.Context(), "POST", devicePath(device, "/methods"), call)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&device, "device", "d", "", "the device's `id`")
	f.StringVarP(&call.Method, "method", "m", "", "the method's `name`, such as Power1")
	f.StringVar(&payload, "payload", "null", "the argument, as `JSON`; \"\" sends an empty body")
	f.DurationVar(&call.ResponseTimeout, "timeout", 0, "how long to wait for the answer, 5s to 300s (default 30s)")
	f.DurationVar(&call.ConnectTimeout, "connect-timeout", 0, "how long to wait for a device that is away, up to 300s (default: not at all)")
	return required(cmd, "device", "method")
}
