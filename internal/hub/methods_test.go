package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

type methodCase struct {
	Name string
	In   struct {
		Topic, Payload string
		ResponseStatus int
	}
	Out struct{ MethodName, RequestID, ResponseTopic string }
}

func TestMethodVectors(t *testing.T) {
	for _, tt := range vectors[methodCase](t, "methods.json") {
		t.Run(tt.Name, func(t *testing.T) {
			m, err := hub.DecodeMethod(tt.In.Topic, []byte(tt.In.Payload))
			must(t, err)
			if m.Name != tt.Out.MethodName || m.ID != tt.Out.RequestID || string(m.Body) != tt.In.Payload {
				t.Errorf("got %q %q %q", m.Name, m.ID, m.Body)
			}
			if got := hub.AnswerTopic(tt.In.ResponseStatus, m.ID); got != tt.Out.ResponseTopic {
				t.Errorf("answered on %s, want %s", got, tt.Out.ResponseTopic)
			}
		})
	}
}

func TestDecodeMethodBeyondTheVectors(t *testing.T) {
	for _, tt := range []struct {
		rest     string
		size     int
		name, id string
		ok       bool
	}{
		{"relay1%2Atoggle/?$rid=1", 0, "relay1*toggle", "1", true},
		{"a+b%2Fc/?$rid=1", 0, "a+b/c", "1", true},
		{"/?$rid=1", 0, "", "1", true}, // the device says that it knows no such method
		{"x/?a=b&$rid=1&$version=2", 0, "x", "1", true},
		{"x/?$rid=%31", 0, "x", "%31", true}, // opaque
		{"x/?$rid=1", 128 * 1024, "x", "1", true},
		{"x/?$rid=1", 128*1024 + 1, "x", "1", false},
		{"x/?$rid=", 0, "", "", false},
		{"x/?rid=1", 0, "", "", false},
		{"x/?$rid=a+b", 0, "", "", false}, // would cost the connection
		{"x/?$rid=#", 0, "", "", false},
		{"x/?$rid=\x00", 0, "", "", false},
		{"x/?$rid=" + strings.Repeat("1", 257), 0, "", "", false},
		{"x?$rid=1", 0, "", "", false},
		{"x", 0, "", "", false},
	} {
		m, err := hub.DecodeMethod("$iothub/methods/POST/"+tt.rest, make([]byte, tt.size))
		if m.Name != tt.name || m.ID != tt.id || (err == nil) != tt.ok {
			t.Errorf("%.80q: %q %q %v", tt.rest, m.Name, m.ID, err)
		}
	}
	if m, err := hub.DecodeMethod("$iothub/methods/POS/x/?$rid=1", nil); err == nil {
		t.Errorf("a foreign topic: %v", m)
	}
}

func FuzzDecodeMethod(f *testing.F) {
	for _, c := range vectors[methodCase](f, "methods.json") {
		f.Add(c.In.Topic, []byte(c.In.Payload))
	}
	f.Add("$iothub/methods/POST/%/?/?$rid=%+&$rid=1", []byte{0xff})
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		m, err := hub.DecodeMethod(topic, body)
		if err == nil && m.ID == "" {
			t.Errorf("%q cannot be answered", topic)
		}
		if answer := hub.AnswerTopic(200, m.ID); strings.ContainsAny(answer, "+#\x00 ") {
			t.Errorf("answered on %q", answer)
		}
		if m.ID != "" && !strings.Contains(topic, "$rid="+m.ID) {
			t.Errorf("%q has no request id %q", topic, m.ID)
		}
	})
}

// outcome is what the caller of a method was told.
type outcome struct {
	answer hubsim.Answer
	err    error
	after  time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("%d %s %v after %v", o.answer.Status, o.answer.Body, o.err, o.after)
}

// invoke calls a method; the outcome comes later.
func (c *cloud) invoke(name, payload string) chan outcome {
	done := make(chan outcome, 1)
	start := time.Now()
	go func() {
		a, err := c.Invoke(context.Background(), dev, hubsim.Call{Method: name, Payload: []byte(payload)})
		done <- outcome{a, err, time.Since(start)}
	}()
	synctest.Wait()
	return done
}

func wantOutcome(t *testing.T, done chan outcome, want string) {
	t.Helper()
	if got := (<-done).String(); got != want {
		t.Errorf("caller was told %q, want %q", got, want)
	}
}

// obey answers methods at once with what they were given, and messages as usual.
func obey(d *device, m hub.Method) { d.Client.Answer(m, 200, m.Body) }

func TestMethodIsAnswered(t *testing.T) {
	inBubble(t, setup{method: obey}, func(t *testing.T, c *cloud, d *device) {
		for _, body := range []string{`"toggle"`, `null`, ``, `{"a":[1,2]}`, `17`} {
			wantOutcome(t, c.invoke("Power1", body), "200 "+body+" <nil> after 0s")
		}
		wantOutcome(t, c.invoke("relay1*toggle", ""), "200  <nil> after 0s")
		wantEqual(t, d.history(), "connected", "Power1", "Power1", "Power1", "Power1", "Power1", "relay1*toggle")
	})
}

