package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

// clockTime is how times are printed.
const clockTime = "2006-01-02T15:04:05.000Z07:00"

func monitorCommand(c *client) *cobra.Command {
	var device, since string
	cmd := &cobra.Command{
		Use: "monitor-events", Short: "Print what devices send, as it comes, until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"follow": {"true"}, "since": {since}}
			if device != "" {
				q.Set("device", device)
			}
			res, err := c.open(cmd.Context(), "GET", "/v1/events?"+q.Encode(), nil)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			err = c.print(res.Body)
			if cmd.Context().Err() != nil {
				return nil // by Ctrl-C
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&device, "device", "d", "", "only this device's `id`")
	cmd.Flags().StringVar(&since, "since", "now", "begin after this `number`; 0 begins with the oldest event that is kept")
	return cmd
}

// print writes one event after the other.
func (c *client) print(events io.Reader) error {
	in := bufio.NewReader(events)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if c.json {
			if _, err := c.out.Write(line); err != nil {
				return err
			}
			continue
		}
		var r hubsim.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if _, err := io.WriteString(c.out, pretty(r)); err != nil {
			return err
		}
	}
}

// pretty is an event as text: system properties have a "$" before them.
func pretty(r hubsim.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d  %s  %s\n", r.Seq, r.Enqueued.UTC().Format(clockTime), plain(r.Device))
	for _, name := range slices.Sorted(maps.Keys(r.System)) {
		fmt.Fprintf(&b, "    $ %s: %s\n", plain(name), plain(r.System[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		fmt.Fprintf(&b, "    %s: %s\n", plain(name), plain(r.Properties[name]))
	}
	fmt.Fprintf(&b, "    %s\n", plain(string(r.Body)))
	return b.String()
}

// plain is s, quoted if it holds what a terminal would not just print.
func plain(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}
