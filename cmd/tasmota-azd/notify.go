package main

import (
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// A notifier tells systemd how the daemon fares (sd_notify(3)). Without systemd it
// does nothing.
type notifier struct {
	log   *slog.Logger
	ready bool
	keeps bool // systemd was given a file
}

// beat is how often the loop must say that it turns: twice in each WatchdogSec, or
// never (0) if the unit has none.
func (n *notifier) beat() time.Duration {
	period, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Warn("the watchdog is off: systemd's variables are not understood", "err", err)
		return 0
	}
	return period / 2
}

// alive is called by the device's loop. The first call means that the relays stand.
func (n *notifier) alive() {
	if !n.ready {
		n.ready = true
		n.settle()
		n.send(sd.SdNotifyReady)
	}
	n.send(sd.SdNotifyWatchdog)
}

// settle waits until systemd has taken the files it was given: what it has not read
// yet when the daemon dies it may not be able to assign to the unit any more.
func (n *notifier) settle() {
	if !n.keeps {
		return
	}
	if err := barrier(); err != nil {
		n.log.Warn("not known whether systemd keeps the lines", "err", err)
	}
}

// status is the line that systemctl status shows.
func (n *notifier) status(text string) { n.send("STATUS=" + text) }

func (n *notifier) stopping() { n.send(sd.SdNotifyStopping) }

func (n *notifier) send(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		n.log.Warn("systemd was not told", "state", state, "err", err)
	}
}
