package hubsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

func wire(ps ...packets.ControlPacket) []byte {
	var b bytes.Buffer
	for _, p := range ps {
		p.Write(&b) // into memory, which does not fail
	}
	return b.Bytes()
}

// FuzzServeConn sends bytes, after an honest CONNECT or instead of it. Whatever
// they are, the connection ends with its other side, and nothing is stored for
// another device.
func FuzzServeConn(f *testing.F) {
	sub := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	sub.MessageID, sub.Topics, sub.Qoss = 1, []string{c2d}, []byte{2}
	pub := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	pub.TopicName, pub.Qos, pub.MessageID, pub.Payload = events+"a=b&%24.ct=x", 1, 7, []byte("x")
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = 1
	unsub := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
	unsub.MessageID, unsub.Topics = 2, []string{c2d}
	f.Add(true, wire(sub, pub, ack, packets.NewControlPacket(packets.Pingreq), unsub, packets.NewControlPacket(packets.Disconnect)))
	f.Add(true, wire(subscribePacket(0, methods), publishPacket(answers+"200/?$rid=1", "{}"), publishPacket(answers+"x/?$rid=", "")))
	f.Add(true, wire(subscribePacket(0, twinRes, desired), publishPacket(twinGet+"1", " "), publishPacket(report+"2", `{"a":{"b":null}}`), publishPacket(report+"3", `{"a.b":`)))
	f.Add(true, []byte{0x32, 0xff, 0xff, 0xff, 0x7f})
	f.Add(true, []byte("\x82\x08\x00\x01\x00\x20abcd"))
	f.Add(false, wire(hello()))
	f.Add(false, []byte("\x10\x0c\x00\x04MQTT\x05\xff\x00\x3c\x00\x00"))
	f.Add(false, []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, honest bool, data []byte) {
		s := hubsim.New(hubsim.Options{})
		must(t, s.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		_, err := s.Send(dev, hubsim.C2D{Body: []byte("waits")})
		must(t, err)
		here, there := net.Pipe()
		served := make(chan struct{})
		go func() { defer close(served); s.ServeConn(there) }()
		go io.Copy(io.Discard, here)
		if honest {
			data = slices.Concat(wire(hello()), data)
		}
		here.Write(data) // the hub may close before it has read all
		here.Close()
		<-served
		s.Close()
		for _, r := range s.Records() {
			if r.Device != dev || r.System["iothub-connection-device-id"] != dev {
				t.Errorf("record %+v", r)
			}
		}
	})
}

// FuzzBag: what parses is written and read again as the same.
func FuzzBag(f *testing.F) {
	for _, bag := range []string{"", "a=b", "a", "a=", "=", "&", "a=b=c&%24.mid=1", "v=1+1&w=a%2Bb", "%", "%zz=1", "%ff=1", "gr%C3%B6%C3%9Fe=%F0%9F%92%A1", "?prop1&prop2="} {
		f.Add(bag)
	}
	f.Fuzz(func(t *testing.T, bag string) {
		ps, err := hubsim.DecodeBag(bag)
		if err != nil {
			return
		}
		text := hubsim.EncodeBag(ps)
		if strings.ContainsAny(text, "+#/ ") {
			t.Errorf("%q is no part of a topic", text)
		}
		again, err := hubsim.DecodeBag(text)
		if err != nil || !slices.Equal(again, ps) {
			t.Errorf("%q: %+v, then %+v, %v", bag, ps, again, err)
		}
	})
}

// FuzzTopic: a topic that is taken begins with the device's own prefix.
func FuzzTopic(f *testing.F) {
	f.Add(dev, events+"a=b/")
	f.Add("a", "devices/a/messages/events/")
	f.Add("+", "devices/+/messages/events/")
	f.Fuzz(func(t *testing.T, id, topic string) {
		bag, ok := hubsim.D2CBag(id, topic)
		if !ok {
			return
		}
		rest, own := strings.CutPrefix(topic, "devices/"+id+"/messages/events/")
		if !own || strings.ContainsAny(bag, "/+#") || strings.TrimSuffix(rest, "/") != bag {
			t.Errorf("device %q, topic %q: bag %q", id, topic, bag)
		}
	})
}

