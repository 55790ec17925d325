package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func deviceCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "Identities in the registry of the hub"}
	cmd.AddCommand(deviceCreate(c), deviceList(c), deviceShow(c),
		deviceAct(c, "enable", "Admit a device again", "POST", "/enable", "enabled %s"),
		deviceAct(c, "disable", "Refuse a device, and close its connection", "POST", "/disable", "disabled %s"),
		deviceAct(c, "delete", "Forget a device and what is queued for it", "DELETE", "", "deleted %s"),
	)
	return cmd
}

func deviceCreate(c *client) *cobra.Command {
	var hub, file string
	cmd := &cobra.Command{
		Use: "create DEVICE", Short: "Create a device; \"device show\" tells its connection string", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readKey(file)
			if err != nil {
				return err
			}
			body := map[string]string{"deviceId": args[0], "hub": hub, "key": key}
			return c.act(cmd.Context(), "POST", "/v1/devices", body, "created %s", args[0])
		},
	}
	cmd.Flags().StringVar(&hub, "hub", "", "`name` of the hub (default: the first one)")
	cmd.Flags().StringVar(&file, "key-file", "", "`file` with the device's key in base64 (default: a key is made)")
	return cmd
}

func deviceList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the devices", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/devices", "DEVICE\tHUB\tENABLED\tCONNECTED\tSUBSCRIBED\tQUEUED", func(d hubsim.DeviceState) string {
				return fmt.Sprintf("%s\t%s\t%t\t%t\t%t\t%d", d.ID, d.Hub, !d.Disabled, d.Connected, d.Subscribed, d.Queued)
			})
		},
	}
}

func deviceShow(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "show DEVICE", Short: "Print the connection string of a device, with its key", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.text(cmd.Context(), devicePath(args[0], "/connection-string"), "connectionString")
		},
	}
}

// deviceAct is a command that does one thing to one device.
func deviceAct(c *client, name, short, method, rest, done string) *cobra.Command {
	return &cobra.Command{
		Use: name + " DEVICE", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd.Context(), method, devicePath(args[0], rest), nil, done, args[0])
		},
	}
}
