package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// maxAnswer is more than any answer has, in bytes.
const maxAnswer = 4 << 20

// A Client talks to the daemon behind a socket.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client for the socket at path. It does not connect yet.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status reads the daemon's status into v.
func (c *Client) Status(ctx context.Context, v any) error {
	return c.ask(ctx, http.MethodGet, "/v1/status", nil, v)
}

// Command runs a command and returns its answer.
func (c *Client) Command(ctx context.Context, r Request) (a Answer, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	err = c.ask(ctx, http.MethodPost, "/v1/command", body, &a)
	return a, err
}

// Why reads the last moves of a relay into v.
func (c *Client) Why(ctx context.Context, relay string, last int, v any) error {
	return c.ask(ctx, http.MethodGet, "/v1/why/"+url.PathEscape(relay)+"?last="+strconv.Itoa(last), nil, v)
}

// Metrics reads the numbers, in Prometheus's text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/metrics", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}

// Events hands over each line of what happens, until ctx or the daemon ends.
func (c *Client) Events(ctx context.Context, line func([]byte) error) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/events", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	for s.Buffer(nil, maxAnswer); s.Scan(); {
		if err := line(s.Bytes()); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return s.Err()
}

// group is the one that may use the socket, or could if its directory were not closed.
func (c *Client) group() string {
	if info, err := os.Stat(c.path); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			gid := strconv.Itoa(int(st.Gid))
			if g, err := user.LookupGroupId(gid); err == nil {
				return g.Name
			}
			return gid
		}
	}
	return "tasmota-azd"
}

func (c *Client) ask(ctx context.Context, method, path string, body []byte, v any) error {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(v)
}

// do sends a request and returns an answer that is no error.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set(saysHeader, says(myName()))
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var e struct{ Error string }
	if json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&e) != nil || e.Error == "" {
		e.Error = resp.Status
	}
	return nil, errors.New(e.Error)
}

// explain says what to do about a daemon that cannot be reached.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission for %s: run this with sudo, or join the group of the service (sudo usermod -aG %s %s, and log in again)", c.path, c.group(), myName())
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no daemon answers at %s: is it running? (systemctl status tasmota-azd)", c.path)
	}
	var e *url.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", c.path, err)
}
