package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Peer is the process at the other end of the socket, as the kernel knows it
// (SO_PEERCRED in unix(7)).
type Peer struct {
	User string // name, or number if it has none; "someone" if the unit hides it
	PID  int
}

// hiddenUser is whom the kernel names in place of everybody but root and the service
// itself, where the unit has PrivateUsers= (overflowuid in proc(5)).
const hiddenUser = 65534

// String is how a cause names it: "pi/1234".
func (p Peer) String() string { return fmt.Sprintf("%s/%d", p.User, p.PID) }

type peerKey struct{}

// withPeer notes who connected.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if l, ok := c.(*limitedConn); ok {
		c = l.Conn
	}
	p, err := peer(c)
	if err != nil {
		p = Peer{User: "unknown"}
	}
	return context.WithValue(ctx, peerKey{}, p)
}

func peerOf(r *http.Request) Peer {
	p, _ := r.Context().Value(peerKey{}).(Peer) // withPeer has put it there
	return p
}

func peer(c net.Conn) (Peer, error) {
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return Peer{}, fmt.Errorf("%T is no Unix socket", c)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || credErr != nil {
		return Peer{}, fmt.Errorf("%w %w", err, credErr)
	}
	p := Peer{User: strconv.Itoa(int(cred.Uid)), PID: int(cred.Pid)}
	if cred.Uid == hiddenUser {
		p.User = "someone"
	} else if u, err := user.LookupId(p.User); err == nil {
		p.User = u.Username
	}
	return p, nil
}
