package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func enrollmentCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "enrollment", Short: "Who may register with the provisioning service"}
	cmd.AddCommand(enrollmentCreate(c), enrollmentList(c), enrollmentShow(c), registrationList(c),
		enrollmentAct(c, "enable", "Admit registrations again", "POST", "/enable", "enabled %s"),
		enrollmentAct(c, "disable", "Answer registrations with \"disabled\"", "POST", "/disable", "disabled %s"),
		enrollmentAct(c, "delete", "Forget an enrollment; devices it has admitted remain", "DELETE", "", "deleted %s"),
	)
	return cmd
}

// newEnrollment is what the flags of create say, and what is sent.
type newEnrollment struct {
	ID           string   `json:"id"`
	Group        bool     `json:"group"`
	Hub          string   `json:"hub"`
	Key          string   `json:"key,omitempty"`
	SecondaryKey string   `json:"secondaryKey,omitempty"`
	Certificates []string `json:"certificates,omitempty"`

	keyFile, secondaryKeyFile string
	path, secondaryPath       string // of certificates
}

func enrollmentCreate(c *client) *cobra.Command {
	var e newEnrollment
	cmd := &cobra.Command{
		Use: "create ID", Short: "Enroll one device by its registration id, or a group, by keys or by certificates", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.ID = args[0]
			if err := e.settle(); err != nil {
				return err
			}
			return c.act(cmd.Context(), "POST", "/v1/enrollments", e, "enrolled %s", e.ID)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&e.Group, "group", false, "a group: the keys of each device are derived from the group's, or its certificate is signed by a CA of the group")
	f.StringVar(&e.Hub, "hub", "", "`name` of the hub for its devices (default: the first one)")
	f.StringVar(&e.keyFile, "key-file", "", "`file` with the primary key in base64 (default: a key is made)")
	f.StringVar(&e.secondaryKeyFile, "secondary-key-file", "", "`file` with the secondary key (default: a key is made)")
	f.StringVar(&e.path, "certificate-path", "", "`file` with the device's certificate in PEM, or a group's CA; there are no keys then")
	f.StringVar(&e.secondaryPath, "secondary-certificate-path", "", "`file` with a second one")
	return cmd
}

// settle reads the files.
func (e *newEnrollment) settle() error {
	var errs [2]error
	e.Key, errs[0] = readKey(e.keyFile)
	e.SecondaryKey, errs[1] = readKey(e.secondaryKeyFile)
	for _, path := range []string{e.path, e.secondaryPath} {
		text, err := readPEM(path)
		if err != nil {
			return err
		}
		if text != "" {
			e.Certificates = append(e.Certificates, text)
		}
	}
	return errors.Join(errs[:]...)
}

func enrollmentList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the enrollments", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/enrollments", "ID\tKIND\tATTESTATION\tHUB\tENABLED", func(e hubsim.EnrollmentState) string {
				kind := "individual"
				if e.Group {
					kind = "group"
				}
				return fmt.Sprintf("%s\t%s\t%s\t%s\t%t", e.ID, kind, e.Attestation, e.Hub, !e.Disabled)
			})
		},
	}
}

func registrationList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "registrations", Short: "List what was assigned", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/registrations", "REGISTRATION\tHUB\tDEVICE\tSUBSTATUS\tTIMES\tUPDATED\tMODEL", func(r hubsim.Registration) string {
				return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s", r.ID, r.Hub, r.DeviceID, r.Substatus, r.Times, r.Updated.Format(clockTime), plain(r.ModelID))
			})
		},
	}
}

func enrollmentShow(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print the primary key of an enrollment", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.text(cmd.Context(), enrollmentPath(args[0], "/key"), "key")
		},
	}
}

func enrollmentAct(c *client, name, short, method, rest, done string) *cobra.Command {
	return &cobra.Command{
		Use: name + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd.Context(), method, enrollmentPath(args[0], rest), nil, done, args[0])
		},
	}
}

func enrollmentPath(id, rest string) string { return "/v1/enrollments/" + url.PathEscape(id) + rest }
