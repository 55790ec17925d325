package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func faultCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "fault", Short: "Let something go wrong"}
	cmd.AddCommand(faultAdd(c), faultList(c), faultClear(c), faultReassign(c),
		deviceAct(c, "kick", "Close the connection of a device", "POST", "/kick", "%s has no connection any more"),
		deviceAct(c, "reset", "End the connection of a device with a TCP reset", "POST", "/reset", "%s has no connection any more"),
		deviceAct(c, "freeze", "Lose all that a connection carries, and show no end of it", "POST", "/freeze", "the connection of %s, if it has one, is frozen"),
		deviceAct(c, "deafen", "Lose what a device sends on its connection", "POST", "/deafen", "the hub does not hear %s any more, if it is connected"),
		deviceAct(c, "mute", "Lose what a device is sent on its connection, its end too", "POST", "/mute", "%s does not hear the hub any more, if it is connected"),
	)
	return cmd
}

func faultAdd(c *client) *cobra.Command {
	var f hubsim.Fault
	var kinds []string
	for _, k := range hubsim.FaultKinds {
		kinds = append(kinds, string(k))
	}
	cmd := &cobra.Command{
		Use: "add KIND", Short: "Let a kind of fault happen the next times", Args: cobra.ExactArgs(1), ValidArgs: kinds,
		Long:    "Lets a kind of fault happen the next times. The kinds are:\n\n  " + strings.Join(kinds, "\n  "),
		Example: "  hubsim fault add refuse-connect --count 10 --code 5\n  hubsim fault add refuse-tcp --transport mqtt --count -1\n  hubsim fault add dps-refuse-register --code 429 --delay 10s",
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Kind = hubsim.FaultKind(args[0])
			return c.act(cmd.Context(), "POST", "/v1/faults", f, "will happen: %s", args[0])
		},
	}
	cmd.Flags().StringVarP(&f.Device, "device", "d", "", "only for this device's `id`; for DPS, the registration id")
	cmd.Flags().IntVar(&f.Count, "count", 1, "how `often`; -1: until it is cleared")
	cmd.Flags().IntVar(&f.Code, "code", 0, "CONNACK code, HTTP status or DPS error `code`")
	cmd.Flags().StringVar((*string)(&f.Transport), "transport", "", "only over mqtt, or over websocket, for half-open and refuse-tcp")
	cmd.Flags().DurationVar(&f.Delay, "delay", 0, "how long, for the kinds that delay; Retry-After, for DPS")
	return cmd
}

func faultList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what is still to go wrong", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/faults", "KIND\tDEVICE\tOVER\tCOUNT\tCODE\tDELAY", func(f hubsim.Fault) string {
				return fmt.Sprintf("%s\t%s\t%s\t%d\t%d\t%v", f.Kind, f.Device, f.Transport, f.Count, f.Code, f.Delay)
			})
		},
	}
}

func faultClear(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "clear [KIND]", Short: "Let nothing go wrong any more, or nothing of one kind", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/faults"
			if len(args) > 0 {
				path += "?kind=" + url.QueryEscape(args[0])
			}
			return c.act(cmd.Context(), "DELETE", path, nil, "cleared")
		},
	}
}

func faultReassign(c *client) *cobra.Command {
	var r hubsim.Reassignment
	var payload string
	cmd := &cobra.Command{
		Use: "reassign REGISTRATION", Short: "Change what a device is told when it registers again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if payload != "" {
				if !json.Valid([]byte(payload)) {
					return fmt.Errorf("--payload %s: not JSON", payload)
				}
				r.Payload = json.RawMessage(payload)
			}
			path := "/v1/registrations/" + url.PathEscape(args[0]) + "/reassign"
			return c.act(cmd.Context(), "POST", path, r, "%s will be reassigned when it registers", args[0])
		},
	}
	cmd.Flags().StringVar(&r.Hub, "hub", "", "move it to this hub's `name`")
	cmd.Flags().StringVar(&r.DeviceID, "device-id", "", "give it this device `id`, such as its registration id in capitals")
	cmd.Flags().StringVar(&payload, "payload", "", "hand it this `object` of JSON, as a custom allocation may")
	cmd.Flags().BoolVar(&r.Reset, "reset", false, "make its identity anew")
	return cmd
}
