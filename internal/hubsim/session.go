package hubsim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// maxSilence is the longest time without a packet that a hub bears, whatever
// keep-alive was asked for (contract, section 1.5).
const maxSilence = 1767 * time.Second

// Why a session ends. The device is never told: the connection just closes.
var (
	errClosing    = errors.New("the stand-in is shutting down")
	errDisabled   = errors.New("the device is disabled")
	errDeleted    = errors.New("the device was deleted")
	errMoved      = errors.New("the device was moved to another hub")
	errKicked     = errors.New("closed by request")
	errTakenOver  = errors.New("taken over by a newer connection of the device")
	errExpired    = errors.New("the token expired")
	errDisconnect = errors.New("the device sent DISCONNECT")
	errSilent     = errors.New("the device was silent for longer than 1.5 × keep-alive")
	errBehind     = errors.New("the device does not read")
)

// A session is one accepted connection of a device. Its reader is the
// goroutine of ServeConn; a second one writes. Sim.mu guards the fields below
// done.
type session struct {
	sim     *Sim
	dev     *device
	hub     string
	link    *link
	out     *outbox
	clean   bool
	silence time.Duration
	modelID string
	auth    string // as it is stamped

	done    chan struct{} // closed at the end
	ended   bool
	login   uint64 // number of its Login
	will    *Record
	filters map[string]bool
	lent    map[uint16]*message // C2D messages sent and not acknowledged, by packet id
	lastID  uint16
	calls   map[string]*call // direct methods not answered, by request id
	expiry  *time.Timer      // nil: there is no token
}

// begin replaces the device's session, if there is one (H09), answers the
// CONNECT, and pushes what waits for a kept subscription before any SUBSCRIBE
// (H20). The caller holds s.mu.
func (s *Sim) begin(d *device, a *attempt, will *Record) *session {
	s.endOf(d, errTakenOver)
	ss := &session{
		sim: s, dev: d, hub: d.hub, link: a.link, out: newOutbox(), clean: a.packet.CleanSession,
		silence: silence(a.packet.Keepalive), modelID: a.login.ModelID, auth: d.auth.stamped(),
		done: make(chan struct{}), will: will, filters: map[string]bool{}, lent: map[uint16]*message{}, calls: map[string]*call{},
	}
	ss.link.cutIn = func() bool { _, ok := s.faults.take(CutD2C, d.id); return ok }
	if ss.clean {
		d.sub.On = false // H20a
	}
	a.login.Code, a.login.Present = packets.Accepted, d.sub.On
	ss.login = s.logins.add(func(n uint64) Login { a.login.Seq = n; return a.login }).Seq
	d.session = ss
	about := []any{"device", d.id, "conn", ss.link.id, "clean", ss.clean, "auth", a.login.Auth}
	if d.auth.method == SharedKey {
		left := a.login.Expiry.Sub(s.opts.Now()) + s.opts.TokenGrace
		about = append(about, "token_left", left.Round(time.Second))
		ss.expiry = time.AfterFunc(left, func() { s.endLocked(ss, errExpired) })
	}

	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	ack.SessionPresent = d.sub.On
	f, _ := s.faults.take(DelayConnack, d.id)
	ss.put(laneRest, ack, f.Delay)
	s.log.Info("login", about...)
	s.overQuota(ss)
	s.deliver(d)
	s.notify()
	return ss
}

// silence is how long the hub bears to hear nothing (H10). The reaction to a
// keep-alive of 0 is not known; here it means the longest time.
func silence(keepAlive uint16) time.Duration {
	d := time.Duration(keepAlive) * time.Second * 3 / 2
	if d == 0 || d > maxSilence {
		return maxSilence
	}
	return d
}

// serve reads packets until the session ends.
func (ss *session) serve() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		ss.write()
	}()
	err := ss.read()
	ss.sim.endLocked(ss, err)
	if !ss.link.mute.Load() {
		ss.link.conn.Close() // the writer may be stuck in a write
	}
	<-written
	ss.sim.persistOrLog() // a clean session has taken its subscription along
}

func (ss *session) read() error {
	for {
		ss.link.arm(ss.silence)
		p, err := ss.link.read()
		select {
		case <-ss.done: // whatever was read is too late
			return errClosing
		default:
		}
		switch {
		case ss.out.overflowed():
			return errBehind
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errSilent
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
			return errors.New("the device closed the connection")
		case err != nil:
			return err
		}
		if err := ss.handle(p); err != nil {
			return err
		}
	}
}

func (ss *session) handle(p packets.ControlPacket) error {
	switch p := p.(type) {
	case *packets.PublishPacket:
		return ss.publish(p)
	case *packets.PubackPacket:
		return ss.puback(p.MessageID)
	case *packets.SubscribePacket:
		return ss.subscribe(p)
	case *packets.UnsubscribePacket:
		return ss.unsubscribe(p)
	case *packets.PingreqPacket:
		ss.send(packets.NewControlPacket(packets.Pingresp))
		return nil
	case *packets.DisconnectPacket:
		return errDisconnect
	}
	return fmt.Errorf("a second %s", packets.PacketNames[packets.Connect])
}

// write sends what is put into the outbox.
func (ss *session) write() {
	for {
		p := ss.out.next(ss.done)
		if p == nil {
			return
		}
		if m, ok := p.(*packets.PublishPacket); ok && strings.HasPrefix(m.TopicName, c2dPrefix(ss.dev.id)) {
			if _, ok := ss.sim.faults.take(CutC2D, ss.dev.id); ok {
				ss.link.cut(p)
				ss.sim.endLocked(ss, errCut)
				return
			}
		}
		if err := ss.link.write(p); err != nil {
			ss.sim.endLocked(ss, err)
			return
		}
	}
}

// send queues a packet for the device.
func (ss *session) send(p packets.ControlPacket) {
	ss.put(laneRest, p, 0)
}

func (ss *session) put(lane int, p packets.ControlPacket, delay time.Duration) {
	f, _ := ss.sim.faults.take(Delay, ss.dev.id)
	if !ss.out.put(lane, p, delay+f.Delay) {
		ss.link.kill() // the reader will find out why
	}
}

// endOf ends the session of a device, if there is one. The caller holds s.mu.
func (s *Sim) endOf(d *device, why error) {
	if d.session != nil {
		s.end(d.session, why)
	}
}

func (s *Sim) endLocked(ss *session, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(ss, why)
}

// end ends a session once: what it did not acknowledge returns to the queue,
// and without DISCONNECT its will is stored (H25). The caller holds s.mu.
func (s *Sim) end(ss *session, why error) {
	if ss.ended {
		return
	}
	ss.ended = true
	close(ss.done)
	if ss.expiry != nil {
		ss.expiry.Stop()
	}
	ss.giveBack()
	ss.hangUp()
	if ss.clean {
		ss.dev.sub.On = false
	}
	ss.dev.session = nil
	if ss.will != nil && !errors.Is(why, errDisconnect) && !errors.Is(why, errClosing) && s.charge(ss.hub, ss.will.size()) {
		if err := ss.store(*ss.will); err != nil {
			s.log.Error("will not kept", "device", ss.dev.id, "err", err)
		}
	}
	s.logins.edit(ss.login, func(l *Login) { l.End, l.Ended = why.Error(), time.Now() })
	s.log.Info("session ended", "device", ss.dev.id, "conn", ss.link.id, "why", why)
	ss.link.kill()
	s.notify()
}
