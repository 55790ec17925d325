package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"text/tabwriter"
)

// A client drives a running hubsim by its control API.
type client struct {
	control string
	json    bool
	out     io.Writer
}

// maxAnswer is more than the control API ever says at once.
const maxAnswer = 256 << 20

// do sends one request and returns the answer. A body that is nil is none.
func (c *client) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	res, err := c.open(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}

// open sends one request and returns its response, unless that is a mistake.
func (c *client) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.control+path, &text)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("nothing answers at %s: is \"hubsim serve\" running, with this --control?", c.control)
	}
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, mistake(res)
	}
	return res, nil
}

// mistake words an answer that is an error.
func mistake(res *http.Response) error {
	var answer struct{ Error string }
	data, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if json.Unmarshal(data, &answer) != nil || answer.Error == "" {
		return fmt.Errorf("%s answers %s", res.Request.URL, res.Status)
	}
	return errors.New(answer.Error)
}

// act sends a request whose answer is of no interest beyond success.
func (c *client) act(ctx context.Context, method, path string, body any, done string, args ...any) error {
	answer, err := c.do(ctx, method, path, body)
	switch {
	case err != nil:
		return err
	case c.json:
		_, err = c.out.Write(answer)
	default:
		_, err = fmt.Fprintf(c.out, done+"\n", args...)
	}
	return err
}

// answer sends a request and prints the answer: as it comes with --json, else
// indented.
func (c *client) answer(ctx context.Context, method, path string, body any) error {
	data, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	if c.json {
		_, err = c.out.Write(data)
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, data, "", "  "); err != nil {
		return err
	}
	_, err = c.out.Write(text.Bytes())
	return err
}

// notJSON words the mistake that a shell makes easy.
func notJSON(flag, text string) error {
	return fmt.Errorf("%s %s is no JSON: a text needs its own quotes, and all of it those of the shell, as in %s '\"on\"'", flag, text, flag)
}

// show gets path and prints it: as it comes with --json, else as a table.
func show[T any](ctx context.Context, c *client, path, header string, row func(T) string) error {
	data, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if c.json {
		_, err = c.out.Write(data)
		return err
	}
	var all []T
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, header)
	for _, v := range all {
		fmt.Fprintln(t, row(v))
	}
	return t.Flush()
}

// text gets path and prints one member of the answer.
func (c *client) text(ctx context.Context, path, member string) error {
	data, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if c.json {
		_, err = c.out.Write(data)
		return err
	}
	var answer map[string]string
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, answer[member])
	return err
}

func devicePath(id, rest string) string { return "/v1/devices/" + url.PathEscape(id) + rest }

// ofDevice is path for one device, or for all.
func ofDevice(path, id string) string {
	if id == "" {
		return path
	}
	return path + "?device=" + url.QueryEscape(id)
}
