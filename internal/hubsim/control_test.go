package hubsim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

// call is one request to the control API from this machine.
func (c *cloud) call(method, path, body string) (int, string) {
	c.t.Helper()
	return c.callAs(method, path, body, func(*http.Request) {})
}

func (c *cloud) callAs(method, path, body string, change func(*http.Request)) (int, string) {
	c.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	change(r)
	w := httptest.NewRecorder()
	c.Control().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestControlRegistry(t *testing.T) {
	inBubble(t, hubsim.Options{Hosts: []string{"localhost", "127.0.0.1"}}, func(t *testing.T, c *cloud) {
		for _, tt := range []struct {
			method, path, body string
			status             int
			want               string // a part of the answer
		}{
			{"GET", "/v1/info", "", 200, `"hubs":["localhost","127.0.0.1"]`},
			{"POST", "/v1/devices", `{"deviceId":"pump","hub":"127.0.0.1","key":"` + keyText + `"}`, 201, `{"deviceId":"pump","hub":"127.0.0.1","disabled":false,"connected":false,"subscribed":false,"queued":0,"authMethod":"shared_private_key"}`},
			{"POST", "/v1/devices", `{"deviceId":"made"}`, 201, `"hub":"localhost"`},
			{"POST", "/v1/devices", `{"deviceId":"pump"}`, 409, `"error"`},
			{"POST", "/v1/devices", `{"deviceId":"a/b"}`, 400, `"error"`},
			{"POST", "/v1/devices", `{"deviceId":"x","key":"short"}`, 400, `"error"`},
			{"POST", "/v1/devices", `{"deviceId":"x","colour":1}`, 400, `colour`},
			{"POST", "/v1/devices", `{"deviceId":"x"} {}`, 400, `more than one`},
			{"POST", "/v1/devices", ``, 400, `"error"`},
			{"GET", "/v1/devices", "", 200, `{"deviceId":"pump",`},
			{"GET", "/v1/devices/pump/connection-string", "", 200, `"HostName=127.0.0.1;DeviceId=pump;SharedAccessKey=` + keyText + `"`},
			{"POST", "/v1/devices/pump/disable", "", 204, ""},
			{"GET", "/v1/devices/pump", "", 200, `"disabled":true`},
			{"POST", "/v1/devices/pump/enable", "", 204, ""},
			{"POST", "/v1/devices/pump/kick", "", 204, ""},
			{"POST", "/v1/devices/pump/reset", "", 204, ""},
			{"POST", "/v1/devices/pump/freeze", "", 204, ""},
			{"POST", "/v1/devices/pump/deafen", "", 204, ""},
			{"POST", "/v1/devices/pump/mute", "", 204, ""},
			{"POST", "/v1/devices/nobody/kick", "", 404, "404001"},
			{"GET", "/v1/devices/nobody", "", 404, "404001"},
			{"DELETE", "/v1/devices/pump", "", 204, ""},
			{"GET", "/v1/devices/pump/connection-string", "", 404, "404001"},
			{"POST", "/v1/enrollments", `{"id":"fleet","group":true,"key":"` + groupText + `","hub":"127.0.0.1"}`, 201, `"group":true`},
			{"POST", "/v1/enrollments", `{"id":"rpi-7"}`, 201, `{"id":"rpi-7","group":false,"hub":"localhost","disabled":false,"attestation":"symmetricKey"}`},
			{"POST", "/v1/enrollments", `{"id":"FLEET"}`, 409, `"error"`},
			{"GET", "/v1/enrollments", "", 200, `{"id":"fleet","group":true,"hub":"127.0.0.1","disabled":false,"attestation":"symmetricKey"}`},
			{"GET", "/v1/enrollments/fleet/key", "", 200, `{"key":"` + groupText + `","secondaryKey":"`},
			{"POST", "/v1/enrollments/fleet/disable", "", 204, ""},
			{"POST", "/v1/enrollments/fleet/enable", "", 204, ""},
			{"DELETE", "/v1/enrollments/rpi-7", "", 204, ""},
			{"GET", "/v1/enrollments/rpi-7/key", "", 404, "404201"},
			{"GET", "/v1/registrations", "", 200, "[]"},
			{"POST", "/v1/registrations/rpi-7/reassign", `{"hub":"127.0.0.1","deviceId":"RPI-7","reset":true}`, 204, ""},
			{"POST", "/v1/registrations/rpi-7/reassign", `{"payload":{"site":"A"}}`, 204, ""},
			{"POST", "/v1/registrations/rpi-7/reassign", `{"payload":"A"}`, 400, `"error"`},
			{"POST", "/v1/registrations/rpi-7/reassign", `{"hub":"elsewhere"}`, 400, `"error"`},
			{"GET", "/v1/nothing", "", 404, ""},
			{"PUT", "/v1/devices", "", 405, ""},
		} {
			status, got := c.call(tt.method, tt.path, tt.body)
			if status != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, status, got)
			}
		}
	})
}

