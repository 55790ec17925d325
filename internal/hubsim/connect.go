package hubsim

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/token"
)

// connectTimeout is how long a connection may wait with its CONNECT (contract,
// section 10; read from the Edge hub).
const connectTimeout = 60 * time.Second

// A Login is a CONNECT and what became of it.
type Login struct {
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"` // by the local clock
	Conn       uint64    `json:"conn"` // number of the connection
	Transport  Transport `json:"transport"`
	Device     string    `json:"deviceId"`
	Host       string    `json:"host"`                 // the hub in the username
	ServerName string    `json:"serverName,omitempty"` // the name asked for in TLS, the gateway's behind one
	Resumed    bool      `json:"resumed,omitempty"`    // the TLS session was
	Code       int       `json:"code"`                 // of the CONNACK; -1: closed or left without one
	Why        string    `json:"why"`                  // reason of a refusal; the device is not told
	Clean      bool      `json:"clean"`
	KeepAlive  int       `json:"keepAlive"`       // in seconds
	Expiry     time.Time `json:"expiry,omitzero"` // of the token, whether good or not; zero without one
	Auth       string    `json:"auth,omitempty"`  // what admitted it: "primary-key", "secondary-key", "thumbprint" or "ca"
	ClientType string    `json:"clientType,omitempty"`
	ModelID    string    `json:"modelId,omitempty"`
	Present    bool      `json:"sessionPresent"`
	Will       bool      `json:"will"`
	End        string    `json:"end,omitempty"`  // why the session ended; empty while it stands
	Ended      time.Time `json:"ended,omitzero"` // when
}

// Logins returns every CONNECT seen so far, oldest first.
func (s *Sim) Logins() []Login {
	all, _ := s.logins.since(0)
	return all
}

// ServeConn speaks MQTT with one device until the connection ends, and closes
// it. If it is a *tls.Conn, its client certificate counts. Serve does the same
// for a listener.
func (s *Sim) ServeConn(conn net.Conn) { s.door(MQTT, conn, s.serve) }

func (s *Sim) serve(l *link) {
	if ss := s.connect(l); ss != nil {
		ss.serve()
	}
	if l.mute.Load() {
		l.drain()
	}
}

// connect takes the first packet and answers it. It returns nil for a
// connection that is not to be served.
func (s *Sim) connect(l *link) *session {
	l.arm(connectTimeout)
	p, err := l.read()
	c, ok := p.(*packets.ConnectPacket)
	if err != nil || !ok {
		s.log.Warn("connection without CONNECT", "conn", l.id, "err", err)
		return nil
	}
	l.device.Store(&c.ClientIdentifier)
	a := attempt{sim: s, link: l, packet: c}
	a.login = Login{
		Time: time.Now(), Conn: l.id, Transport: l.transport, ServerName: l.serverName, Resumed: l.resumed, Device: c.ClientIdentifier, Code: -1,
		Clean: c.CleanSession, KeepAlive: int(c.Keepalive), Will: c.WillFlag,
	}
	ss, code, err := a.judge()
	if err != nil {
		a.refuse(code, err)
		return nil
	}
	s.persistOrLog() // a clean session has dropped a kept subscription
	return ss
}

// An attempt is a CONNECT being judged.
type attempt struct {
	sim    *Sim
	link   *link
	packet *packets.ConnectPacket
	login  Login
}

// Refusals that are not an answer.
const (
	codeClose  = 0  // close without a packet
	codeIgnore = -1 // leave the connection as it is
)

// refuse tells the device no more than the code.
func (a *attempt) refuse(code int, why error) {
	a.login.Why = why.Error()
	switch code {
	case codeClose:
	case codeIgnore:
		a.link.freeze()
	default:
		a.login.Code = code
		p := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
		p.ReturnCode = byte(code)
		a.link.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		a.link.write(p)
	}
	a.sim.log.Info("login refused", "device", a.login.Device, "code", code, "why", why)
	a.sim.logins.add(func(n uint64) Login { a.login.Seq = n; return a.login })
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	a.sim.notify()
}

