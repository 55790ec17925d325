package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// envStarter names a program that is to start the daemon, as env(1) does:
// STARTER [NAME=VALUE...] PROGRAM [ARG...]. It writes the daemon's process id in a line
// to stdout, hands its stderr on, and ends as it does. test/hardened/confine is one.
const envStarter = "LAB_STARTER"

// Patience is how long the lab waits for anything: machines are slow and noisy.
const Patience = 60 * time.Second

// A Daemon is a running tasmota-azd.
type Daemon struct {
	PID int

	cmd     *exec.Cmd
	process *os.Process // the program, be it started by a starter
	ended   chan struct{}
	err     error // of the process, once ended is closed

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced at each line
}

// Start runs the program with a configuration file. Its log goes to log, if that
// is not nil, and is kept.
func Start(program, config string, log io.Writer, env []string, args ...string) (*Daemon, error) {
	d := &Daemon{ended: make(chan struct{}), more: make(chan struct{})}
	// No test may depend on whether this machine's own clock is synchronised.
	env = append([]string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent"}, env...)
	args = append([]string{"run", "--config", config}, args...)
	start := d.start
	if starter := os.Getenv(envStarter); starter == "" {
		d.cmd = exec.Command(program, args...)
		d.cmd.Env = append(os.Environ(), env...)
	} else {
		start = d.startBy
		d.cmd = exec.Command(starter, slices.Concat(env, []string{program}, args)...)
	}
	pipe, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := start(); err != nil {
		said, _ := io.ReadAll(pipe) // if it got so far
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	d.PID = d.process.Pid
	go d.read(pipe, log)
	return d, nil
}

func (d *Daemon) start() error {
	err := d.cmd.Start()
	d.process = d.cmd.Process
	return err
}

// startBy runs a starter and has it tell which process is the program.
func (d *Daemon) startBy() error {
	pipe, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.cmd.Start(); err != nil {
		return err
	}
	var pid int
	if _, err := fmt.Fscanln(pipe, &pid); err != nil {
		return fmt.Errorf("%s does not tell the process: %w", d.cmd.Path, err)
	}
	d.process, err = os.FindProcess(pid)
	return err
}

func (d *Daemon) read(pipe io.Reader, log io.Writer) {
	for s := bufio.NewScanner(pipe); s.Scan(); {
		d.mu.Lock()
		d.lines = append(d.lines, s.Text())
		close(d.more)
		d.more = make(chan struct{})
		d.mu.Unlock()
		if log != nil {
			fmt.Fprintln(log, s.Text())
		}
	}
	d.err = d.cmd.Wait()
	close(d.ended)
}

// Log returns all lines so far.
func (d *Daemon) Log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.lines...)
}

// WaitLog waits for a line, past or to come, that holds all the texts.
func (d *Daemon) WaitLog(texts ...string) (string, error) {
	deadline := time.After(Patience)
	for {
		d.mu.Lock()
		more := d.more
		line, ok := find(d.lines, texts)
		d.mu.Unlock()
		if ok {
			return line, nil
		}
		select {
		case <-more:
		case <-d.ended:
			if line, ok := find(d.Log(), texts); ok {
				return line, nil
			}
			return "", fmt.Errorf("the daemon ended (%v) without a line that has %q", d.err, texts)
		case <-deadline:
			return "", fmt.Errorf("no line with %q within %v", texts, Patience)
		}
	}
}

func find(lines, texts []string) (string, bool) {
	for _, line := range lines {
		if containsAll(line, texts) {
			return line, true
		}
	}
	return "", false
}

func containsAll(line string, texts []string) bool {
	for _, t := range texts {
		if !strings.Contains(line, t) {
			return false
		}
	}
	return true
}

// Signal sends a signal to the daemon.
func (d *Daemon) Signal(s syscall.Signal) error { return d.process.Signal(s) }

// Wait waits until the daemon has ended and returns its exit status, or -1 if a
// signal ended it.
func (d *Daemon) Wait() (int, error) {
	select {
	case <-d.ended:
		return d.cmd.ProcessState.ExitCode(), nil
	case <-time.After(Patience):
		return 0, errors.New("the daemon does not end")
	}
}

// Err says how a daemon that has ended did so; nil for exit status 0.
func (d *Daemon) Err() error { return d.err }

// Stop ends the daemon with SIGTERM and returns its exit status.
func (d *Daemon) Stop() (int, error) {
	select {
	case <-d.ended:
		return d.Wait()
	default:
	}
	if err := d.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	return d.Wait()
}

// Kill ends the daemon with SIGKILL.
func (d *Daemon) Kill() error {
	if err := d.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_, err := d.Wait()
	return err
}

// An Edge is one line of the simulated pins' edges.log.
type Edge struct {
	At    time.Time
	Pin   string
	Level int
}

// Edges reads all levels that were driven in dir, also those that changed nothing.
func Edges(dir string) ([]Edge, error) {
	data, err := os.ReadFile(filepath.Join(dir, "edges.log"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var edges []Edge
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 || !strings.HasSuffix(line, "\n") {
			continue // being written
		}
		ns, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return nil, err
		}
		level, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, err
		}
		edges = append(edges, Edge{time.Unix(0, ns), f[1], level})
	}
	return edges, nil
}

// Moves counts how often the level of a pin changed, which is what a relay hears.
func Moves(edges []Edge, pin string) int {
	moves, last := 0, -1
	for _, e := range edges {
		if e.Pin != pin {
			continue
		}
		if last != -1 && e.Level != last {
			moves++
		}
		last = e.Level
	}
	return moves
}