func TestControlMessages(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		const path = "/v1/devices/" + dev + "/messages"
		body := `{"topic":"/power","body":"toggle","messageId":"m1","correlationId":"c1","ttl":"90s","ack":"none","properties":{"k":"v","empty":"","none":null}}`
		if status, got := c.call("POST", path, body); status != 201 || got != `{"seq":1}` {
			t.Errorf("%d %s", status, got)
		}
		if status, got := c.call("POST", path, `{"bodyBase64":"AP8="}`); status != 201 || got != `{"seq":2}` {
			t.Errorf("%d %s", status, got)
		}
		want := `[{"seq":1,"messageId":"m1","properties":{"Topic":"/power","k":"v","empty":"","none":null},"enqueued":"2000-01-01T00:00:00Z","expires":"2000-01-01T00:01:30Z","deliveryCount":0,"locked":false,"body":"toggle"},` +
			`{"seq":2,"properties":{},"enqueued":"2000-01-01T00:00:00Z","expires":"2000-01-01T01:00:00Z","deliveryCount":0,"locked":false,"bodyBase64":"AP8="}]`
		if status, got := c.call("GET", path, ""); status != 200 || got != want {
			t.Errorf("%d %s", status, got)
		}
		for body, want := range map[string]int{
			`{"ttl":"soon"}`: 400, `{"properties":{"a":1}}`: 400, `{"properties":[]}`: 400, `{"body":"` + strings.Repeat("x", 64<<10+1) + `"}`: 413,
			`{"body":"` + strings.Repeat("x", 300<<10) + `"}`: 413, `{"to":"/elsewhere"}`: 400,
		} {
			if status, got := c.call("POST", path, body); status != want {
				t.Errorf("%.60s: %d %s, want %d", body, status, got, want)
			}
		}
		for range 48 {
			c.c2d("x")
		}
		if status, got := c.call("POST", path, "{}"); status != 403 || !strings.Contains(got, "403004") {
			t.Errorf("%d %s", status, got)
		}
		if status, _ := c.call("POST", "/v1/devices/nobody/messages", "{}"); status != 404 {
			t.Errorf("%d", status)
		}
		if status, _ := c.call("GET", "/v1/devices/nobody/messages", ""); status != 404 {
			t.Errorf("%d", status)
		}
	})
}

func TestControlFaultsAndLogs(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		status, got := c.call("POST", "/v1/faults", `{"kind":"refuse-connect","deviceId":"`+dev+`","count":2,"code":5}`)
		if status != 204 {
			t.Errorf("%d %s", status, got)
		}
		c.try(func(*connectPacket) {})
		c.call("POST", "/v1/faults", `{"kind":"delay","count":-1,"delay":"1m30s"}`)
		want := `[{"kind":"refuse-connect","deviceId":"rpi-0001","count":1,"code":5},{"kind":"delay","count":-1,"delay":"1m30s"}]`
		if _, got := c.call("GET", "/v1/faults", ""); got != want {
			t.Errorf("faults %s", got)
		}
		c.call("DELETE", "/v1/faults?kind=delay", "")
		if _, got := c.call("GET", "/v1/faults", ""); strings.Contains(got, "delay") {
			t.Errorf("faults %s", got)
		}
		for _, body := range []string{`{"kind":"delay"}`, `{"kind":"delay","delay":7}`, `{"kind":"x"}`, `[]`} {
			if status, got := c.call("POST", "/v1/faults", body); status != 400 {
				t.Errorf("%s: %d %s", body, status, got)
			}
		}
		if status, got := c.call("POST", "/v1/faults", `{"kind":"half-open"}`+strings.Repeat(" ", 256<<10)); status != 413 {
			t.Errorf("a large body: %d %s", status, got)
		}
		var logins []hubsim.Login
		_, got = c.call("GET", "/v1/logins?device="+dev, "")
		must(t, json.Unmarshal([]byte(got), &logins))
		if len(logins) != 1 || logins[0].Code != 5 || logins[0].Why == "" {
			t.Errorf("logins %s", got)
		}
		if _, got := c.call("GET", "/v1/logins?device=nobody", ""); got != "[]" {
			t.Errorf("logins %s", got)
		}
		if _, got := c.call("GET", "/v1/packets", ""); !strings.Contains(got, `"type":"CONNACK"`) || strings.Contains(got, "SharedAccess") {
			t.Errorf("packets %s", got)
		}
	})
}

