package hubsim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
)

const (
	methods = "$iothub/methods/POST/#"
	answers = "$iothub/methods/res/"
)

// invoked is what became of a call.
type invoked struct {
	hubsim.Answer
	err error
}

// invoke calls a method and says later what became of it.
func (c *cloud) invoke(call hubsim.Call) <-chan invoked {
	done := make(chan invoked, 1)
	go func() {
		a, err := c.Invoke(c.t.Context(), dev, call)
		done <- invoked{a, err}
	}()
	synctest.Wait()
	return done
}

// request expects a call and returns its method, request id and body.
func (cl *client) request() (method, rid, body string) {
	cl.t.Helper()
	p := cl.message()
	rest, ok := strings.CutPrefix(p.TopicName, "$iothub/methods/POST/")
	method, rid, found := strings.Cut(rest, "/?$rid=")
	if !ok || !found || rid == "" || p.Qos != 0 || p.Retain {
		cl.t.Fatalf("%v is no call of a method", p)
	}
	return method, rid, string(p.Payload)
}

func (cl *client) publish0(topic, body string) {
	cl.t.Helper()
	p := publishPacket(topic, body)
	cl.send(p)
	synctest.Wait()
}

func TestH40Method(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		one := c.invoke(hubsim.Call{Method: "Power1", Payload: []byte(`"on"`)})
		other := c.invoke(hubsim.Call{Method: "Power2", Payload: []byte(`"off"`)})
		_, first, body := cl.request()
		if body != `"on"` {
			t.Errorf("body %s", body)
		}
		method, second, _ := cl.request()
		if method != "Power2" || first == second {
			t.Errorf("method %s, rid %s after %s", method, second, first)
		}
		cl.publish0(answers+"200/?$rid=ffff", `{"wrong":1}`) // nobody's
		cl.publish0(answers+"200/?$rid="+second, `{"POWER2":"OFF"}`)
		cl.publish0(answers+"200/?$rid="+second, `{"twice":1}`)
		if got := <-other; got.err != nil || got.Status != 200 || string(got.Body) != `{"POWER2":"OFF"}` {
			t.Errorf("got %+v", got)
		}
		cl.publish(7, answers+"200/?$rid="+first, `{"POWER1":"ON"}`) // with QoS 1
		cl.next()
		if got := <-one; got.err != nil || string(got.Body) != `{"POWER1":"ON"}` {
			t.Errorf("got %+v", got)
		}
		cl.quiet(time.Second)
	})
}

// TestH40NotOnline: 404103 to the caller, at once: never subscribed, not
// connected, unsubscribed by a new connection.
func TestH40NotOnline(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		refused := func(when string) {
			t.Helper()
			start := time.Now()
			_, err := c.Invoke(t.Context(), dev, hubsim.Call{Method: "x"})
			if !errors.Is(err, hubsim.ErrNotOnline) || !strings.Contains(err.Error(), "404103") || time.Since(start) != 0 {
				t.Errorf("%s: %v after %v", when, err, time.Since(start))
			}
		}
		refused("never connected")
		cl := c.connect()
		refused("connected, not subscribed")
		cl.subscribe(0, methods)
		cl.disconnect()
		refused("gone")
		cl = c.connect()
		refused("connected again, not subscribed again")
		cl.quiet(time.Second)
		if _, err := c.Invoke(t.Context(), "nobody", hubsim.Call{Method: "x"}); !errors.Is(err, hubsim.ErrUnknownDevice) {
			t.Errorf("unknown device: %v", err)
		}
	})
}

func TestH40NoAnswer(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 5 * time.Second: 5 * time.Second, 300 * time.Second: 300 * time.Second} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect(func(p *connectPacket) { p.Keepalive = 600 })
			cl.subscribe(0, methods)
			start := time.Now()
			_, err := c.Invoke(t.Context(), dev, hubsim.Call{Method: "x", ResponseTimeout: timeout})
			if !errors.Is(err, hubsim.ErrNoAnswer) || !strings.Contains(err.Error(), "504") || time.Since(start) != want {
				t.Errorf("%v after %v, want %v", err, time.Since(start), want)
			}
			_, rid, _ := cl.request()
			cl.publish0(answers+"200/?$rid="+rid, "") // late, and harmless
			cl.quiet(time.Second)
		})
	}
}

