package clock

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// SystemSynchronised asks systemd's timedate1 for its property NTPSynchronized.
// That is the kernel's own knowledge, true with any time service; but asking
// the kernel by adjtimex would end a process under ProtectClock=. It answers
// within two seconds.
func SystemSynchronised(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx)) // a connection of its own, that ends with ctx
	if err != nil {
		return false, fmt.Errorf("system bus: %w", err)
	}
	defer conn.Close()
	var synchronised bool
	err = conn.Object("org.freedesktop.timedate1", "/org/freedesktop/timedate1").
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, "org.freedesktop.timedate1", "NTPSynchronized").
		Store(&synchronised)
	if err != nil {
		return false, fmt.Errorf("timedate1: %w", err)
	}
	return synchronised, nil
}
