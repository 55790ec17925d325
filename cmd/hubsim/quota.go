package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func quotaCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "quota", Short: "How many messages the hubs take a day"}
	cmd.AddCommand(quotaShow(c), quotaSet(c), quotaSpend(c))
	return cmd
}

func quotaShow(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Print the quota, and what is counted today", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := c.do(cmd.Context(), http.MethodGet, "/v1/quota", nil)
			if err != nil {
				return err
			}
			if c.json {
				_, err = c.out.Write(data)
				return err
			}
			var in struct {
				Quota hubsim.Quota
				Usage []hubsim.Usage
			}
			if err := json.Unmarshal(data, &in); err != nil {
				return err
			}
			t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "HUB\tUSED\tLIMIT\tMETER\tRESETS\tTHEN PUBLISH\tTHEN CONNECT")
			for _, u := range in.Usage {
				fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", u.Hub, u.Used, in.Quota.Limit, in.Quota.Meter, moment(u.Resets), in.Quota.Publish, in.Quota.Connect)
			}
			return t.Flush()
		},
	}
}

func quotaSet(c *client) *cobra.Command {
	var q hubsim.Quota
	cmd := &cobra.Command{
		Use: "set", Short: "Change the quota; what is counted today stays counted", Args: cobra.NoArgs,
		Example: "  hubsim quota set --limit 8000 --meter 512    # the free tier",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.act(cmd.Context(), "PUT", "/v1/quota", q, "each hub takes %d messages of %d bytes a day", q.Limit, q.Meter)
		},
	}
	f := cmd.Flags()
	f.IntVar(&q.Limit, "limit", 0, "`messages` a day; 0: no limit")
	f.IntVar(&q.Meter, "meter", 4096, "`bytes` that count as one message; 512 on the free tier")
	f.StringVar(&q.Publish, "publish", hubsim.OverDrop, "what a device's message meets beyond the limit: drop (no PUBACK) or close")
	f.StringVar(&q.Connect, "connect", hubsim.OverRefuse, "what a CONNECT meets then: refuse, or sever (accepted, and closed a second later)")
	return cmd
}

func quotaSpend(c *client) *cobra.Command {
	var messages int
	var hub string
	cmd := &cobra.Command{
		Use: "spend", Short: "Count messages that nobody has sent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body := map[string]any{"hub": hub, "messages": messages}
			return c.act(cmd.Context(), "POST", "/v1/quota/spend", body, "counted %d messages", messages)
		},
	}
	cmd.Flags().IntVar(&messages, "messages", 0, "how `many`")
	cmd.Flags().StringVar(&hub, "hub", "", "`name` of the hub (default: the first one)")
	return cmd
}

func throttleCommand(c *client) *cobra.Command {
	var t hubsim.Throttle
	cmd := &cobra.Command{
		Use: "throttle", Short: "Change how fast the hubs take messages", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.act(cmd.Context(), "PUT", "/v1/throttle", t, "each hub takes %v messages a second, and lets %d wait", t.Rate, t.Backlog)
		},
	}
	cmd.Flags().Float64Var(&t.Rate, "rate", 0, "`messages` a second; 0: no limit")
	cmd.Flags().IntVar(&t.Backlog, "backlog", 50, "how `many` may wait for their PUBACK before connections are closed")
	return cmd
}
