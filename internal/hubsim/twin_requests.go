package hubsim

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// codeBadTwin is the service's code of a bad patch, as in the vectors.
const codeBadTwin = 400004

// twinRead answers a device that asks for its twin (H43).
func (ss *session) twinRead(topic string) error {
	rid, ok := requestID(strings.TrimPrefix(topic, twinGetPrefix))
	if !ok {
		return unlistedTopic(topic)
	}
	ss.sim.mu.Lock()
	defer ss.sim.mu.Unlock()
	if ss.twinFault(rid) {
		return nil
	}
	t := ss.dev.twin
	body, err := json.Marshal(map[string]TwinProperties{"desired": t.desired.properties(), "reported": t.reported.properties()})
	if err != nil {
		return err
	}
	if !ss.sim.charge(ss.hub, len(body)) {
		ss.twinRefuse(403, 403002, rid, ErrOverQuota.Error())
		return nil
	}
	ss.twinAnswer(200, "$rid="+rid, body)
	return nil
}

// twinReport merges a patch of the device into its reported properties (H44).
func (ss *session) twinReport(topic string, body []byte) error {
	rid, ok := requestID(strings.TrimPrefix(topic, reportPrefix))
	if !ok {
		return unlistedTopic(topic)
	}
	ss.sim.mu.Lock()
	faulty := ss.twinFault(rid)
	ss.sim.mu.Unlock()
	if faulty {
		return nil
	}
	var version uint64
	patch, err := parsePatch(body)
	if err == nil {
		err = ss.sim.change(func() error {
			h := &ss.dev.twin.reported
			err := ss.sim.applyCharged(h, patch, ss.hub, len(body))
			version = h.version
			return err
		})
	}
	ss.sim.mu.Lock() // what is acknowledged is kept by now
	defer ss.sim.mu.Unlock()
	switch {
	case errors.Is(err, ErrInvalid):
		ss.twinRefuse(400, codeBadTwin, rid, err.Error())
	case errors.Is(err, ErrOverQuota):
		ss.twinRefuse(403, 403002, rid, err.Error())
	case err != nil:
		return err
	default:
		ss.twinAnswer(204, fmt.Sprintf("$rid=%s&$version=%d", rid, version), nil)
	}
	return nil
}

func unlistedTopic(topic string) error {
	return fmt.Errorf("%.200q is no topic to publish on", topic)
}

// twinFault answers a request as a fault says, and does nothing else (H46).
// The caller holds sim.mu.
func (ss *session) twinFault(rid string) bool {
	f, ok := ss.sim.faults.take(RefuseTwin, ss.dev.id)
	if !ok {
		return false
	}
	ss.twinRefuse(f.Code, f.Code*1000+1, rid, "a fault was asked for") // 429001, 500001
	return true
}

// twinRefuse answers with a mistake. The caller holds sim.mu.
func (ss *session) twinRefuse(status, code int, rid, why string) {
	body, err := json.Marshal(map[string]any{
		"errorCode":    code,
		"message":      why,
		"trackingId":   rand.Text(),
		"timestampUtc": ss.sim.opts.Now().UTC().Format(timeFormat),
	})
	if err != nil {
		panic(err) // a map of texts and a number
	}
	ss.twinAnswer(status, "$rid="+rid, body)
}

// twinAnswer answers a request, if the device has subscribed to answers. The
// caller holds sim.mu.
func (ss *session) twinAnswer(status int, query string, body []byte) {
	if !ss.filters[filterTwinRes] {
		return
	}
	if _, ok := ss.sim.faults.take(DropTwinAnswer, ss.dev.id); ok {
		return
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = fmt.Sprintf("%s%d/?%s", twinResPrefix, status, query), body
	ss.send(p)
}