// FuzzDPS: whatever is asked, the answer is JSON and no fault of the service.
func FuzzDPS(f *testing.F) {
	f.Add("PUT", "rpi-7", "register", `{"registrationId":"rpi-7"}`)
	f.Add("PUT", "rpi-7", "register", `{"registrationId":"RPI-7","payload":{}}`)
	f.Add("PUT", "rpi-7", "register", `{"payload":[`)
	f.Add("GET", "rpi-7", "operations/5.x", ``)
	f.Add("GET", "..", "x", ``)
	f.Fuzz(func(t *testing.T, method, id, rest, body string) {
		s := hubsim.New(hubsim.Options{})
		k := key(t, keyText)
		if s.AddEnrollment(hubsim.Enrollment{ID: id, Key: k}) != nil {
			id = "rpi-7"
			must(t, s.AddEnrollment(hubsim.Enrollment{ID: id, Key: k}))
		}
		r := httptest.NewRequest("PUT", "https://dps.example/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, "/"+scope+"/registrations/"+id+"/"+rest, "api-version=2019-03-31"
		r.Header.Set("Authorization", token.DPS(k, scope, id, time.Now().Add(time.Hour)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.DPS().ServeHTTP(w, r)
		redirect := w.Code == 301 || w.Code == 307 || w.Code == 308 // an unclean path
		if w.Code >= 500 || !redirect && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s", method, r.URL.Path, w.Code, w.Body)
		}
	})
}

// FuzzControl: no request is a fault of the stand-in, and what is refused
// changes nothing.
func FuzzControl(f *testing.F) {
	f.Add("POST", "/v1/devices", `{"deviceId":"x"}`)
	f.Add("POST", "/v1/devices/rpi-0001/messages", `{"topic":"/power","body":"toggle","properties":{"a":null,"a":"b"},"ttl":"1m"}`)
	f.Add("POST", "/v1/devices/rpi-0001/methods", `{"methodName":"Power1","payload":"toggle","responseTimeout":"5s"}`)
	f.Add("PATCH", "/v1/devices/rpi-0001/twin", `{"properties":{"desired":{"a":[null,1e9]}}}`)
	f.Add("POST", "/v1/faults", `{"kind":"delay","delay":"1s","count":-1}`)
	f.Add("POST", "/v1/enrollments", `{"id":"g","group":true}`)
	f.Add("POST", "/v1/registrations/x/reassign", `{"reset":true}`)
	f.Add("POST", "/v1/devices", `{"deviceId":"x","authMethod":"x509_thumbprint","thumbprints":["0123456789abcdef0123456789abcdef01234567"]}`)
	f.Add("POST", "/v1/certificates", `{"name":"x","certificate":"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}`)
	f.Add("POST", "/v1/enrollments", `{"id":"x","certificates":["-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"]}`)
	f.Add("POST", "/v1/devices/rpi-0001/keys/primary", ``)
	f.Add("PUT", "/v1/quota", `{"limit":8000,"meter":512}`)
	f.Add("PUT", "/v1/throttle", `{"rate":0.5}`)
	f.Add("POST", "/v1/quota/spend", `{"messages":1}`)
	f.Add("GET", "/v1/events", ``)
	f.Add("DELETE", "/v1/faults", ``)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		s := hubsim.New(hubsim.Options{})
		must(t, s.CreateDevice(dev, "", keyText))
		r := httptest.NewRequest("GET", "http://localhost/", strings.NewReader(body))
		r.Method, r.URL.Path = method, path
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a call may wait for its device
		defer cancel()
		s.Control().ServeHTTP(w, r.WithContext(ctx))
		if w.Code >= 500 && ctx.Err() == nil {
			t.Errorf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
		}
		state := [2]int{len(s.Queue(dev)), len(s.Enrollments()) + len(s.Faults())}
		if w.Code >= 400 && state != [2]int{} {
			t.Errorf("%s %s %s: %d, and yet %v", method, path, body, w.Code, state)
		}
	})
}

// FuzzTwin: what is taken stays within the limits, holds no null but in arrays,
// reads as the same again, and a patch applied twice does no more than once.
func FuzzTwin(f *testing.F) {
	f.Add(`{"a":{"b":1}}`, `{"a":{"b":null,"c":[null,{"d":1.5e3}]}}`)
	f.Add(`{"a":"x"}`, `{"a":{"":1}}`)
	f.Add(`{"k":"\u0000\ud800"}`, `{"k":null,"k":2}`)
	f.Add(`{"n":4503599627370496}`, `{"n":-0}`)
	f.Add(nested(10), nested(11))
	f.Fuzz(func(t *testing.T, doc, patch string) {
		s := hubsim.New(hubsim.Options{})
		must(t, s.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		must(t, s.AddDevice(hubsim.Device{ID: "copy", Key: key(t, keyText)}))
		if _, err := s.UpdateTwin(dev, []byte(doc)); err != nil {
			return
		}
		version, err := s.UpdateTwin(dev, []byte(patch))
		before, _ := s.Twin(dev)
		if err != nil {
			if before.Desired.Version != 2 {
				t.Errorf("refused, and yet version %d", before.Desired.Version)
			}
			return
		}
		again, err := s.UpdateTwin(dev, []byte(patch))
		after, _ := s.Twin(dev)
		if err != nil || version != 3 || again != 4 || !bytes.Equal(before.Desired.JSON, after.Desired.JSON) {
			t.Errorf("%s, then %s, %v", before.Desired.JSON, after.Desired.JSON, err)
		}
		if _, err := s.UpdateTwin("copy", after.Desired.JSON); err != nil {
			t.Error(err)
		}
		if read, _ := s.Twin("copy"); !bytes.Equal(read.Desired.JSON, after.Desired.JSON) {
			t.Errorf("%s reads as %s", after.Desired.JSON, read.Desired.JSON)
		}
		if len(after.Desired.JSON) > 12*32<<10 { // each byte as \u0000, and commas
			t.Errorf("%d bytes", len(after.Desired.JSON))
		}
	})
}

// FuzzX509: whatever is taken for a certificate of a CA, or a thumbprint, can
// be kept and read again.
func FuzzX509(f *testing.F) {
	ca, err := hubsim.NewCA(time.Now())
	must(f, err)
	f.Add(ca.PEM(), "AB:cd")
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), "0123456789abcdef0123456789abcdef01234567")
	f.Fuzz(func(t *testing.T, pem []byte, print string) {
		s := hubsim.New(hubsim.Options{})
		defer s.Close()
		if s.AddCertificate("a", pem) == nil {
			must(t, s.AddCertificate("b", []byte(s.Certificates()[0].PEM)))
		}
		if s.AddDevice(hubsim.Device{ID: "d", Auth: hubsim.Thumbprint, Thumbprints: []string{print}}) == nil && len(s.Devices()) != 1 {
			t.Error("no device")
		}
	})
}
