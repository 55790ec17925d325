package main

import "syscall"

// noCoreFile forbids core files of this process and its children: its memory holds keys.
func noCoreFile() error {
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}

// noDump forbids also the dumps that the kernel hands to a program, which heed no limit
// (core(5)), and that other processes of the same user look into the memory. It comes
// after the relays were claimed: it gives /proc/self to root, and before Linux 5.14
// nothing could then be read there about the lines that systemd kept.
func noDump() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
