package main

import (
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

func enrollmentCreate(c *client) *cobra.Command {
	var hub, file string
	var group bool
	cmd := &cobra.Command{
		Use: "create ID", Short: "Enroll one device by its registration id, or a group", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readKey(file)
			if err != nil {
				return err
			}
			body := map[string]any{"id": args[0], "group": group, "hub": hub, "key": key}
			return c.act(cmd.Context(), "POST", "/v1/enrollments", body, "enrolled %s", args[0])
		},
	}
	cmd.Flags().BoolVar(&group, "group", false, "a group: the key of each device is derived from the group's")
	cmd.Flags().StringVar(&hub, "hub", "", "`name` of the hub for its devices (default: the first one)")
	cmd.Flags().StringVar(&file, "key-file", "", "`file` with the key in base64 (default: a key is made)")
	return cmd
}

func enrollmentList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the enrollments", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/enrollments", "ID\tKIND\tHUB\tENABLED", func(e hubsim.EnrollmentState) string {
				kind := "individual"
				if e.Group {
					kind = "group"
				}
				return fmt.Sprintf("%s\t%s\t%s\t%t", e.ID, kind, e.Hub, !e.Disabled)
			})
		},
	}
}

func registrationList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "registrations", Short: "List what was assigned", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/registrations", "REGISTRATION\tHUB\tDEVICE\tSUBSTATUS\tTIMES\tUPDATED", func(r hubsim.Registration) string {
				return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s", r.ID, r.Hub, r.DeviceID, r.Substatus, r.Times, r.Updated.Format(clockTime))
			})
		},
	}
}

func enrollmentShow(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print the key of an enrollment", Args: cobra.ExactArgs(1),
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
