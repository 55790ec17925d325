package hub_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// A proxy connects whoever asks for it to one place, or answers with a status.
type proxy struct {
	to     string // host:port
	status int    // instead, if not zero
	raw    string // instead, if not empty
	closes bool   // without an answer
	asked  atomic.Pointer[http.Request]
}

func (p *proxy) serve(here net.Conn) {
	defer here.Close()
	r, err := http.ReadRequest(bufio.NewReader(here))
	if err != nil {
		return
	}
	p.asked.Store(r)
	if p.raw != "" || p.closes {
		io.WriteString(here, p.raw)
		return
	}
	if p.status != 0 {
		fmt.Fprintf(here, "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", p.status)
		return
	}
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer there.Close()
	fmt.Fprint(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go io.Copy(there, here)
	io.Copy(here, there)
}

// proxied connects by WebSocket through a proxy and returns what the device is
// told first.
func proxied(t *testing.T, o hub.Options, proxy string) hub.Event {
	t.Helper()
	u, err := url.Parse(proxy)
	must(t, err)
	o.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" || r.URL.Hostname() != "localhost" || r.URL.Port() != fmt.Sprint(o.WebPort) {
			t.Errorf("a proxy for %s", r.URL)
		}
		return u, nil
	}
	_, events, stop := runAs(t, o, web(t))
	ev := <-events
	stop()
	return ev
}

func TestThroughProxy(t *testing.T) {
	ca := newAuthority(t, "Root")
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}}
	sim := hubsim.New(hubsim.Options{})
	defer sim.Close()
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
	port := listen(t, func(c net.Conn) { sim.ServeWebSocketConn(tls.Server(c, config)) })
	p := &proxy{to: fmt.Sprint("localhost:", port)}
	plain := listen(t, p.serve)
	secure := listen(t, func(c net.Conn) { p.serve(tls.Server(c, config)) })
	for _, tt := range []struct{ name, address, authorization string }{
		{"plain", fmt.Sprint("http://localhost:", plain), ""},
		{"over TLS", fmt.Sprint("https://localhost:", secure), ""},
		{"with a password", fmt.Sprint("http://pump:s%3Acret@localhost:", plain), "Basic cHVtcDpzOmNyZXQ="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := proxied(t, hub.Options{WebPort: port, Roots: ca.pool()}, tt.address)
			if _, ok := ev.(hub.Connected); !ok {
				t.Errorf("told: %+v", ev)
			}
			r := p.asked.Load()
			if r.Method != http.MethodConnect || r.RequestURI != fmt.Sprint("localhost:", port) || r.Header.Get("Proxy-Authorization") != tt.authorization {
				t.Errorf("asked for %s %s with %v", r.Method, r.RequestURI, r.Header)
			}
		})
	}
	t.Run("not for MQTT over TLS", func(t *testing.T) {
		port := listen(t, func(c net.Conn) { sim.ServeConn(tls.Server(c, config)) })
		o := hub.Options{Port: port, Roots: ca.pool(), Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("asked") }}
		if _, ok := firstEvent(t, o).(hub.Connected); !ok {
			t.Error("not connected")
		}
	})
}

func TestProxyFails(t *testing.T) {
	answers := func(status int) string {
		return fmt.Sprint("http://pump:secret@localhost:", listen(t, (&proxy{status: status}).serve))
	}
	for _, tt := range []struct{ name, address, words string }{
		{"wants a password", answers(407), "wants another name and password (HTTP 407): write them as http://NAME:PASSWORD@localhost:"},
		{"refuses the password", answers(401), "wants another name and password (HTTP 401): write"},
		{"forbids", answers(403), "does not connect to localhost:443 (HTTP 403)"},
		{"answers nonsense", fmt.Sprint("http://localhost:", listen(t, (&proxy{raw: "SSH-2.0-x\r\n\r\n"}).serve)), "does not do its work: malformed HTTP"},
		{"closes", fmt.Sprint("http://localhost:", listen(t, (&proxy{closes: true}).serve)), "it closed the connection"},
		{"is not there", fmt.Sprint("http://pump:secret@localhost:", closedPort(t)), "is not reached: connect: connection refused"},
		{"is of another kind", "socks5://pump:secret@localhost:1080", "names a proxy of the kind socks5; http and https are possible"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := proxied(t, hub.Options{WebPort: 443}, tt.address)
			d, _ := ev.(hub.Disconnected)
			e, ok := errors.AsType[*hub.Error](d.Err)
			if !ok || !e.Network() || !strings.Contains(e.Error(), tt.words) {
				t.Errorf("told: %+v", ev)
			}
			if strings.Contains(fmt.Sprint(ev), "secret") {
				t.Errorf("the password is shown: %+v", ev)
			}
		})
	}
	t.Run("address broken", func(t *testing.T) {
		o := hub.Options{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New(`invalid proxy address "pump:secret"`) }}
		_, events, stop := runAs(t, o, web(t))
		ev := <-events
		stop()
		if text := fmt.Sprint(ev); strings.Contains(text, "secret") || !strings.Contains(text, "HTTPS_PROXY is not an address") {
			t.Errorf("told: %s", text)
		}
	})
}
