package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// systemd is what reads the notify socket: it returns each message, and keeps the
// files that come with it.
func systemd(t *testing.T) (read func() (string, []int)) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return func() (string, []int) {
		text, rights := make([]byte, 4096), make([]byte, 256)
		n, m, _, _, err := conn.ReadMsgUnix(text, rights)
		if err != nil {
			t.Error(err)
			return "", nil
		}
		messages, err := syscall.ParseSocketControlMessage(rights[:m])
		if err != nil || len(messages) == 0 {
			return string(text[:n]), nil
		}
		fds, err := syscall.ParseUnixRights(&messages[0])
		if err != nil {
			t.Error(err)
		}
		return string(text[:n]), fds
	}
}

func TestKeepAndForget(t *testing.T) {
	read := systemd(t)
	n := &notifier{log: slog.New(slog.DiscardHandler)}
	f, err := os.Create(filepath.Join(t.TempDir(), "line"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Keep("relay-pinctrl-bcm2711-17", f); err != nil {
		t.Fatal(err)
	}
	text, fds := read()
	if text != "FDSTORE=1\nFDNAME=relay-pinctrl-bcm2711-17" || len(fds) != 1 {
		t.Fatalf("%q with %d files", text, len(fds))
	}
	kept := os.NewFile(uintptr(fds[0]), "kept")
	if _, err := kept.WriteString("x"); err != nil {
		t.Error(err)
	}
	kept.Close()
	if info, err := f.Stat(); err != nil || info.Size() != 1 {
		t.Error("another file came")
	}

	done := make(chan error)
	go func() { done <- n.Forget("relay-pinctrl-bcm2711-17") }()
	if text, _ := read(); text != "FDSTOREREMOVE=1\nFDNAME=relay-pinctrl-bcm2711-17" {
		t.Errorf("%q", text)
	}
	text, fds = read()
	if text != "BARRIER=1" || len(fds) != 1 {
		t.Fatalf("%q with %d files", text, len(fds))
	}
	select {
	case err := <-done:
		t.Errorf("Forget did not wait: %v", err)
	default:
	}
	syscall.Close(fds[0])
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := &notifier{log: slog.New(slog.DiscardHandler)}
	if err := n.Keep("relay-x-1", os.Stdin); err != nil {
		t.Error(err)
	}
	if err := n.Forget("relay-x-1"); err != nil {
		t.Error(err)
	}
}

func TestSignals(t *testing.T) {
	for s, want := range map[syscall.Signal]bool{syscall.SIGTERM: true, syscall.SIGINT: true, syscall.SIGUSR2: false} {
		ctx, stop := withSignals(context.Background())
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		if forGood(ctx) != want {
			t.Errorf("%v ends the service for good: %v", s, forGood(ctx))
		}
		stop()
	}
	ctx, stop := withSignals(context.Background())
	stop()
	if forGood(ctx) {
		t.Error("the end of a context is taken for a signal")
	}
}
