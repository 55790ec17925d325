package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Peer is the process at the other end of the socket, as the kernel knows it
// (SO_PEERCRED in unix(7)).
//
// Where the unit has PrivateUsers=, the kernel tells the daemon of a user only if that is
// root or the service itself. Files of /proc that would tell are closed to it, and what a
// caller could hand over to prove who it is, a caller could forge. So it is taken down what
// the caller says, as its word.
type Peer struct {
	User string // name, or number if it has none; "someone" if the unit hides it
	PID  int
	Says string // who it says it is; not proven, empty if it says nothing else than User
}

// hiddenUser is whom the kernel names in place of everybody but root and the service
// itself, where the unit has PrivateUsers= (overflowuid in proc(5)).
const hiddenUser = 65534

// String is how a cause names it: "pi/1234", or "someone-says-pi/1234".
func (p Peer) String() string {
	who := p.User
	if p.Says != "" && p.Says != p.User {
		who += "-says-" + p.Says
	}
	return fmt.Sprintf("%s/%d", who, p.PID)
}

// saysHeader is where a client says who it is.
const saysHeader = "Tasmota-Caller"

// maxSays is the longest name that is taken down.
const maxSays = 32

// says is the word of a caller, without what could be taken for anything else in a cause.
func says(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r) {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), maxSays)]
}

// myName is whom a client names: who runs it, or who runs sudo.
func myName() string {
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		return name
	}
	uid := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

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
	p.Says = says(r.Header.Get(saysHeader))
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
