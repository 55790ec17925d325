package main

import (
	"os"
	"regexp"
	"strconv"
	"syscall"
)

// A stretch is memory that the kernel can read from the program's file again.
type stretch struct{ begin, length uintptr }

// programPages are those of the program's code and constants. They are asked for before
// noDump, which hides them from the daemon too. Where the kernel does not tell, there
// are none.
func programPages() []stretch {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return nil
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	return unwritten(string(text), program)
}

// mapping is one of smaps (proc_pid_smaps(5)), which cannot be written to.
var mapping = regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) r-[x-]p .* (/.*)\n(?:\w+: .*\n)*?Anonymous: +(\d+) kB`)

// unwritten are the mappings of a file that hold what the file does, and nothing else: a
// loader may have written to constants before it forbade that.
func unwritten(smaps, file string) (list []stretch) {
	for _, m := range mapping.FindAllStringSubmatch(smaps, -1) {
		begin, err1 := strconv.ParseUint(m[1], 16, strconv.IntSize)
		end, err2 := strconv.ParseUint(m[2], 16, strconv.IntSize)
		if m[3] == file && m[4] == "0" && err1 == nil && err2 == nil {
			list = append(list, stretch{uintptr(begin), uintptr(end - begin)})
		}
	}
	return list
}

// letGo takes what only the start has needed out of the daemon's memory. What is needed
// again, the kernel maps again, from its cache.
func letGo(pages []stretch) {
	for _, p := range pages {
		syscall.RawSyscall(syscall.SYS_MADVISE, p.begin, p.length, syscall.MADV_DONTNEED)
	}
}
