package main

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func c2dCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "c2d", Short: "Cloud-to-device messages"}
	cmd.AddCommand(c2dSend(c))
	return cmd
}

func c2dSend(c *client) *cobra.Command {
	var device, topic, body string
	var properties []string
	var m hubsim.C2D
	cmd := &cobra.Command{
		Use: "send", Short: "Put a message into the queue of a device", Args: cobra.NoArgs,
		Example: "  hubsim c2d send --device pump --topic /power --body toggle",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("message-id") {
				m.MessageID = strings.ToLower(rand.Text())
			}
			m.Body, m.Properties = []byte(body), parseProperties(topic, properties)
			return c.act(cmd.Context(), "POST", devicePath(device, "/messages"), m, "queued for %s, message id %q", device, m.MessageID)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&device, "device", "d", "", "the device's `id`")
	f.StringVar(&topic, "topic", "", "value of the property Topic: the `command`, such as /power")
	f.StringVar(&body, "body", "", "the message `text`: the command's argument")
	f.StringVar(&m.MessageID, "message-id", "", "message `id` (default: one is made; \"\" sends none)")
	f.StringVar(&m.CorrelationID, "correlation-id", "", "correlation `id`")
	f.StringVar(&m.UserID, "user-id", "", "user `id`")
	f.StringVar(&m.ContentType, "content-type", "", "content `type`")
	f.StringVar(&m.ContentEncoding, "content-encoding", "", "content `encoding`")
	f.StringVar(&m.Ack, "ack", "", "feedback asked for: none, positive, negative or full; see \"hubsim feedback\"")
	f.StringVar(&m.To, "to", "", "spelling of the `address`, such as /devices/D/messages/deviceBound")
	f.DurationVar(&m.TTL, "ttl", 0, "time to live, at most 48h (default: that of serve)")
	f.StringArrayVarP(&properties, "property", "p", nil, "application property `name=value`, \"name=\" or \"name\"; can be repeated")
	return required(cmd, "device")
}

// required makes flags of cmd required.
func required(cmd *cobra.Command, flags ...string) *cobra.Command {
	for _, name := range flags {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // cmd has no such flag
		}
	}
	return cmd
}

// parseProperties reads "name=value"; a name without "=" has no value at all.
func parseProperties(topic string, texts []string) hubsim.Properties {
	var ps hubsim.Properties
	if topic != "" {
		ps = append(ps, hubsim.Property{Name: "Topic", Value: topic})
	}
	for _, text := range texts {
		name, value, found := strings.Cut(text, "=")
		ps = append(ps, hubsim.Property{Name: name, Value: value, Null: !found})
	}
	return ps
}

func queueCommand(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "queue DEVICE", Short: "List the messages that a device has not completed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return show(cmd.Context(), c, devicePath(args[0], "/messages"), "SEQ\tMESSAGE-ID\tENQUEUED\tEXPIRES\tSENT\tLOCKED\tPROPERTIES\tBODY", func(q hubsim.Queued) string {
				return fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%t\t%s\t%s", q.Seq, plain(q.MessageID), q.Enqueued.Format(clockTime), q.Expires.Format(clockTime),
					q.Deliveries, q.Locked, bag(q.Properties), plain(string(q.Body)))
			})
		},
	}
}

func bag(ps hubsim.Properties) string {
	var all []string
	for _, p := range ps {
		text := plain(p.Name)
		if !p.Null {
			text += "=" + plain(p.Value)
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}
