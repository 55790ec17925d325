package clock

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// SystemSynchronised asks systemd whether the system clock is synchronised: its
// property NTPSynchronized, which timedatectl(1) shows. That is the kernel's own
// knowledge, true with any time service; but asking the kernel by adjtimex would
// end a process under ProtectClock=. The program is asked instead of the bus behind
// it: a D-Bus library is a thirtieth of the daemon, for one question at a time when
// no server answers. The answer comes within two seconds.
func SystemSynchronised(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "timedatectl", "show", "--property=NTPSynchronized", "--value")
	cmd.WaitDelay = 100 * time.Millisecond // what it started may hold its output open
	out, err := cmd.Output()
	switch word := strings.TrimSpace(string(out)); {
	case err != nil:
		return false, fmt.Errorf("timedatectl: %w", explain(ctx, err))
	case word == "yes":
		return true, nil
	case word == "no":
		return false, nil
	default:
		return false, fmt.Errorf("timedatectl: %.40q is neither yes nor no", word)
	}
}

// explain prefers the program's own words to its exit status, and the end of the
// time to the signal that came of it.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok && len(e.Stderr) > 0 {
		return fmt.Errorf("%.200s", strings.TrimSpace(string(e.Stderr)))
	}
	return err
}
