package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"tasmota-azd/internal/relay/gpiochip"
)

// serve holds lines as a service of systemd (Type=notify, NotifyAccess=main,
// FileDescriptorStoreMax=). It adopts those that come out of the store, releases
// adopted lines that it was not asked for, and requests and stores the others.
// SIGUSR1 toggles all lines; SIGTERM ends it and leaves the lines to the store.
func serve(chips []gpiochip.Chip, args []string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM)
	adopted, err := adopt(chips)
	if err != nil {
		return err
	}
	var lines []*gpiochip.Line
	for _, arg := range args {
		spec, out, _ := strings.Cut(arg, "=")
		p, err := gpiochip.Match(chips, spec)
		if err != nil {
			return err
		}
		line := adopted[p]
		delete(adopted, p)
		if line == nil {
			if line, err = gpiochip.Request(p, output(out)); err != nil {
				return err
			}
			fmt.Println("requested:", p)
			if err := notify("FDSTORE=1\nFDNAME="+p.FDName(), line.File()); err != nil {
				return err
			}
		}
		lines = append(lines, line)
	}
	for p, line := range adopted {
		fmt.Println("released:", p)
		if err := line.Release(); err != nil {
			return err
		}
		if err := notify("FDSTOREREMOVE=1\nFDNAME="+p.FDName(), nil); err != nil {
			return err
		}
	}
	if err := notify("READY=1", nil); err != nil {
		return err
	}
	for s := range signals {
		if s == syscall.SIGTERM {
			break
		}
		for _, line := range lines {
			if err := line.Out(line.Function() == "Out/Low"); err != nil {
				return err
			}
		}
	}
	return nil
}

// adopt takes back what systemd kept. What is of no use any more must leave the
// store: systemd 252 keeps the file of a line whose chip is gone.
func adopt(chips []gpiochip.Chip) (map[gpiochip.Place]*gpiochip.Line, error) {
	lines := map[gpiochip.Place]*gpiochip.Line{}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return lines, nil
	}
	for i, name := range strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")[:n] {
		f := os.NewFile(uintptr(3+i), name)
		line, err := gpiochip.Adopt(chips, f)
		if err != nil {
			fmt.Println(describe(err))
			f.Close()
			if err := notify("FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
				return nil, err
			}
			continue
		}
		fmt.Println("adopted:", line.Place(), line.Function(), "off", line.Off())
		lines[line.Place()] = line
	}
	return lines, nil
}

// notify does what sd_pid_notify_with_fds does.
func notify(state string, file *os.File) error {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	var rights []byte
	if file != nil {
		rights = syscall.UnixRights(int(file.Fd()))
	}
	to := &net.UnixAddr{Net: "unixgram", Name: os.Getenv("NOTIFY_SOCKET")}
	_, _, err = conn.WriteMsgUnix([]byte(state), rights, to)
	return err
}
