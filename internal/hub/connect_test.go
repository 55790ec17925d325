package hub_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/token"
)

type connectCase struct {
	Name string
	In   struct {
		NowMs                                  int64
		Host, DeviceID, DeviceClientType, Auth string
		ModuleID, ModelID, Transport           string
		GatewayHostName, KeyBase64             string
	}
	Out struct {
		BrokerURI, ClientID, Username, Password, MQTTProtocol string
		MQTTLevel                                             byte
		CleanSession, ClientCertificate                       bool
		KeepAliveSeconds                                      uint16
	}
}

// otherLogins are the cases that a device with a key over TCP does not meet.
var otherLogins = map[string]string{
	"module":                   "the daemon is a device, not a module",
	"behind-gateway":           "gateways come later",
	"websocket":                "WebSocket comes later",
	"websocket-behind-gateway": "WebSocket and gateways come later",
	"x509":                     "certificates come later",
	"x509-websocket-model-id":  "certificates come later",
}

func TestConnectVectors(t *testing.T) {
	for _, tt := range vectors[connectCase](t, "connect-hub.json") {
		t.Run(tt.Name, func(t *testing.T) {
			if why := otherLogins[tt.Name]; why != "" {
				t.Skip(why)
			}
			key, err := token.ParseKey(tt.In.KeyBase64)
			must(t, err)
			var dialed string
			got := firstPacket(t, hub.Options{
				Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
					return hub.Identity{Host: tt.In.Host, DeviceID: tt.In.DeviceID, Key: key}, nil
				},
				KeepAlive:  180 * time.Second,
				ClientType: tt.In.DeviceClientType,
				ModelID:    func() string { return tt.In.ModelID },
				Now:        func() time.Time { return time.UnixMilli(tt.In.NowMs) },
			}, &dialed)
			want := tt.Out
			if got.ClientIdentifier != want.ClientID || got.CleanSession != want.CleanSession ||
				got.Keepalive != want.KeepAliveSeconds || got.ProtocolName != want.MQTTProtocol ||
				got.ProtocolVersion != want.MQTTLevel || got.WillFlag {
				t.Errorf("CONNECT is %v", got)
			}
			if "mqtts://"+dialed != want.BrokerURI {
				t.Errorf("dialed %s, want %s", dialed, want.BrokerURI)
			}
			if user := decodeClientType(t, got.Username); user != decodeClientType(t, want.Username) {
				t.Errorf("username %q, want %q", user, want.Username)
			}
			if string(got.Password) != want.Password {
				t.Errorf("password %q, want %q", got.Password, want.Password)
			}
		})
	}
	leftOutExist(t, "connect-hub.json", otherLogins)
}

// firstPacket starts a client and returns the CONNECT that it sends to the host
// it dials.
func firstPacket(t *testing.T, o hub.Options, dialed *string) (first *packets.ConnectPacket) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		o.Dial = func(_ context.Context, host string, port int) (net.Conn, error) {
			if port != 8883 {
				t.Errorf("port %d", port)
			}
			*dialed = host
			return here, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- hub.New(o).Run(ctx, nil) }()
		p, err := packets.ReadPacket(there)
		must(t, err)
		first = p.(*packets.ConnectPacket)
		cancel()
		must(t, <-ended)
	})
	return first
}

// decodeClientType undoes the encoding of the username's parameters: the SDK
// leaves "!'()*" as they are, and a model id altogether.
func decodeClientType(t *testing.T, user string) string {
	t.Helper()
	head, value, _ := strings.Cut(user, "&DeviceClientType=")
	v, err := url.PathUnescape(value)
	must(t, err)
	if before, model, ok := strings.Cut(head, "&model-id="); ok {
		m, err := url.PathUnescape(model)
		must(t, err)
		head = before + "&model-id=" + m
	}
	return head + "&DeviceClientType=" + v
}

