package hub

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	// twinWithin is how long the hub may take to answer. Requests and answers have
	// QoS 0, so either may be lost.
	twinWithin = 30 * time.Second
	// maxTwinQueue bounds what came from the hub and was not read, and the patches
	// that were not sent.
	maxTwinQueue = 64
)

// A twinLink talks about the twin over one link: it fetches the whole at the
// beginning and whenever something was missed, puts notifications in order, and
// sends patches one at a time. It has a goroutine of its own, as paho may block it.
type twinLink struct {
	*Client
	link *link
	came chan struct{} // holds one token when mail or patches has something

	mu      sync.Mutex
	mail    []mail
	lost    bool // mail had to be dropped
	patches [][]byte

	fetchAt  time.Time // when the whole is to be asked for; zero while nothing was missed
	known    bool      // version is that of the desired properties
	version  int64     // of the desired properties, as told
	highest  int64     // of all notifications
	failures int       // in a row

	rid    uint64 // of the last request
	asked  asking
	until  time.Time // when the answer is overdue
	silent bool      // paho was too busy to take a request
}

// mail is a packet from the hub.
type mail struct {
	topic string
	body  []byte
}

// asking is what the hub was asked for and has not answered.
type asking int

const (
	nothing asking = iota
	whole
	patch
)

func newTwinLink(c *Client, l *link) *twinLink {
	return &twinLink{Client: c, link: l, came: make(chan struct{}, 1), fetchAt: time.Now()}
}

// put takes a packet. It never blocks.
func (t *twinLink) put(topic string, body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mail) == maxTwinQueue {
		t.lost = true
	} else {
		t.mail = append(t.mail, mail{topic, body})
	}
	nudge(t.came)
}

// report takes a patch.
func (t *twinLink) report(p []byte) {
	if len(p) > MaxReported {
		t.opts.Log.Error("reported properties are too large for the hub", "bytes", len(p), "limit", MaxReported)
		t.link.express.put(Reported{Status: 413, Err: errors.New("the patch is larger than the hub allows")})
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.patches) == maxTwinQueue {
		return // of a device that does not wait for Reported
	}
	t.patches = append(t.patches, p)
	nudge(t.came)
}

// run returns when the link is lost or closed.
func (t *twinLink) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t.read()
		if t.asked != nothing && !time.Now().Before(t.until) {
			t.failed(0, fmt.Errorf("the hub did not answer within %v", twinWithin))
		}
		t.ask(time.Now())
		switch {
		case t.asked != nothing:
			timer.Reset(time.Until(t.until))
		case t.silent:
			timer.Reset(handWithin)
		case !t.fetchAt.IsZero():
			timer.Reset(time.Until(t.fetchAt))
		default:
			timer.Stop()
		}
		select {
		case <-t.link.ctx.Done():
			return
		case <-t.came:
		case <-timer.C:
		}
	}
}

// ask sends the next request, if none is under way. While it is not known what the
// hub has no patch makes sense: they are dropped, as the device starts anew.
func (t *twinLink) ask(now time.Time) {
	if t.asked != nothing {
		return
	}
	if !t.fetchAt.IsZero() {
		t.mu.Lock()
		t.patches = nil
		t.mu.Unlock()
		if !now.Before(t.fetchAt) && t.send(twinGet, nil, whole) {
			t.fetchAt = time.Time{}
		}
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.patches) > 0 && t.send(reportedPrefix, t.patches[0], patch) {
		t.patches = t.patches[1:]
	}
}

// send publishes a request, and reports whether paho took it.
func (t *twinLink) send(topic string, body []byte, what asking) bool {
	rid := strconv.FormatUint(t.rid+1, 16)
	err := t.link.client.Publish(topic+"?$rid="+rid, 0, false, body).Error()
	t.silent = err != nil && !errors.Is(err, mqtt.ErrNotConnected)
	if err != nil {
		return false
	}
	t.rid++
	t.asked, t.until = what, time.Now().Add(twinWithin)
	return true
}

// read works off what came.
func (t *twinLink) read() {
	t.mu.Lock()
	all, lost := t.mail, t.lost
	t.mail, t.lost = nil, false
	t.mu.Unlock()
	for _, m := range all {
		var err error
		if strings.HasPrefix(m.topic, twinPrefix) {
			err = t.answer(m)
		} else {
			err = t.notification(m)
		}
		if err != nil {
			t.opts.Log.Warn("message about the twin ignored", "topic", clip(m.topic, 120), "err", err)
		}
	}
	if lost {
		t.fetch()
	}
}

// fetch asks for the whole twin: something was missed.
func (t *twinLink) fetch() {
	t.known = false
	if t.fetchAt.IsZero() && t.asked != whole {
		t.fetchAt = time.Now()
	}
}

// notification tells the device of a change, if it is the next one.
func (t *twinLink) notification(m mail) error {
	d, err := decodeDesired(m.topic, m.body)
	if err != nil {
		t.fetch()
		return err
	}
	t.highest = max(t.highest, d.Version)
	switch {
	case !t.known || d.Version <= t.version:
		// the whole is on its way, or was newer
	case d.Version == t.version+1:
		t.version = d.Version
		t.link.express.put(d)
	default:
		t.opts.Log.Info("a change of the twin was missed, the whole is fetched", "known", t.version, "came", d.Version)
		t.fetch()
	}
	return nil
}

// answer takes the hub's answer to the request of the moment. One that comes after
// its time, or twice, goes nowhere.
func (t *twinLink) answer(m mail) error {
	a, err := decodeTwinAnswer(m.topic, m.body)
	if a.rid != strconv.FormatUint(t.rid, 16) || t.asked == nothing {
		return err
	}
	if err == nil && (t.asked == whole && a.status != 200 || t.asked == patch && a.status != 204) {
		err = fmt.Errorf("status %d %s", a.status, clip(string(a.body), 200))
	}
	if err == nil && t.asked == whole {
		err = t.take(a.body)
	}
	if err != nil {
		t.failed(a.status, err)
		return nil
	}
	if t.asked == patch {
		t.link.express.put(Reported{Status: a.status, Version: a.version})
	}
	t.asked, t.failures = nothing, 0
	return nil
}

// take tells the device of the whole twin. If a notification was newer than it, it
// is fetched again.
func (t *twinLink) take(body []byte) error {
	doc, err := decodeTwin(body)
	if err != nil {
		return err
	}
	if doc.DesiredVersion < t.highest {
		t.highest = doc.DesiredVersion // or the versions have begun anew
		return errors.New("the hub sent an older twin than it has told of")
	}
	t.known, t.version = true, doc.DesiredVersion
	t.link.express.put(doc)
	return nil
}

// failed deals with a request that came to nothing: it is repeated after a while,
// unless the patch was at fault.
func (t *twinLink) failed(status int, err error) {
	asked := t.asked
	t.asked = nothing
	if asked == patch {
		t.opts.Log.Warn("reported properties not taken by the hub", "err", err)
		t.link.express.put(Reported{Status: status, Err: err})
		if refused(status) {
			return
		}
	}
	t.failures++
	wait := backOff(t.failures, t.chance())
	t.known, t.fetchAt = false, time.Now().Add(wait)
	if powerOfTwo(t.failures) {
		t.opts.Log.Warn("twin not known", "err", err, "failures", t.failures, "retry_in", wait.Round(time.Second))
	}
}
