package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// processes are what the demo has started, in that order.
type processes []*process

// A process is a running program whose output is shown and can be waited for.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced at each line
}

// start runs a program in a process group of its own, so that Ctrl-C comes to the
// demo alone, which then ends the others in order.
//
// Its output is shown line by line as show words it.
func (all *processes) start(name string, show func(string) string, program string, args ...string) (*process, error) {
	p := &process{name: name, ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	*all = append(*all, p)
	go p.read(r, show)
	return p, nil
}

// asIs shows a line as it is.
func asIs(line string) string { return line }

func (p *process) read(r *os.File, show func(string) string) {
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		fmt.Printf("   %-5s | %s\n", p.name, show(s.Text()))
	}
	r.Close()
	p.cmd.Wait() // how it ended does not matter: the demo ends it
	close(p.ended)
}

// wait waits for a line that holds text.
func (p *process) wait(ctx context.Context, text string) error {
	for {
		p.mu.Lock()
		more := p.more
		found := strings.Contains(strings.Join(p.lines, "\n"), text)
		p.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-more:
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.name, strings.Join(p.last(1), ""))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// last returns the last n lines.
func (p *process) last(n int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[max(0, len(p.lines)-n):]
}

// stop ends all processes, the last one first, and waits for them.
func (all *processes) stop() {
	for i := len(*all) - 1; i >= 0; i-- {
		p := (*all)[i]
		p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			p.cmd.Process.Kill()
			<-p.ended
		}
	}
}

// runOnce runs a program to its end.
func runOnce(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// addresses are where hubsim can be reached, as its ready file says.
type addresses struct {
	Control, ScopeID     string
	HubPort, DPSPort     int
	CAFile, GroupKeyFile string
}

// usual is where hubsim's commands look for it without --control.
const usual = "127.0.0.1:8880"

func (a addresses) controlFlag() string {
	if a.Control == usual {
		return ""
	}
	return " --control " + a.Control
}

// startCloud starts hubsim and waits until it listens.
func startCloud(ctx context.Context, all *processes, bin, dir string) (addresses, error) {
	control := usual
	if ln, err := net.Listen("tcp", usual); err != nil {
		control = "127.0.0.1:0" // somebody else's
	} else {
		ln.Close()
	}
	var at addresses
	ready := filepath.Join(dir, "ready.json")
	p, err := all.start("hub", asIs, filepath.Join(bin, "hubsim"), "--control", control, "serve",
		"--data", filepath.Join(dir, "cloud"), "--hub-port", "0", "--dps-port", "0", "--dps-polls", "0",
		"--quiet", "--ready-file", ready)
	if err != nil {
		return at, err
	}
	if err := p.wait(ctx, "Ctrl-C ends it."); err != nil {
		return at, err
	}
	data, err := os.ReadFile(ready)
	if err != nil {
		return at, err
	}
	err = json.Unmarshal(data, &at)
	if err == nil && at.Control == "" {
		err = errors.New("hubsim does not say where it listens")
	}
	return at, err
}
