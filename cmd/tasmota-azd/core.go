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

// smallPages has the kernel give memory in small pages from now on. Where it hands out huge
// ones unasked (transparent_hugepage=always, as Debian's for arm64), each stretch of the
// heap that is used a little takes 2 MB. A kernel that cannot do it leaves all as it is.
func smallPages() {
	const setTHPDisable = 41 // PR_SET_THP_DISABLE of prctl(2)
	syscall.RawSyscall(syscall.SYS_PRCTL, setTHPDisable, 1, 0)
}