func TestMethodIsAnsweredOnce(t *testing.T) {
	s := setup{method: func(d *device, m hub.Method) {
		d.Client.Answer(m, 200, []byte("1"))
		d.Client.Answer(m, 500, []byte("2"))
		d.Client.Answer(hub.Method{}, 500, nil) // came from nowhere: ignored
	}}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		from := len(c.sent())
		wantOutcome(t, c.invoke("x", ""), "200 1 <nil> after 0s")
		synctest.Wait()
		wantEqual(t, c.sent()[from:], "PUBLISH")
	})
}

// Messages that wait for their acknowledgement do not hold up a caller.
func TestMethodOvertakesMessages(t *testing.T) {
	inBubble(t, setup{handle: keep, method: obey}, func(t *testing.T, c *cloud, d *device) {
		for i := range 50 {
			c.c2d(fmt.Sprint(i), "on")
		}
		wantOutcome(t, c.invoke("x", "1"), "200 1 <nil> after 0s")
	})
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	s := setup{method: func(d *device, m hub.Method) { d.Client.Answer(m, 200, make([]byte, 128*1024+1)) }}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		wantOutcome(t, c.invoke("x", "1"), "500  <nil> after 0s")
	})
}

func TestTooManyCalls(t *testing.T) {
	inBubble(t, setup{method: func(*device, hub.Method) {}}, func(t *testing.T, c *cloud, d *device) {
		var all []chan outcome
		for range 65 {
			all = append(all, c.invoke("x", ""))
		}
		wantOutcome(t, all[64], "429  <nil> after 0s")
		if err := (<-all[0]).err; !errors.Is(err, hubsim.ErrNoAnswer) {
			t.Errorf("the first caller was told %v", err)
		}
	})
}

// A session is not ended while a caller waits, also when its token is due.
func TestRenewalWaitsForMethods(t *testing.T) {
	var held hub.Method
	s := setup{method: func(_ *device, m hub.Method) { held = m }}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		called := c.invoke("x", "1")
		time.Sleep(10 * time.Second)
		if n := len(c.Logins()); n != 1 {
			t.Errorf("%d logins: the session was ended under a caller", n)
		}
		d.Client.Answer(held, 200, []byte("2"))
		wantOutcome(t, called, "200 2 <nil> after 10s")
		time.Sleep(time.Second)
		wantEqual(t, d.history(), "connected", "x", "disconnected (renewal)", "connected (renewal)")
	})
}

// One that is never answered delays a renewal, and does not prevent it.
func TestRenewalDoesNotWaitForMethodsForEver(t *testing.T) {
	inBubble(t, setup{method: func(*device, hub.Method) {}}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		called := c.invoke("x", "1")
		time.Sleep(35 * time.Second)
		if n := len(c.Logins()); n != 2 {
			t.Errorf("%d logins", n)
		}
		if err := (<-called).err; err == nil {
			t.Error("the caller got an answer")
		}
		wantEqual(t, d.history(), "connected", "x", "disconnected (renewal)", "connected (renewal)")
	})
}

// While a session waits for its last acknowledgements methods are still obeyed:
// with the session they would be lost.
func TestMethodWhileRenewing(t *testing.T) {
	inBubble(t, setup{handle: keep, method: obey}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.c2d("m1", "first")
		time.Sleep(2 * time.Second) // the renewal waits for the acknowledgement
		wantOutcome(t, c.invoke("x", "1"), "200 1 <nil> after 0s")
		if n := len(c.Logins()); n != 1 {
			t.Errorf("%d logins, the test tests nothing", n)
		}
		time.Sleep(10 * time.Second)
		wantOutcome(t, c.invoke("x", "2"), "200 2 <nil> after 0s")
		if n := len(c.Logins()); n != 2 {
			t.Errorf("%d logins, the test tests nothing", n)
		}
	})
}

// An answer does not outlive its session.
func TestAnswerAfterTheSession(t *testing.T) {
	var held []hub.Method
	s := setup{method: func(_ *device, m hub.Method) { held = append(held, m) }}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		called := c.invoke("x", "1")
		must(t, c.Kick(dev))
		if err := (<-called).err; !errors.Is(err, hubsim.ErrNotOnline) {
			t.Errorf("the caller was told %v", err)
		}
		time.Sleep(time.Minute)
		from := len(c.sent())
		d.Client.Answer(held[0], 200, []byte("1"))
		synctest.Wait()
		wantEqual(t, c.sent()[from:])
	})
}

// A device that stops takes no more calls; their callers hear so at once.
func TestMethodWhileStopping(t *testing.T) {
	inBubble(t, setup{deaf: true}, func(t *testing.T, c *cloud, d *device) {
		called := c.invoke("x", "1")
		start := time.Now()
		d.stop()
		wantOutcome(t, called, "503  <nil> after 0s")
		if took := time.Since(start); took != 0 {
			t.Errorf("stopping took %v", took)
		}
	})
}
