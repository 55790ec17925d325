package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func twinCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "twin", Short: "Device twins"}
	cmd.AddCommand(twinShow(c), twinUpdate(c))
	return cmd
}

func twinShow(c *client) *cobra.Command {
	var device string
	cmd := &cobra.Command{
		Use: "show", Short: "Print the twin of a device", Args: cobra.NoArgs,
		Example: "  hubsim twin show --device pump",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.answer(cmd.Context(), "GET", devicePath(device, "/twin"), nil)
		},
	}
	cmd.Flags().StringVarP(&device, "device", "d", "", "the device's `id`")
	return required(cmd, "device")
}

func twinUpdate(c *client) *cobra.Command {
	var device, desired string
	cmd := &cobra.Command{
		Use: "update", Short: "Change desired properties of a device, and print its twin", Args: cobra.NoArgs,
		Long:    "Merges a patch into the desired properties of a device and prints its twin. In the patch, null deletes a property.",
		Example: `  hubsim twin update --device pump --desired '{"relays":{"1":{"power":"ON"}}}'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !json.Valid([]byte(desired)) {
				return notJSON("--desired", desired)
			}
			patch := map[string]any{"properties": map[string]json.RawMessage{"desired": json.RawMessage(desired)}}
			return c.answer(cmd.Context(), "PATCH", devicePath(device, "/twin"), patch)
		},
	}
	cmd.Flags().StringVarP(&device, "device", "d", "", "the device's `id`")
	cmd.Flags().StringVar(&desired, "desired", "", "the patch, an object of `JSON`")
	return required(cmd, "device", "desired")
}