// TestH40Gone: the end of the connection ends the call, and an answer over the
// next one is nobody's.
func TestH40Gone(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		done := c.invoke(hubsim.Call{Method: "x"})
		_, rid, _ := cl.request()
		cl = c.connect()
		if got := <-done; !errors.Is(got.err, hubsim.ErrNotOnline) {
			t.Errorf("got %+v", got)
		}
		cl.subscribe(0, methods)
		done = c.invoke(hubsim.Call{Method: "y"})
		cl.publish0(answers+"200/?$rid="+rid, `"of x"`)
		_, again, _ := cl.request()
		cl.publish0(answers+"201/?$rid="+again, `"of y"`)
		if got := <-done; got.Status != 201 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestH41Bodies(t *testing.T) {
	for _, body := range []string{"", "null", "true", "42", `"#ff00aa"`, "[1,2,3]", `{"n":"Küche"}`, `"` + strings.Repeat("x", 128<<10-2) + `"`} {
		for _, status := range []int{200, 202, 404, -1, 0, 99999} {
			inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
				cl := c.connect()
				cl.subscribe(0, methods)
				done := c.invoke(hubsim.Call{Method: "x", Payload: []byte(body)})
				_, rid, got := cl.request()
				if got != body {
					t.Errorf("body %.60q, want %.60q", got, body)
				}
				cl.publish0(fmt.Sprintf("%s%d/?$rid=%s", answers, status, rid), body)
				if got := <-done; got.err != nil || got.Status != status || !bytes.Equal(got.Body, []byte(body)) {
					t.Errorf("status %d, body %.60s, %v; want %d, %.60s", got.Status, got.Body, got.err, status, body)
				}
			})
		}
	}
}

func TestH41Refused(t *testing.T) {
	big := []byte(`"` + strings.Repeat("x", 128<<10-1) + `"`)
	for _, tt := range []struct {
		call hubsim.Call
		want error
	}{
		{hubsim.Call{}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "a b"}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "a/b"}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "Küche"}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "$x"}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "x", Payload: []byte("on")}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "x", Payload: big}, hubsim.ErrTooLarge},
		{hubsim.Call{Method: strings.Repeat("x", 20000)}, hubsim.ErrTooLarge},
		{hubsim.Call{Method: "x", ResponseTimeout: time.Second}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "x", ResponseTimeout: 301 * time.Second}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "x", ConnectTimeout: -1}, hubsim.ErrInvalid},
		{hubsim.Call{Method: "x", ConnectTimeout: 301 * time.Second}, hubsim.ErrInvalid},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(0, methods)
			if _, err := c.Invoke(t.Context(), dev, tt.call); !errors.Is(err, tt.want) {
				t.Errorf("%.60s: %v, want %v", fmt.Sprintf("%+v", tt.call), err, tt.want)
			}
			cl.quiet(time.Second)
		})
	}
}

// TestH41BadAnswer: an answer that is not JSON is a mistake of the device,
// which its caller learns of; one that is too large, or on a topic there is
// not, ends the connection.
func TestH41BadAnswer(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		done := c.invoke(hubsim.Call{Method: "x"})
		_, rid, _ := cl.request()
		cl.publish0(answers+"200/?$rid="+rid, "OFF")
		if got := <-done; !errors.Is(got.err, hubsim.ErrBadAnswer) {
			t.Errorf("got %+v", got)
		}
	})
	big := `"` + strings.Repeat("x", 128<<10-1) + `"`
	for _, tt := range [][2]string{
		{"200/?$rid=RID", big}, {"200/?$rid=", ""}, {"200/", ""}, {"200", ""}, {"ok/?$rid=RID", ""}, {"/?$rid=RID", ""},
		{"99999999999/?$rid=RID", ""}, {"200/?$rid=RID#", ""}, {"200/?$version=1", ""},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(0, methods)
			done := c.invoke(hubsim.Call{Method: "x"})
			_, rid, _ := cl.request()
			cl.publish0(answers+strings.ReplaceAll(tt[0], "RID", rid), tt[1])
			cl.closed()
			if got := <-done; !errors.Is(got.err, hubsim.ErrNotOnline) {
				t.Errorf("%s: %+v", tt[0], got)
			}
		})
	}
}

// TestH42NotQueued: what is called while the device reconnects is lost, unless
// its caller waits for the device.
func TestH42NotQueued(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		cl.disconnect()
		if _, err := c.Invoke(t.Context(), dev, hubsim.Call{Method: "lost"}); !errors.Is(err, hubsim.ErrNotOnline) {
			t.Error(err)
		}
		patient := c.invoke(hubsim.Call{Method: "patient", ConnectTimeout: time.Minute})
		impatient := c.invoke(hubsim.Call{Method: "impatient", ConnectTimeout: 10 * time.Second})
		if got := <-impatient; !errors.Is(got.err, hubsim.ErrNotOnline) {
			t.Errorf("got %+v", got)
		}
		cl = c.connect()
		cl.quiet(20 * time.Second)
		cl.send(subscribePacket(0, methods))
		for range 2 { // SUBACK and call may come in either order
			if p, ok := cl.next().(*packets.PublishPacket); ok {
				_, rid, _ := strings.Cut(p.TopicName, "$rid=")
				cl.publish0(answers+"200/?$rid="+rid, "")
			}
		}
		if got := <-patient; got.err != nil || got.Status != 200 {
			t.Errorf("got %+v", got)
		}
		cl.quiet(time.Minute)
	})
}

