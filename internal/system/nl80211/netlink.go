package nl80211

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sys/unix"
)

// order is the byte order of netlink: that of the machine.
var order = binary.NativeEndian

const (
	bufferSize  = 32 << 10 // the kernel sends no more at a time
	maxMessages = 1000     // of one answer
	headers     = unix.SizeofNlMsghdr + unix.GENL_HDRLEN
)

var errMalformed = errors.New("the kernel's answer cannot be read")

// A conn is a socket of generic netlink (netlink(7)). It may block until end.
type conn struct {
	fd  int
	buf []byte
	seq uint32 // of the last request
	end time.Time
}

func dial(within time.Duration) (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return &conn{fd: fd, buf: make([]byte, bufferSize), end: time.Now().Add(within)}, nil
}

func (c *conn) close() { unix.Close(c.fd) }

// family finds the number of a family by its name.
func (c *conn) family(name string) (uint16, error) {
	var id uint16
	ask := appendAttr(nil, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(name), 0))
	err := c.ask(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, unix.NLM_F_ACK, ask, func(attrs []byte) {
		for kind, v := range attributes(attrs) {
			if kind == unix.CTRL_ATTR_FAMILY_ID && len(v) == 2 {
				id = order.Uint16(v)
			}
		}
	})
	if err == nil && id == 0 {
		err = errMalformed
	}
	return id, err
}

// dump asks for everything there is, and gives the attributes of each message to each.
func (c *conn) dump(family uint16, command byte, attrs []byte, each func(attrs []byte)) error {
	return c.ask(family, command, unix.NLM_F_DUMP, attrs, each)
}

func (c *conn) ask(family uint16, command byte, flags uint16, attrs []byte, each func(attrs []byte)) error {
	c.seq++
	m := order.AppendUint32(nil, uint32(headers+len(attrs)))
	m = order.AppendUint16(m, family)
	m = order.AppendUint16(m, unix.NLM_F_REQUEST|flags)
	m = order.AppendUint32(m, c.seq)
	m = order.AppendUint32(m, 0)    // the kernel knows from whom it comes
	m = append(m, command, 1, 0, 0) // version 1 (linux/genetlink.h)
	if err := unix.Sendto(c.fd, append(m, attrs...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for left := maxMessages; ; {
		packet, err := c.receive()
		if err != nil {
			return err
		}
		n, over, err := answers(packet, c.seq, each)
		if err != nil || over {
			return err
		}
		if left -= max(n, 1); left <= 0 {
			return errMalformed
		}
	}
}

// receive reads what the kernel sends at a time, which stands until it is called
// again. Who else sends is not heard.
func (c *conn) receive() ([]byte, error) {
	for {
		left := time.Until(c.end)
		if left <= 0 {
			return nil, unix.ETIMEDOUT
		}
		limit := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
			return nil, err
		}
		n, from, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_TRUNC)
		sender, kernel := from.(*unix.SockaddrNetlink)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN, err == nil && (!kernel || sender.Pid != 0):
		case err != nil:
			return nil, err
		case n > len(c.buf):
			return nil, errMalformed
		default:
			return c.buf[:n], nil
		}
	}
}

// answers goes through the messages that the kernel sent at a time. It counts those
// that belong to the request seq, and tells whether the last one was among them.
func answers(packet []byte, seq uint32, each func(attrs []byte)) (n int, over bool, err error) {
	for len(packet) >= unix.SizeofNlMsghdr {
		size := order.Uint32(packet)
		if size < unix.SizeofNlMsghdr || int64(size) > int64(len(packet)) {
			return n, false, errMalformed
		}
		m := packet[:size]
		packet = packet[min(aligned(int(size)), len(packet)):]
		if order.Uint32(m[8:]) != seq {
			continue
		}
		n++
		switch kind, body := order.Uint16(m[4:]), m[unix.SizeofNlMsghdr:]; {
		case kind == unix.NLMSG_ERROR && len(body) < 4:
			return n, false, errMalformed
		case kind == unix.NLMSG_ERROR, kind == unix.NLMSG_DONE && len(body) >= 4:
			if number := int32(order.Uint32(body)); number != 0 {
				return n, true, unix.Errno(-number)
			}
			return n, true, nil
		case kind == unix.NLMSG_DONE:
			return n, true, nil
		case kind < unix.NLMSG_MIN_TYPE: // nothing to do, or overrun
		case len(body) < unix.GENL_HDRLEN:
			return n, false, errMalformed
		default:
			each(body[unix.GENL_HDRLEN:])
		}
	}
	return n, false, nil
}

// attributes goes through attributes with their types, as far as they are whole.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofNlAttr {
			size := int(order.Uint16(b))
			if size < unix.SizeofNlAttr || size > len(b) {
				return
			}
			const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
			if !yield(order.Uint16(b[2:])&^flags, b[unix.SizeofNlAttr:size]) {
				return
			}
			b = b[min(aligned(size), len(b)):]
		}
	}
}

func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = order.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
	b = order.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, aligned(len(value))-len(value))...)
}

// aligned rounds up to a multiple of four.
func aligned(n int) int { return (n + 3) &^ 3 }
