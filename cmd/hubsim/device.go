package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func deviceCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "Identities in the registry of the hub"}
	cmd.AddCommand(deviceCreate(c), deviceList(c), deviceShow(c), deviceRenewKey(c),
		deviceAct(c, "enable", "Admit a device again", "POST", "/enable", "enabled %s"),
		deviceAct(c, "disable", "Refuse a device, and close its connection", "POST", "/disable", "disabled %s"),
		deviceAct(c, "delete", "Forget a device and what is queued for it", "DELETE", "", "deleted %s"),
	)
	return cmd
}

// newDevice is what the flags of create say, and what is sent.
type newDevice struct {
	ID           string            `json:"deviceId"`
	Hub          string            `json:"hub,omitempty"`
	Auth         hubsim.AuthMethod `json:"authMethod,omitempty"`
	Key          string            `json:"key,omitempty"`
	SecondaryKey string            `json:"secondaryKey,omitempty"`
	Thumbprints  []string          `json:"thumbprints,omitempty"`

	keyFile, secondaryKeyFile string
	primary, secondary        string // thumbprints
	outputDir                 string
}

func deviceCreate(c *client) *cobra.Command {
	var d newDevice
	cmd := &cobra.Command{
		Use: "create DEVICE", Short: "Create a device, and show its keys", Args: cobra.ExactArgs(1),
		Example: "  hubsim device create pump\n  hubsim device create lamp --auth-method x509_thumbprint --output-dir .",
		RunE: func(cmd *cobra.Command, args []string) error {
			d.ID = args[0]
			if err := d.settle(); err != nil {
				return err
			}
			if err := c.act(cmd.Context(), "POST", "/v1/devices", d, "created %s", d.ID); err != nil || c.json || d.Auth != hubsim.SharedKey {
				return err
			}
			return c.showKeys(cmd.Context(), devicePath(d.ID, "/keys"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.Hub, "hub", "", "`name` of the hub (default: the first one)")
	f.StringVar((*string)(&d.Auth), "auth-method", string(hubsim.SharedKey), "shared_private_key, x509_thumbprint or x509_ca")
	f.StringVar(&d.keyFile, "key-file", "", "`file` with the primary key in base64 (default: a key is made)")
	f.StringVar(&d.secondaryKeyFile, "secondary-key-file", "", "`file` with the secondary key (default: a key is made)")
	f.StringVar(&d.primary, "primary-thumbprint", "", "SHA-1 or SHA-256 of the device's certificate, in `hex`")
	f.StringVar(&d.secondary, "secondary-thumbprint", "", "the same of a second certificate, in `hex`")
	f.StringVar(&d.outputDir, "output-dir", "", "with x509_thumbprint and no thumbprint: make a certificate, and put it and its key into this `directory`")
	return cmd
}

// settle reads and makes what the flags name.
func (d *newDevice) settle() error {
	var err1, err2 error
	d.Key, err1 = readKey(d.keyFile)
	d.SecondaryKey, err2 = readKey(d.secondaryKeyFile)
	for _, p := range []string{d.primary, d.secondary} {
		if p != "" {
			d.Thumbprints = append(d.Thumbprints, p)
		}
	}
	if d.outputDir == "" || err1 != nil || err2 != nil {
		return errors.Join(err1, err2)
	}
	if d.Auth != hubsim.Thumbprint || len(d.Thumbprints) > 0 {
		return errors.New("--output-dir is for a certificate to be made: with --auth-method x509_thumbprint and no thumbprint")
	}
	made, err := selfSigned(d.outputDir, d.ID)
	d.Thumbprints = []string{made}
	return err
}

func deviceRenewKey(c *client) *cobra.Command {
	var which string
	cmd := &cobra.Command{
		Use: "renew-key DEVICE", Short: "Make one of a device's keys anew, and show both", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := c.act(cmd.Context(), "POST", devicePath(args[0], "/keys/"+url.PathEscape(which)), nil, "made a new %s key for %s", which, args[0])
			if err != nil || c.json {
				return err
			}
			return c.showKeys(cmd.Context(), devicePath(args[0], "/keys"))
		},
	}
	cmd.Flags().StringVar(&which, "key-type", "", "primary or secondary")
	if err := cmd.MarkFlagRequired("key-type"); err != nil {
		panic(err) // the flag is a few lines above
	}
	return cmd
}

// showKeys gets a pair of keys and prints it.
func (c *client) showKeys(ctx context.Context, path string) error {
	data, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	var keys struct{ Key, SecondaryKey string }
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "primary key    %s\nsecondary key  %s\n", keys.Key, keys.SecondaryKey)
	return err
}

func deviceList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the devices", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/devices", "DEVICE\tHUB\tAUTH\tENABLED\tCONNECTED\tSUBSCRIBED\tQUEUED", func(d hubsim.DeviceState) string {
				return fmt.Sprintf("%s\t%s\t%s\t%t\t%t\t%t\t%d", d.ID, d.Hub, d.Auth, !d.Disabled, d.Connected, d.Subscribed, d.Queued)
			})
		},
	}
}

func deviceShow(c *client) *cobra.Command {
	var which string
	cmd := &cobra.Command{
		Use: "show DEVICE", Short: "Print the connection string of a device, with its key", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			member := map[string]string{"primary": "connectionString", "secondary": "secondaryConnectionString"}[which]
			if member == "" {
				return fmt.Errorf("--key-type %q: primary or secondary", which)
			}
			return c.text(cmd.Context(), devicePath(args[0], "/connection-string"), member)
		},
	}
	cmd.Flags().StringVar(&which, "key-type", "primary", "primary or secondary")
	return cmd
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
