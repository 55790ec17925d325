package main

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// barrierWithin is how long systemd may take to have done what it was told.
const barrierWithin = 5 * time.Second

// Keep gives systemd a file that the next run of the daemon gets back (FDSTORE in
// sd_notify(3)). Without systemd it does nothing.
func (n *notifier) Keep(name string, f *os.File) error {
	n.keeps.Store(true)
	return notifyWith("FDSTORE=1\nFDNAME="+name, f)
}

// Forget takes all files of that name out of systemd's store, and returns when
// that is done.
func (n *notifier) Forget(name string) error {
	if err := notifyWith("FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
		return err
	}
	return barrier()
}

// barrier returns when systemd has dealt with all that it was told before: it
// closes the pipe's end that comes with the message.
func barrier() error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	err = errors.Join(notifyWith("BARRIER=1", w), w.Close(), r.SetReadDeadline(time.Now().Add(barrierWithin)))
	if err != nil {
		return err
	}
	if _, err := r.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("systemd does not answer")
	}
	return nil // the end of the pipe
}

// notifyWith does what sd_pid_notify_with_fds(3) does: it sends systemd a message,
// with a file if f is not nil.
func notifyWith(state string, f *os.File) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	to := &net.UnixAddr{Name: name, Net: "unixgram"}
	if f == nil {
		_, err = conn.WriteToUnix([]byte(state), to)
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	controlErr := raw.Control(func(fd uintptr) {
		_, _, err = conn.WriteMsgUnix([]byte(state), syscall.UnixRights(int(fd)), to)
	})
	return errors.Join(controlErr, err)
}