func TestMethodEnds(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if _, err := c.Invoke(ctx, dev, hubsim.Call{Method: "x"}); err == nil || err.Error() != "enough" {
			t.Error(err)
		}
		for range 100 {
			c.invoke(hubsim.Call{Method: "x"})
		}
		for range 101 { // the one that was given up takes no place
			cl.request()
		}
		if _, err := c.Invoke(t.Context(), dev, hubsim.Call{Method: "x"}); !errors.Is(err, hubsim.ErrTooManyCalls) {
			t.Error(err)
		}
		late := c.invoke(hubsim.Call{Method: "x", ConnectTimeout: time.Minute})
		if got := <-late; !errors.Is(got.err, hubsim.ErrTooManyCalls) {
			t.Errorf("got %+v", got)
		}
		must(t, c.DeleteDevice(dev))
		must(t, c.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		waiting := c.invoke(hubsim.Call{Method: "x", ConnectTimeout: time.Minute})
		c.Close()
		if got := <-waiting; got.err == nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestC01ComponentCommand: a command of a component is a method whose name has
// a "*"; what would be read as something else in a topic is encoded.
func TestC01ComponentCommand(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		for name, want := range map[string]string{"relay1*toggle": "relay1*toggle", "a+b#c%d&'|^`~!": "a%2Bb%23c%25d&'|^`~!"} {
			c.invoke(hubsim.Call{Method: name})
			if method, _, _ := cl.request(); method != want {
				t.Errorf("method %q, want %q", method, want)
			}
		}
	})
}

func TestControlMethods(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		const path = "/v1/devices/" + dev + "/methods"
		type result struct {
			status int
			body   string
		}
		done := make(chan result, 1)
		post := func(body string) {
			go func() {
				status, got := c.call("POST", path, body)
				done <- result{status, got}
			}()
			synctest.Wait()
		}
		cl := c.connect()
		cl.subscribe(0, methods)
		for _, tt := range []struct{ in, sent, answer, want string }{
			{`{"methodName":"Power1","payload":"toggle"}`, `"toggle"`, `{"POWER1":"ON"}`, `{"status":200,"payload":{"POWER1":"ON"}}`},
			{`{"methodName":"Power1","payload":null}`, `null`, `null`, `{"status":200,"payload":null}`},
			{`{"methodName":"Power1","responseTimeout":"5s","connectTimeout":"1s"}`, ``, ``, `{"status":200}`},
		} {
			post(tt.in)
			_, rid, body := cl.request()
			if body != tt.sent {
				t.Errorf("%s: body %q", tt.in, body)
			}
			cl.publish0(answers+"200/?$rid="+rid, tt.answer)
			if got := <-done; got.status != http.StatusOK || got.body != tt.want {
				t.Errorf("%s: %d %s", tt.in, got.status, got.body)
			}
		}
		for in, want := range map[string]int{
			`{"methodName":"x"}`: 504, `{"methodName":""}`: 400, `{"methodName":"x","colour":1}`: 400,
			`{"methodName":"x","payload":"` + strings.Repeat("x", 128<<10) + `"}`: 413,
		} {
			post(in)
			if got := <-done; got.status != want || !strings.Contains(got.body, `"error"`) {
				t.Errorf("%.60s: %d %s, want %d", in, got.status, got.body, want)
			}
		}
		cl.request()
		post(`{"methodName":"x"}`)
		_, rid, _ := cl.request()
		cl.publish0(answers+"200/?$rid="+rid, "{")
		if got := <-done; got.status != 502 {
			t.Errorf("got %+v", got)
		}
		cl.disconnect()
		post(`{"methodName":"x"}`)
		if got := <-done; got.status != 404 || !strings.Contains(got.body, "404103") {
			t.Errorf("got %+v", got)
		}
		if p := c.Packets(); !slices.ContainsFunc(p, func(p hubsim.Packet) bool { return strings.Contains(p.Detail, "$iothub/methods/POST/Power1/") }) {
			t.Error("calls are not in the log of packets") // T02
		}
	})
}

// TestT03CutC2DSparesMethods: the fault is for C2D messages.
func TestT03CutC2DSparesMethods(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, methods)
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.CutC2D}))
		c.invoke(hubsim.Call{Method: "x"})
		cl.request()
	})
}
