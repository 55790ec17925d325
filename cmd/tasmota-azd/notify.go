package main

import (
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"tasmota-azd/internal/system"
)

// A notifier tells systemd how the daemon fares (sd_notify(3)). Without systemd it
// does nothing.
type notifier struct {
	log   *slog.Logger
	ready bool
	keeps atomic.Bool // systemd was given a file

	mu     sync.Mutex
	about  string // the connection
	broken string // the configuration, if the last one was not taken
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
	if !n.keeps.Load() {
		return
	}
	if err := barrier(); err != nil {
		n.log.Warn("not known whether systemd keeps the lines", "err", err)
	}
}

// status says how it stands with the connection, in the line that systemctl status shows.
func (n *notifier) status(about string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.about = about
	n.send("STATUS=" + n.line())
}

// line joins what there is to say.
func (n *notifier) line() string {
	switch {
	case n.broken == "":
		return n.about
	case n.about == "":
		return n.broken
	}
	return n.broken + "; " + n.about
}

// reloading begins a reload. systemd takes the service for running again when it hears
// reloaded.
func (n *notifier) reloading() {
	n.send(sd.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(system.Monotonic().Microseconds(), 10))
}

// reloaded ends a reload; broken says why the configuration was not taken, if so. What
// systemd was given meanwhile it has by then.
func (n *notifier) reloaded(broken string) {
	n.settle()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = broken
	n.send(sd.SdNotifyReady + "\nSTATUS=" + n.line())
}

func (n *notifier) stopping() { n.send(sd.SdNotifyStopping) }

func (n *notifier) send(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		n.log.Warn("systemd was not told", "state", state, "err", err)
	}
}
