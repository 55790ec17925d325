package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// noCoreFile forbids core files of this process and its children: its memory holds keys.
func noCoreFile() error {
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// noCore also forbids the dumps that the kernel hands to a program, which heed no limit
// (core(5)), and that other processes of the same user look into the memory. It comes
// after the relays were claimed: it gives /proc/self to root, and before Linux 5.14
// nothing could then be read there about the lines that systemd kept.
func noCore() error {
	return errors.Join(noCoreFile(), unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}