func TestSubscribeVectors(t *testing.T) {
	for _, tt := range vectors[struct {
		Name string
		In   struct{ DeviceID string }
		Out  map[string]struct {
			Topic string
			QoS   byte
		}
	}](t, "subscriptions.json") {
		t.Run(tt.Name, func(t *testing.T) {
			s := setup{manual: true}
			s.options.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
				return hub.Identity{Host: hubName, DeviceID: tt.In.DeviceID, Key: key(t)}, nil
			}
			var there net.Conn
			s.options.Dial = func(context.Context, string, int) (here net.Conn, _ error) {
				here, there = net.Pipe()
				return here, nil
			}
			inBubble(t, s, func(t *testing.T, _ *cloud, d *device) {
				d.run()
				synctest.Wait()
				_, err := packets.ReadPacket(there)
				must(t, err)
				must(t, packets.NewControlPacket(packets.Connack).Write(there))
				p, err := packets.ReadPacket(there)
				must(t, err)
				sub := p.(*packets.SubscribePacket)
				got, want := map[string]byte{}, map[string]byte{}
				for i, topic := range sub.Topics {
					got[topic] = sub.Qoss[i]
				}
				for _, out := range tt.Out {
					want[out.Topic] = out.QoS
				}
				if !maps.Equal(got, want) || len(want) != 4 {
					t.Errorf("subscribed to %v, want %v", got, want)
				}
				there.Close()
			})
		})
	}
}

// answers runs a device against a hub that answers CONNECT and SUBSCRIBE with
// bytes, and returns what the device is told of it. No answer closes.
func answers(t *testing.T, connack, suback []byte) (told error) {
	t.Helper()
	var there net.Conn
	s := setup{manual: true}
	s.options.Dial = func(context.Context, string, int) (here net.Conn, _ error) {
		here, there = net.Pipe()
		return here, nil
	}
	inBubble(t, s, func(t *testing.T, _ *cloud, d *device) {
		d.run()
		for _, answer := range [][]byte{connack, suback} {
			synctest.Wait()
			if _, err := packets.ReadPacket(there); err != nil {
				break
			}
			if answer == nil {
				there.Close()
				break
			}
			there.Write(answer) // the device may have closed already
		}
		time.Sleep(500 * time.Millisecond)
		told = d.lastError()
	})
	return told
}

func TestRefusals(t *testing.T) {
	ok := []byte{0x20, 2, 0, 0}
	for _, tt := range []struct {
		name            string
		connack, suback []byte
		kind            hub.Kind
		code            byte
		words           string
	}{
		{"code 5", []byte{0x20, 2, 0, 5}, nil, hub.Refused, 5, "the key is wrong"},
		{"code 4", []byte{0x20, 2, 0, 4}, nil, hub.Refused, 4, "the key is wrong"},
		{"code 3", []byte{0x20, 2, 0, 3}, nil, hub.Refused, 3, "not available at the moment"},
		{"code 2", []byte{0x20, 2, 0, 2}, nil, hub.Refused, 2, `does not accept "rpi-0001"`},
		{"code 1", []byte{0x20, 2, 0, 1}, nil, hub.Refused, 1, "does not speak MQTT 3.1.1"},
		{"code 77", []byte{0x20, 2, 0, 77}, nil, hub.Refused, 0, "closed the connection instead"},
		{"no CONNACK", nil, nil, hub.Refused, 0, "instead of answering CONNECT"},
		{"no SUBACK", ok, nil, hub.Refused, 0, "instead of answering SUBSCRIBE"},
		{"SUBACK 0x80", ok, []byte{0x90, 3, 0, 1, 0x80}, hub.Refused, 0, "refused the subscription"},
		{"empty SUBACK", ok, []byte{0x90, 2, 0, 1}, hub.Refused, 0, "refused the subscription"},
		{"a flood", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, nil, hub.Refused, 0, "larger than MQTT at a hub allows"},
		{"garbage", []byte("HTTP/1.1 400 Bad Request\r\n" + strings.Repeat("X-Filler: 0123456789\r\n", 5)), nil, hub.Refused, 0, "before the hub answered CONNECT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, ok := errors.AsType[*hub.Error](answers(t, tt.connack, tt.suback))
			if !ok || e.Kind != tt.kind || e.Code != tt.code || !strings.Contains(e.Error(), tt.words) {
				t.Errorf("told: %#v %v", e, e)
			}
		})
	}
}
