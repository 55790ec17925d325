package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tasmota-azd/internal/hubsim"
)

// A pty is a terminal window.
type pty struct{ window, inside *os.File }

func newPTY(t *testing.T) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	window := os.NewFile(uintptr(fd), "ptmx") // which Close ends at once, as it does not block
	t.Cleanup(func() { window.Close() })
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	inside, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(t.Output(), window) }() // until it is closed
	return &pty{window, inside}
}

// run starts a command in the window, as the leader of its session.
func (p *pty) run(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdin, c.Stdout, c.Stderr = p.inside, p.inside, p.inside
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.inside.Close()
	return c
}

// A daemon that runs by hand reloads when it is asked to, and ends in good order with
// its terminal; its relays are as a stop leaves them.
func TestTerminalCloses(t *testing.T) {
	if os.Getenv("LAB_STARTER") != "" {
		t.Skip("the starter of daemons gives them no terminal")
	}
	// Whoever runs the tests by nohup ignores the signal, and so would the daemon.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
	for name, start := range map[string]func(*pty, string) *exec.Cmd{
		"leader": func(p *pty, config string) *exec.Cmd { return p.run(t, daemon, "run", "--config", config) },
		"a shell's": func(p *pty, config string) *exec.Cmd {
			return p.run(t, "/bin/sh", "-c", `"$0" run --config "$1"; exit $?`, daemon, config)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, hubsim.Options{}, 0)
			config := b.keyConfig()
			text, err := os.ReadFile(config)
			b.check(err)
			b.write("config.yaml", strings.ReplaceAll(string(text), "on_stop: hold", "on_stop: off"))
			p := newPTY(t)
			c := start(p, config)
			t.Cleanup(func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
			b.subscribed("pump")
			b.command("pump", "m1", "power1", "on", `{"POWER1":"ON"}`)
			b.asked([]string{"reload"})
			b.command("pump", "m2", "power2", "on", `{"POWER2":"ON"}`)
			p.window.Close()
			ended := func() bool { l := b.cloud.Logins(); return l[len(l)-1].End == "the device sent DISCONNECT" }
			if err := b.cloud.Wait(b.patience(), ended); err != nil {
				t.Error("the daemon goes on")
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			}
			_ = c.Wait() // the shell is killed, by SIGHUP
			if b.level("GPIO17") != "0" || b.level("GPIO27") != "1" {
				t.Errorf("levels %q, %q: the relays are not off", b.level("GPIO17"), b.level("GPIO27"))
			}
		})
	}
}
