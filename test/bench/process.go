package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"tasmota-azd/test/lab"
)

// A process is a running contender. Its log goes to a file, as a journal would be
// one: a pipe to this process would make it work for each line.
type process struct {
	cmd     *exec.Cmd
	log     *os.File
	started time.Time // just before exec
	ended   chan struct{}
	err     error // once ended is closed
}

// start runs a contender. If nobody stops it, the stage does when it closes.
func (c *contender) start() (*process, error) {
	log, err := os.OpenFile(filepath.Join(c.dir(), "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(c.program, c.args...), log: log, ended: make(chan struct{})}
	p.cmd.Stderr = log
	p.cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent", "STATE_DIRECTORY=", "NOTIFY_SOCKET=")
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	c.stage.started = append(c.stage.started, p)
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process in good order.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return errors.Join(p.err, p.log.Close())
	case <-time.After(lab.Patience):
		return errors.Join(errors.New("the program does not end"), p.kill())
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.ended // p.err says that a signal ended it, which is no news
	return p.log.Close()
}

// runs reports whether the process has not ended.
func (p *process) runs() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// cpu is the processor time that a process has used.
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(text)
}

// parseStat adds utime and stime, fields 14 and 15 of proc_pid_stat(5), which count
// hundredths of a second. The name in field 2 may hold blanks and parentheses.
func parseStat(text []byte) (time.Duration, error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("a process's stat is too short")
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseUint(string(f), 10, 63)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum, nil
}
