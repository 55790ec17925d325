package device

import (
	"context"
	"time"

	"tasmota-azd/internal/commands"
)

// A Happening is something that a watcher is told: a message, or how it stands with
// the hub.
type Happening struct {
	Time    time.Time `json:"time"` // proven
	Topic   string    `json:"topic,omitempty"`
	Body    string    `json:"body,omitempty"`
	Cause   string    `json:"cause,omitempty"`
	Session *Session  `json:"session,omitempty"`
}

// watchers are those who are told, each through a channel of its own. Whoever is too
// slow misses something: the loop waits for nobody.
type watchers map[chan any]bool

// Watch tells what happens, as Happenings, until ctx ends: each answer and each report, when the hub
// is given it, and each change of the session. It may be called from any goroutine
// while Run runs.
func (d *Device) Watch(ctx context.Context) (<-chan any, error) {
	c := make(chan any, 64)
	err := d.do(ctx, func(time.Time) {
		if d.watch == nil {
			d.watch = make(watchers)
		}
		d.watch[c] = true
	})
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		_ = d.do(context.WithoutCancel(ctx), func(time.Time) { // if the loop is over, so is the watch
			delete(d.watch, c)
			close(c)
		})
	})
	return c, nil
}

func (w watchers) tell(h Happening) {
	for c := range w {
		select {
		case c <- h:
		default:
		}
	}
}

// tellReply tells a reply that the hub is given.
func (d *Device) tellReply(now time.Time, r commands.Reply) {
	if len(d.watch) > 0 {
		d.watch.tell(Happening{Time: d.o.Wall(now), Topic: d.topic.full(r.Tele, r.Topic), Body: r.Body, Cause: r.Cause.String()})
	}
}