// TestControlIsForThisMachine: neither a page in a browser nor a name that
// leads here by chance gets an answer.
func TestControlIsForThisMachine(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		for _, tt := range []struct {
			host, origin, contentType string
			want                      int
		}{
			{"127.0.0.1:8080", "", "application/json", 204},
			{"localhost:8080", "", "application/json", 204},
			{"localhost", "", "application/json", 204},
			{"[::1]:8080", "http://localhost:3000", "application/json", 204},
			{"127.0.0.1:8080", "http://[::1]", "application/json", 204},
			{"rebound.example:8080", "", "application/json", 403},
			{"localhost.example", "", "application/json", 403},
			{"192.0.2.1", "", "application/json", 403},
			{"", "", "application/json", 403},
			{"127.0.0.1:8080", "https://page.example", "application/json", 403},
			{"127.0.0.1:8080", "null", "application/json", 403},
			{"127.0.0.1:8080", "", "text/plain", 415},
			{"127.0.0.1:8080", "", "", 415},
		} {
			status, got := c.callAs("POST", "/v1/faults", `{"kind":"half-open"}`, func(r *http.Request) {
				r.Host = tt.host
				r.Header.Set("Content-Type", tt.contentType)
				if tt.origin != "" {
					r.Header.Set("Origin", tt.origin)
				}
			})
			if status != tt.want {
				t.Errorf("%+v: %d %s", tt, status, got)
			}
		}
	})
}

func TestControlEvents(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		for i, body := range []string{`{"a":1}`, "\xff"} {
			cl.publish(uint16(i+1), events+"%24.ct=application%2Fjson&topic=x", body)
			cl.next()
		}
		_, got := c.call("GET", "/v1/events", "")
		lines := strings.Split(got, "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"body":"{\"a\":1}"`) || !strings.Contains(lines[1], `"bodyBase64":"/w=="`) ||
			!strings.Contains(lines[0], `"properties":{"topic":"x"}`) || !strings.Contains(lines[0], `"content-type":"application/json"`) {
			t.Errorf("got %s", got)
		}
		var r hubsim.Record
		must(t, json.Unmarshal([]byte(lines[1]), &r))
		if r.Seq != 2 || string(r.Body) != "\xff" || r.Device != dev {
			t.Errorf("got %+v", r)
		}
		for query, want := range map[string]int{"since=1": 1, "since=now": 0, "device=nobody": 0, "device=" + dev: 2} {
			if _, got := c.call("GET", "/v1/events?"+query, ""); strings.Count(got, "seq") != want {
				t.Errorf("%s: %s", query, got)
			}
		}
		if status, _ := c.call("GET", "/v1/events?since=x", ""); status != 400 {
			t.Errorf("%d", status)
		}
	})
}

// TestControlFollow reads the stream over a socket while events come.
func TestControlFollow(t *testing.T) {
	l := listen(t)
	server := httptest.NewServer(l.Control())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/events?follow=true&since=now", nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req) // the headers come before any event
	must(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for _, body := range []string{"one", "two"} {
		publishOver(t, l, body)
		if !lines.Scan() || !strings.Contains(lines.Text(), `"body":"`+body+`"`) {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
	}
	l.Close() // ends the stream, too
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Error(err)
	}
}
