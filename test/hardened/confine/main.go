// Confine starts a program as systemd starts the daemon: in the unit as it is shipped,
// word for word, with a drop-in for what a test needs besides.
//
//	confine [NAME=VALUE...] PROGRAM run --config FILE [ARG...]
//
// It is a starter as test/lab wants one: the process id of the program is the only line on
// stdout, what the program says comes on stderr, and the end is the program's. The
// folder of FILE takes the place of the directories for state and runtime; it and what
// is beside it become the user's of the unit.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const units = "/run/systemd/system/"

func main() {
	env, argv := words(os.Args[1:])
	c := confined{name: "confined-" + strconv.Itoa(os.Getpid()), env: env, argv: argv}
	err := c.prepare()
	if err == nil {
		err = c.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "confine:", err)
		os.Exit(125)
	}
	c.endAlike()
}

// words parts the environment from the command.
func words(args []string) (env, argv []string) {
	n := slices.IndexFunc(args, func(a string) bool { return !strings.Contains(a, "=") })
	if n < 0 {
		n = len(args)
	}
	return args[:n], args[n:]
}

// A confined program is one service.
type confined struct {
	name      string
	env, argv []string
	code      int // CLD_EXITED or how else it ended
	status    int // exit status or signal
}

func (c *confined) socket() string { return "/run/" + c.name + ".sock" }

// prepare makes the service of the shipped unit.
func (c *confined) prepare() error {
	at := slices.Index(c.argv, "--config")
	if at < 0 || at+1 == len(c.argv) {
		return errors.New("no --config FILE among the arguments")
	}
	shipped, err := os.ReadFile("/etc/systemd/system/tasmota-azd.service")
	if err != nil {
		return err
	}
	folder := filepath.Dir(c.argv[at+1])
	dropIn, err := c.dropIn(folder)
	if err != nil {
		return err
	}
	dir := units + c.name + ".service.d"
	return errors.Join(
		os.WriteFile(units+c.name+".service", shipped, 0o644),
		os.MkdirAll(dir, 0o755),
		os.WriteFile(dir+"/test.conf", []byte(dropIn), 0o644),
		systemctl("daemon-reload"),
		command("chown", "-R", "tasmota-azd:tasmota-azd", filepath.Dir(folder)),
	)
}

// dropIn is all in which the service differs from the shipped one. CONFINE_ADD are more lines.
func (c *confined) dropIn(folder string) (string, error) {
	lines := []string{
		"[Service]",
		// Whoever waits for READY reads the log; whoever wants a restart starts it.
		"Type=exec", "Restart=no",
		"ExecStart=", "ExecStart=" + quoted(c.argv, "$", "$$"),
		"ReadWritePaths=" + quoted([]string{folder}),
		"Environment=" + quoted(append([]string{"STATE_DIRECTORY=", "RUNTIME_DIRECTORY="}, c.env...)),
		"StandardOutput=null", "StandardError=file:" + c.socket(),
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return "", err
	}
	if of, err := os.Readlink("/proc/1/ns/net"); err != nil || own != of {
		lines = append(lines, fmt.Sprintf("NetworkNamespacePath=/proc/%d/ns/net", os.Getpid()))
	}
	return strings.Join(append(lines, os.Getenv("CONFINE_ADD")), "\n") + "\n", nil
}

// quoted writes words as a unit file has them.
func quoted(words []string, more ...string) string {
	r := strings.NewReplacer(append([]string{`\`, `\\`, `"`, `\"`, "%", "%%"}, more...)...)
	var list []string
	for _, w := range words {
		list = append(list, `"`+r.Replace(w)+`"`)
	}
	return strings.Join(list, " ")
}

// run starts the service and waits for its end.
func (c *confined) run() error {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.socket(), Net: "unix"})
	if err != nil {
		return err
	}
	said := make(chan error, 1)
	go func() { said <- relay(ln) }()
	err = systemctl("start", "--wait", c.name) // fails as the program does
	shown, shownErr := exec.Command("systemctl", "show", "-P", "ExecMainPID", "-P", "ExecMainCode", "-P", "ExecMainStatus", c.name).Output()
	var pid int
	if _, scanErr := fmt.Sscan(string(shown), &pid, &c.code, &c.status); scanErr != nil || shownErr != nil || err != nil && c.code == 0 {
		ln.Close()
		return errors.Join(err, shownErr, scanErr, fmt.Errorf("systemd shows %q", shown))
	}
	return errors.Join(<-said, ln.Close(), c.remove())
}

// relay hands on what the program says, once it is known who it is: systemd makes the
// connection in the process that becomes the program.
func relay(ln *net.UnixListener) error {
	conn, err := ln.AcceptUnix()
	if err != nil {
		return err
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); controlErr != nil || err != nil {
		return errors.Join(controlErr, err)
	}
	fmt.Println(peer.Pid)
	_, err = io.Copy(os.Stderr, conn)
	return err
}

func (c *confined) remove() error {
	exec.Command("systemctl", "reset-failed", c.name).Run() // most have not failed
	return errors.Join(os.Remove(units+c.name+".service"), os.RemoveAll(units+c.name+".service.d"))
}

// endAlike ends this process as the program ended.
func (c *confined) endAlike() {
	const exited = 1 // CLD_EXITED
	if c.code > exited {
		syscall.Kill(os.Getpid(), syscall.Signal(c.status))
	}
	os.Exit(c.status)
}

func systemctl(args ...string) error {
	return command("systemctl", append([]string{"--quiet"}, args...)...)
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, bytes.TrimSpace(out))
	}
	return nil
}
