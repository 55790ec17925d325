package main

import (
	"log/slog"
	"regexp"
	"testing"
)

// What systemd hears in a reload, and in the line of its status after it.
func TestReloadingAndReloaded(t *testing.T) {
	read := systemd(t)
	n := &notifier{log: slog.New(slog.DiscardHandler)}
	hears := func(pattern string) {
		t.Helper()
		if text, _ := read(); !regexp.MustCompile("^" + pattern + "$").MatchString(text) {
			t.Errorf("systemd hears %q, want %s", text, pattern)
		}
	}
	n.status("connected")
	hears("STATUS=connected")
	n.reloading()
	hears("RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*")
	n.reloaded("config.yaml:1: no")
	hears("READY=1\nSTATUS=config.yaml:1: no; connected")
	n.status("not connected")
	hears("STATUS=config.yaml:1: no; not connected")
	n.reloading()
	hears("RELOADING=1\nMONOTONIC_USEC=[0-9]+")
	n.reloaded("")
	hears("READY=1\nSTATUS=not connected")
}
