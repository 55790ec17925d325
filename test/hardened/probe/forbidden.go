package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidden is what an intruder would like. Root can do all of it on the test's machine,
// which has the files and devices named here, open to everybody.
var forbidden = []attempt{
	{"write /etc", func() error { return write("/etc/probe") }},
	{"write /usr", func() error { return write("/usr/bin/probe-was-here") }},
	{"write the configuration", func() error { return open("/etc/tasmota-azd/config.yaml", unix.O_WRONLY) }},
	{"write a directory that is open to all", func() error { return write("/srv/open/probe") }},
	{"see a home", func() error { return read("/home/someone/file") }},
	{"see the temporary files of others", func() error { return read("/tmp/planted") }},
	{"open the kernel's log", func() error { return open("/dev/kmsg", unix.O_RDONLY) }},
	{"open a disk", func() error { return open("/dev/probe-disk", unix.O_RDONLY) }},
	{"make a device", func() error {
		return unix.Mknod("/var/lib/tasmota-azd/disk"+strconv.Itoa(os.Getpid()), unix.S_IFBLK|0o666, int(unix.Mkdev(98, 0)))
	}},
	{"become root", func() error { return unix.Setuid(0) }},
	{"become another user", func() error { return unix.Setuid(1) }},
	{"become root by a setuid program", setuidProgram},
	{"make a setuid program", func() error {
		path := "/var/lib/tasmota-azd/setuid" + strconv.Itoa(os.Getpid())
		return errors.Join(write(path), unix.Chmod(path, 0o4755))
	}},
	{"make a user namespace", func() error {
		cmd := exec.Command("/bin/true")
		cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
		return cmd.Run()
	}},
	{"make a mount namespace", func() error { return unix.Unshare(unix.CLONE_NEWNS) }},
	{"mount", func() error { return unix.Mount("probe", "/srv/open", "tmpfs", 0, "") }},
	{"set the clock", func() error {
		// The kernel takes the clock for a right one then, as the test needs it.
		_, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_MAXERROR, Maxerror: 0})
		return err
	}},
	{"rename the machine", func() error { return unix.Sethostname([]byte("raspberrypi")) }},
	{"change the kernel's settings", func() error { return open("/proc/sys/kernel/core_pattern", unix.O_WRONLY) }},
	{"change control groups", func() error { return os.Mkdir("/sys/fs/cgroup/probe"+strconv.Itoa(os.Getpid()), 0o755) }},
	{"see other processes", func() error { return read("/proc/1/cmdline") }},
	{"signal other processes", func() error { return unix.Kill(1, 0) }},
	{"trace a process", func() error { return unix.PtraceSeize(1) }},
	{"load a BPF program", bpfMap},
	{"send raw packets", func() error { return socket(unix.AF_PACKET, unix.SOCK_RAW, 0) }},
	{"send raw IP packets", func() error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) }},
	{"write what it runs", func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		return err
	}},
	{"run before all others", func() error {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	}},
	{"be another kind of machine", func() error {
		if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, 0x0200000, 0, 0); errno != 0 { // ADDR_COMPAT_LAYOUT
			return errno
		}
		return nil
	}},
	{"change the root", func() error { return unix.Chroot("/srv/open") }},
}

// setuidProgram runs id(1), which belongs to root and has the bit.
func setuidProgram() error {
	out, err := exec.Command("/usr/local/bin/setuid-id", "-u").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if id := strings.TrimSpace(string(out)); id != "0" {
		return errors.New("user " + id)
	}
	return nil
}

func bpfMap() error {
	attr := struct{ kind, key, value, entries uint32 }{2, 4, 4, 1} // BPF_MAP_TYPE_ARRAY
	_, _, errno := unix.Syscall(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return errno
	}
	return nil
}
