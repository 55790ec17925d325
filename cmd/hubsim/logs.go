package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func loginsCommand(c *client) *cobra.Command {
	var device string
	cmd := &cobra.Command{
		Use: "logins", Short: "List every CONNECT and what became of it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, ofDevice("/v1/logins", device), "TIME\tCONN\tOVER\tDEVICE\tHUB\tCODE\tCLEAN\tTOKEN UNTIL\tREFUSED\tENDED", func(l hubsim.Login) string {
				return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%d\t%t\t%s\t%s\t%s", l.Time.Format(clockTime), l.Conn, l.Transport, plain(l.Device), plain(l.Host), l.Code, l.Clean,
					moment(l.Expiry), plain(l.Why), plain(l.End))
			})
		},
	}
	cmd.Flags().StringVarP(&device, "device", "d", "", "only this device's `id`")
	return cmd
}

// moment is a time as it is printed, and none as "-".
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(clockTime)
}

func packetsCommand(c *client) *cobra.Command {
	var device string
	cmd := &cobra.Command{
		Use: "packets", Short: "List the MQTT packets seen", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, ofDevice("/v1/packets", device), "TIME\tCONN\tDEVICE\t\tTYPE\tID\tSIZE\t", func(p hubsim.Packet) string {
				arrow := "<-" // to the device
				if p.In {
					arrow = "->"
				}
				return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%d\t%d\t%s", p.Time.Format(clockTime), p.Conn, plain(p.Device), arrow, p.Type, p.ID, p.Size, plain(p.Detail))
			})
		},
	}
	cmd.Flags().StringVarP(&device, "device", "d", "", "only this device's `id`")
	return cmd
}

func feedbackCommand(c *client) *cobra.Command {
	var device string
	cmd := &cobra.Command{
		Use: "feedback", Short: "List what became of messages whose senders asked", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, ofDevice("/v1/feedback", device), "TIME\tDEVICE\tMESSAGE-ID\tSTATUS", func(f hubsim.Feedback) string {
				return fmt.Sprintf("%s\t%s\t%s\t%s", f.Time.Format(clockTime), plain(f.Device), plain(f.MessageID), f.Status)
			})
		},
	}
	cmd.Flags().StringVarP(&device, "device", "d", "", "only this device's `id`")
	return cmd
}