// judge applies the rules in the order in which a service can: protocol,
// username, then all that needs the registry. A refusal has a code.
func (a *attempt) judge() (*session, int, error) {
	c := a.packet
	user, err := parseUsername(c.Username, c.ClientIdentifier)
	a.login.Host, a.login.ClientType, a.login.ModelID = user.host, user.clientType, user.modelID
	if claims, err := token.Parse(string(c.Password)); err == nil {
		a.login.Expiry = claims.Expiry
	}
	if f, ok := a.sim.faults.take(RefuseConnect, c.ClientIdentifier); ok {
		return nil, f.Code, errors.New("a fault was asked for")
	}
	if _, ok := a.sim.faults.take(IgnoreConnect, c.ClientIdentifier); ok {
		return nil, codeIgnore, errors.New("a fault was asked for")
	}
	if c.ProtocolName != "MQTT" && c.ProtocolName != "MQIsdp" {
		return nil, codeClose, fmt.Errorf("protocol %q", c.ProtocolName)
	}
	if c.ProtocolName != "MQTT" || c.ProtocolVersion != 4 {
		return nil, packets.ErrRefusedBadProtocolVersion, fmt.Errorf("protocol %s level %d", c.ProtocolName, c.ProtocolVersion)
	}
	if err != nil {
		return nil, packets.ErrRefusedNotAuthorised, err
	}
	will, err := a.will()
	if err != nil {
		return nil, packets.ErrRefusedNotAuthorised, err
	}
	ss, err := a.admit(user, will)
	return ss, packets.ErrRefusedNotAuthorised, err
}

// admit checks the device and its token or certificate, and begins the session.
func (a *attempt) admit(user username, will *Record) (*session, error) {
	s := a.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[a.packet.ClientIdentifier]
	switch {
	case s.closed:
		return nil, errClosing
	case d == nil:
		return nil, errors.New("unknown device")
	case d.hub != user.host:
		return nil, fmt.Errorf("the device does not belong to hub %q", user.host)
	case d.disabled:
		return nil, errDisabled
	}
	by, err := d.auth.admit(string(a.packet.Password), a.link.peer, user.host, d.id, s.opts.Now(), slices.Collect(maps.Values(s.certificates)))
	if err != nil {
		return nil, err
	}
	if s.quota.Connect == OverRefuse && !s.affords(d.hub, 0) {
		return nil, ErrOverQuota
	}
	a.login.Auth = by
	return s.begin(d, a, will), nil
}

// will returns the message to be stored if the connection ends without
// DISCONNECT, or nil.
func (a *attempt) will() (*Record, error) {
	c := a.packet
	if !c.WillFlag {
		return nil, nil
	}
	if c.WillQos > 1 {
		return nil, errors.New("will with QoS 2")
	}
	r, err := readD2C(c.ClientIdentifier, c.WillTopic, c.WillMessage, c.WillRetain)
	if err != nil {
		return nil, fmt.Errorf("will: %w", err)
	}
	r.Properties["iothub-MessageType"] = "Will"
	return &r, nil
}

// username is what stands in the username of a CONNECT.
type username struct{ host, clientType, modelID string }

var apiVersion = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(-preview)?$`)

// parseUsername reads "{host}/{client id}/?api-version=…" (H03, H04, H08). Of
// a repeated parameter the first one stands.
func parseUsername(name, clientID string) (username, error) {
	host, rest, _ := strings.Cut(name, "/")
	query, ok := strings.CutPrefix(rest, clientID+"/?")
	if host == "" || clientID == "" || !ok {
		return username{}, fmt.Errorf("username %q is not {host}/%s/?…", name, clientID)
	}
	u := username{host: strings.ToLower(host)}
	var version string
	known := map[string]*string{"api-version": &version, "DeviceClientType": &u.clientType, "model-id": &u.modelID}
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(value)
		if err != nil {
			return username{}, fmt.Errorf("username %q: %w", name, err)
		}
		if v := known[key]; v != nil && *v == "" {
			*v = value
		}
	}
	if !apiVersion.MatchString(version) {
		return username{}, fmt.Errorf("username %q has no api-version", name)
	}
	return u, nil
}

// covers reports whether resource is "{host}/devices/{id}" or a prefix of it
// by whole segments (contract, section 2.2). The host's letter case does not
// matter, the id's does.
func covers(resource, host, deviceID string) bool {
	got, want := strings.Split(resource, "/"), []string{host, "devices", deviceID}
	if len(got) > len(want) || !strings.EqualFold(got[0], host) {
		return false
	}
	for i := 1; i < len(got); i++ {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}
