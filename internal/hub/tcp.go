package hub

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sentWithin bounds how long the kernel tries to get bytes across that nobody
// acknowledges; by itself it tries for a quarter of an hour. It finds out sooner
// than a ping if a packet is lost to which the hub owes no answer, such as a PUBACK.
const sentWithin = 30 * time.Second

// tcpDialer opens TCP connections that end when the network carries nothing any
// more. TCP's own probes are off: they go out every 15 s, and it is the owner who
// says with the keep-alive how often an idle device is to be heard.
func tcpDialer(keepAlive time.Duration) *net.Dialer {
	most := min(sentWithin, keepAlive/2)
	return &net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(most.Milliseconds()))
		})
		if failed != nil {
			return failed
		}
		return err
	}}
}
